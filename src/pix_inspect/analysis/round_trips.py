"""Round trips: where a session's time went, what was asked again and again, what distance costs.

One pass over a recording. The time of an exchange is split by what can be seen between the
two ends: the request passing, the wait for the first answering byte, the answer (log and
reply) passing; between two exchanges of a connection the client is thinking.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import nlargest
from pathlib import Path

from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, Exchange
from pix_inspect.analysis.runs import SHORTEST_RUN, Run, advice
from pix_inspect.analysis.statistics import Tally
from pix_inspect.recording.reader import Chunk, Event, RecordingReader
from pix_inspect.recording.stall_notes import Stall, take
from pix_inspect.session.session import lost_bytes

MOST_REMEMBERED = 1_000_000
"""Distinct requests remembered, to know what is asked again."""
MOST_RUNS = 1000
MOST_AGAIN = 100
MOST_COUNTED = 100_000
"""Requests made again of which each is counted."""
STORE_PATH = re.compile(rb"/[^\0]*?/[0-9a-z]{32}-[^\0]+")
HELD = 64 << 10
"""Bytes of a request that are held to be compared as a whole; of more a digest is kept."""


@dataclass(slots=True)
class Split(Tally):
    """A tally with its time split up, in nanoseconds."""

    requesting: int = 0
    waiting: int = 0
    answering: int = 0
    reads: int = 0


@dataclass(slots=True)
class Again:
    """A request that was made more than once: about which store path ("" for none or many),
    how often, and the bytes of all but the first.
    """

    operation: str
    path: str
    count: int = 1
    bytes: int = 0


@dataclass(slots=True)
class Idle:
    """How long and how often a side did not read what was for it; nanoseconds."""

    time: int = 0
    count: int = 0


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
    again: list[Again] = field(default_factory=list)
    """What was asked or sent again, the most often first, MOST_AGAIN at most."""
    stalls: tuple[Idle, Idle] = field(default_factory=lambda: (Idle(), Idle()))
    """By side, the client first: when it did not read."""
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


class _Request:
    """What a client says for one exchange, as a number that is equal for equal requests.

    In whatever pieces it comes; of payload that was not kept only the length counts.
    """

    __slots__ = ("_digest", "_digested", "_first", "_more", "size")

    def __init__(self) -> None:
        self.size = 0
        self._first = b""
        self._more: list[bytes] | None = None
        self._digest = blake2b(digest_size=8)
        self._digested = False

    @property
    def path(self) -> str:
        """The one store path that the latest request named at its beginning, "" otherwise."""
        found = STORE_PATH.findall(self._first[:1024])
        return found[0].decode(errors="replace") if len(found) == 1 else ""

    def add(self, chunk: Chunk) -> None:
        data = chunk.data
        if not self.size:
            self._first = data
        elif self._more is None:
            self._more = [data]
        else:
            self._more.append(data)
        self.size += chunk.length
        if self.size > HELD:
            if not self._digested:
                self._digest.update(self._first)
                self._digested = True
            self._digest.update(b"".join(self._more or ()))
            self._more = []

    def take(self) -> int:
        """Return the number, and begin anew."""
        if self.size <= HELD:
            whole = self._first if self._more is None else b"".join((self._first, *self._more))
            found = hash(whole) if len(whole) == self.size else hash((whole, self.size))
        else:
            found = hash((self._digest.digest(), self.size))
            self._digest, self._digested = blake2b(digest_size=8), False
        self.size = 0
        self._more = None
        return found


class _Watched:
    """One connection on the way through the recording."""

    def __init__(self, analyst: Analyst, number: int) -> None:
        self.analyst = analyst
        self.number = number
        self.talk = Conversation(self)
        self.request = _Request()
        self.before: Exchange | None = None
        self.first: Exchange | None = None
        """The first exchange of the run that is under way."""
        self.in_run = 0
        self.run = 0
        self.distinct = 0
        self.run_thinking = 0
        self.stalls: list[Stall] = []
        self.last_side = CLIENT
        self.turns = 0
        self.bytes = 0
        self.last = 0
        self.shift = 0.0
        """By how much what passes is late at a distance, before the connection's own turns."""

    def started(self, exchange: Exchange) -> None:
        """Take note of an exchange that begins."""
        before = self.before
        if exchange.kind == "operation" and before is not None and before.ended is not None:
            gap = exchange.started - before.ended
            if gap > 0:
                self.analyst.found.thinking += gap
            if self.first is not None and exchange.code == self.first.code:
                if gap > 0:
                    self.run_thinking += gap
                return
        self.end_run()

    def ended(self, exchange: Exchange) -> None:
        """Take note of an exchange that is over."""
        analyst = self.analyst
        split = analyst.count(exchange)
        said = self.request.size
        key = self.request.take()
        self.before = exchange
        if exchange.operation is None:
            return
        if self.first is None:
            self.first = exchange
            analyst.runs += 1
            self.run = analyst.runs
        self.in_run += 1
        if said and split is not None:  # what came with the request before says nothing of its own
            self.distinct += analyst.remember(key, self.run, exchange, self.request)

    def end_run(self) -> None:
        """Close the run of equal operations that is under way, if it is long enough."""
        first, last = self.first, self.before
        runs = self.analyst.found.runs
        if self.in_run >= SHORTEST_RUN and len(runs) < MOST_RUNS and first and last:
            runs.append(
                Run(
                    first.name,
                    self.number,
                    first.number,
                    last.number,
                    self.in_run,
                    self.distinct,
                    (last.ended or last.started) - first.started - self.run_thinking,
                    self.run_thinking,
                    advice(first.name, self.talk.protocol),
                )
            )
        self.first = None
        self.in_run = self.distinct = self.run_thinking = 0

    def late(self, distance: Distance) -> float:
        """Return by how much what passed last is late at a distance, in nanoseconds."""
        line = self.bytes / distance.rate * 1e9 if distance.rate else 0.0
        return self.shift + self.turns * distance.rtt / 2 + line


