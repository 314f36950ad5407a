"""Round trips: where a session's time went, what was asked again and again, what distance costs.

One pass over a recording. The time of an exchange is split by what can be seen between the
two ends: the request passing, the wait for the first answering byte, the answer (log and
reply) passing; between two exchanges of a connection the client is thinking.

Knows recordings and conversations; nothing of text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pix.conversation import Conversation
from pix.exchange import CLIENT, Exchange
from pix.gates import Protocol
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.reader import Chunk, RecordingReader
from pix_inspect.statistics import Tally

SHORTEST_RUN = 10
"""Operations of one kind in a row that make a run."""
MOST_REMEMBERED = 1_000_000
"""Distinct requests remembered, to know what is asked again."""
MOST_RUNS = 1000

BATCHED_BY = {
    "IsValidPath": ("QueryValidPaths", 12, None),
    "QueryPathInfo": ("QueryPathInfos", None, "queryPathInfos"),
    "AddTempRoot": ("AddTempRoots", None, "addTempRoots"),
    "AddToStoreNar": ("AddMultipleToStore", 32, None),
    "BuildPaths": ("BuildPaths with all paths at once", 10, None),
    "EnsurePath": ("BuildPaths with all paths at once", 13, None),
    "QuerySubstitutablePathInfo": ("QuerySubstitutablePathInfos", 12, None),
    "HasSubstitutes": ("QuerySubstitutablePaths", 12, None),
    "QueryPathHash": ("QueryPathInfo, which says all at once", 16, None),
    "QueryReferences": ("QueryPathInfo, which says all at once", 16, None),
}
"""What does many of an operation at once: its name, since which minor, with which feature."""


@dataclass(slots=True)
class Split(Tally):
    """A tally with its time split up, in nanoseconds."""

    requesting: int = 0
    waiting: int = 0
    answering: int = 0
    reads: int = 0


@dataclass(slots=True)
class Run:
    """The same operation again and again, each after the one before it was answered.

    `distinct` counts different requests; times in nanoseconds; `first` and `last` are numbers
    of exchanges within the connection.
    """

    operation: str
    connection: int
    first: int
    last: int
    count: int
    distinct: int
    time: int
    thinking: int
    advice: str


@dataclass(slots=True)
class Analysis:
    """What a recording comes to. Times in nanoseconds, sizes in bytes."""

    operations: dict[str, Split] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    connections: int = 0
    handshakes: int = 0
    thinking: int = 0
    exchanges: int = 0
    round_trips: int = 0
    up: int = 0
    down: int = 0
    repeated: int = 0
    repeated_bytes: int = 0
    started: int = 0
    ended: int = 0
    forgotten: bool = False

    @property
    def elapsed(self) -> int:
        """The time from the first packet to the last."""
        return self.ended - self.started


@dataclass(frozen=True, slots=True)
class Distance:
    """A line to a daemon elsewhere: round trip in nanoseconds, bytes a second (0 unlimited)."""

    rtt: int
    rate: float = 0.0


def advice(operation: str, protocol: Protocol | None) -> str:
    """Return what would do many of this operation at once in `protocol`, empty if nothing."""
    known = BATCHED_BY.get(operation)
    if known is None:
        return ""
    name, minor, feature = known
    code = OPERATIONS_BY_NAME[name].code if name in OPERATIONS_BY_NAME else None
    what = name if code is None else f"{name} (operation {code})"
    if feature is not None:
        if protocol is not None and feature in protocol.features:
            return f"one {what} does it"
        return f"{what} would do it, but the feature {feature} is not in force here"
    if protocol is not None and minor is not None and protocol.minor < minor:
        return f"{what} would do it from 1.{minor} on"
    return f"one {what} does it"


class _Watched:
    """One connection on the way through the recording."""

    def __init__(self, analyst: Analyst, number: int) -> None:
        self.analyst = analyst
        self.number = number
        self.talk = Conversation(self)
        self.before: Exchange | None = None
        self.request_hash = 0
        self.run: list[Exchange] = []
        self.run_hashes: set[int] = set()
        self.run_thinking = 0
        self.last_side = CLIENT
        self.shift = 0.0

    def started(self, exchange: Exchange) -> None:
        before = self.before
        if before is not None and before.ended is not None and exchange.kind == "operation":
            gap = max(exchange.started - before.ended, 0)
            self.analyst.found.thinking += gap
            if self.run and exchange.code == self.run[-1].code:
                self.run_thinking += gap
                return
        self.end_run()

    def ended(self, exchange: Exchange) -> None:
        self.analyst.count(self, exchange)
        self.before = exchange
        if exchange.kind != "operation" or exchange.operation is None:
            return
        if len(self.run) < 2:
            self.run.append(exchange)
        else:
            self.run[1] = exchange
        self.analyst.in_run[self.number] = self.analyst.in_run.get(self.number, 0) + 1
        if len(self.run_hashes) < MOST_REMEMBERED:
            self.run_hashes.add(self.request_hash)

    def end_run(self) -> None:
        """Close the run of equal operations that is under way, if it is long enough."""
        count = self.analyst.in_run.pop(self.number, 0)
        if count >= SHORTEST_RUN and len(self.analyst.found.runs) < MOST_RUNS:
            first, last = self.run[0], self.run[-1]
            self.analyst.found.runs.append(
                Run(
                    first.name,
                    self.number,
                    first.number,
                    last.number,
                    count,
                    len(self.run_hashes),
                    (last.ended or last.started) - first.started - self.run_thinking,
                    self.run_thinking,
                    advice(first.name, self.talk.protocol),
                )
            )
        self.run = []
        self.run_hashes = set()
        self.run_thinking = 0


class Analyst:
    """Reads a recording once. `progress` is told of bytes read and of all, now and then."""

    def __init__(
        self,
        path: Path,
        distance: Distance | None = None,
        progress: Callable[[int, int], None] = lambda done, all_of_it: None,
    ) -> None:
        self.found = Analysis()
        self.in_run: dict[int, int] = {}
        self.distance = distance
        self.predicted = 0
        """With a distance: how long the session would have taken, nanoseconds."""
        self._reader = RecordingReader(path)
        self._progress = progress
        self._seen: set[int] = set()
        self._watched: dict[int, _Watched] = {}
        self._latest = 0.0

    def read(self) -> Analysis:
        """Read to the end of the recording. Raises Problem."""
        found = self.found
        reader = self._reader
        while items := reader.poll(20_000):
            for item in items:
                if not found.started:
                    found.started = item.time
                found.ended = max(found.ended, item.time)
                if item.connection == 0:
                    continue
                watched = self._watched.get(item.connection)
                if watched is None:
                    watched = self._watched[item.connection] = _Watched(self, item.connection)
                    watched.shift = self._latest
                    found.connections += 1
                if isinstance(item, Chunk):
                    self._chunk(watched, item)
                elif item.kind in ("half-close", "reset") and item.side is not None:
                    watched.talk.eof(item.side, item.time)
                elif item.kind in ("close", "continue"):
                    watched.talk.close(item.time)
                    watched.end_run()
                    del self._watched[item.connection]
            self._progress(reader.consumed, reader.size)
        for watched in self._watched.values():
            watched.end_run()
        found.runs.sort(key=lambda run: -run.time)
        self.predicted = max(self.predicted, found.elapsed)
        return found

    def _chunk(self, watched: _Watched, chunk: Chunk) -> None:
        side = chunk.side
        found = self.found
        if side == CLIENT:
            found.up += chunk.length
            watched.request_hash = hash(chunk.data)
        else:
            found.down += chunk.length
            if watched.last_side == CLIENT:
                found.round_trips += 1
        self._delay(watched, chunk)
        watched.last_side = side
        watched.talk.feed(side, chunk.data, chunk.time)
        if missing := chunk.length - len(chunk.data):
            watched.talk.gap(side, missing, chunk.time)

    def _delay(self, watched: _Watched, chunk: Chunk) -> None:
        """Move this connection's clock as the distance would."""
        distance = self.distance
        if distance is None:
            return
        if chunk.side != watched.last_side or chunk.offset == 0:
            watched.shift += distance.rtt / 2
        if distance.rate:
            watched.shift += chunk.length / distance.rate * 1e9
        self._latest = max(self._latest, watched.shift)
        self.predicted = max(self.predicted, int(chunk.time - self.found.started + watched.shift))

    def count(self, watched: _Watched, exchange: Exchange) -> None:
        """Add an exchange that is over."""
        found = self.found
        if exchange.kind == "handshake":
            found.handshakes += exchange.took or 0
        found.exchanges += 1
        split = found.operations.get(exchange.name)
        if split is None:
            split = found.operations[exchange.name] = Split(exchange.name)
        split.count += 1
        split.errors += exchange.error is not None
        if exchange.request_end is not None:
            split.up += exchange.request_end - exchange.start
        if exchange.daemon_start is not None and exchange.daemon_end is not None:
            split.down += exchange.daemon_end - exchange.daemon_start
        split.reads += exchange.reads
        ended = exchange.ended
        if ended is None:
            return
        split.spend(ended - exchange.started)
        sent = exchange.request_done or ended
        answered = max(exchange.answered or ended, sent)
        split.requesting += max(sent - exchange.started, 0)
        split.waiting += max(min(answered, ended) - sent, 0)
        split.answering += max(ended - answered, 0)
        if exchange.kind == "operation":
            self._remember(watched, exchange, split)

    def _remember(self, watched: _Watched, exchange: Exchange, split: Split) -> None:
        key = hash((exchange.code, watched.request_hash))
        if key in self._seen:
            self.found.repeated += 1
            self.found.repeated_bytes += (exchange.request_end or exchange.start) - exchange.start
        elif len(self._seen) < MOST_REMEMBERED:
            self._seen.add(key)
        else:
            self.found.forgotten = True