class Analyst:
    """Reads a recording once. `progress` is told of bytes read and of all, now and then."""

    def __init__(
        self,
        path: Path,
        distance: Distance | None = None,
        progress: Callable[[int, int], None] = lambda done, all_of_it: None,
    ) -> None:
        self.found = Analysis()
        self.distance = distance
        self.predicted = 0
        """With a distance: how long the session would have taken, nanoseconds."""
        self.lost = 0
        """Bytes that the recording says it could not keep."""
        self.runs = 0
        """Runs begun, of any length."""
        self.reader = RecordingReader(path)
        self._progress = progress
        self._seen: dict[int, int] = {}
        """Requests, each with the run in which it was seen last."""
        self._again: dict[int, Again] = {}
        self._watched: dict[int, _Watched] = {}
        self._latest = 0.0

    def read(self) -> Analysis:
        """Read to the end of the recording. Raises Problem."""
        found = self.found
        reader = self.reader
        watched_by = self._watched
        while items := reader.poll(20_000):
            found.started = found.started or items[0].time
            for item in items:
                if type(item) is Chunk:
                    watched = watched_by.get(item[0])
                    if watched is None:
                        watched = self._watch(item[0])
                    self._chunk(watched, item)
                else:
                    self._event(item)  # type: ignore[arg-type]  # the other of two types
            last = items[-1].time
            found.ended = max(found.ended, last)
            self._progress(reader.consumed, reader.size)
        reader.close()
        for watched in list(watched_by.values()):
            self._leave(watched)
        found.runs.sort(key=lambda run: -run.time)
        found.again = nlargest(MOST_AGAIN, self._again.values(), key=lambda again: again.count)
        self.predicted = max(self.predicted, found.elapsed)
        return found

    def _watch(self, number: int) -> _Watched:
        watched = self._watched[number] = _Watched(self, number)
        self.found.connections += 1
        distance = self.distance
        if distance is not None:
            lates = (each.late(distance) for each in self._watched.values() if each is not watched)
            watched.shift = max(self._latest, *lates, 0.0)
        return watched

    def _leave(self, watched: _Watched) -> None:
        watched.end_run()
        for stall in watched.stalls:
            idle = self.found.stalls[stall.side]
            idle.count += 1
            idle.time += max((stall.until or watched.last) - stall.since, 0)
        distance = self.distance
        if distance is not None and watched.last:
            late = watched.late(distance)
            self._latest = max(self._latest, late)
            self.predicted = max(self.predicted, int(watched.last - self.found.started + late))
        del self._watched[watched.number]

    def _event(self, event: Event) -> None:
        self.lost += lost_bytes(event.note or {})
        if event.connection == 0:
            return
        watched = self._watched.get(event.connection)
        if watched is None:
            watched = self._watch(event.connection)
        if event.kind in ("half-close", "reset") and event.side is not None:
            watched.talk.eof(event.side, event.time)
        elif event.kind == "note":
            take(watched.stalls, (event.note or {}).get("note"), event.time)
        elif event.kind in ("close", "continue"):
            watched.talk.close(event.time)
            self._leave(watched)

    def _chunk(self, watched: _Watched, chunk: Chunk) -> None:
        _, side, time, offset, data, length, _ = chunk
        watched.bytes += length
        watched.last = time
        if side != watched.last_side:
            watched.turns += 1
            watched.last_side = side
            if side != CLIENT:
                self.found.round_trips += 1
        elif offset == 0:
            watched.turns += 1
        if side == CLIENT:
            self.found.up += length
            watched.request.add(chunk)
        else:
            self.found.down += length
        watched.talk.feed(side, data, time)
        if length > len(data):
            watched.talk.gap(side, length - len(data), time)

    def count(self, exchange: Exchange) -> Split | None:
        """Add an exchange that is over; return its operation's split, None if it did not end."""
        found = self.found
        found.exchanges += 1
        name = exchange.name
        split = found.operations.get(name)
        if split is None:
            split = found.operations[name] = Split(name)
        split.count += 1
        if exchange.error is not None:
            split.errors += 1
        if exchange.request_end is not None:
            split.up += exchange.request_end - exchange.start
        if exchange.daemon_start is not None and exchange.daemon_end is not None:
            split.down += exchange.daemon_end - exchange.daemon_start
        split.reads += exchange.reads
        started, ended = exchange.started, exchange.ended
        if ended is None:
            return None
        split.spend(ended - started)
        if exchange.kind == "handshake":
            found.handshakes += ended - started
        sent = exchange.request_done or ended
        answered = exchange.answered or ended
        if sent > started:
            split.requesting += sent - started
        if answered < sent:
            answered = sent
        split.waiting += max((min(ended, answered)) - sent, 0)
        if ended > answered:
            split.answering += ended - answered
        return split

    def remember(self, key: int, run: int, exchange: Exchange, request: _Request) -> bool:
        """Count a request that was made before; return whether it is new to its run."""
        seen = self._seen
        last = seen.get(key)
        if last is not None:
            size = (exchange.request_end or exchange.start) - exchange.start
            self.found.repeated += 1
            self.found.repeated_bytes += size
            again = self._again.get(key)
            if again is None and len(self._again) < MOST_COUNTED:
                again = self._again[key] = Again(exchange.name, request.path)
            if again is not None:
                again.count += 1
                again.bytes += size
        elif len(seen) >= MOST_REMEMBERED:
            self.found.forgotten = True
            return True
        if last != run:
            seen[key] = run
            return True
        return False
