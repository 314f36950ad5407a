"""Round trips: where a session's time went, what was asked again and again, what distance costs.

One pass over a recording. The time of an exchange is split by what can be seen between the
two ends: the request passing, the wait for the first answering byte, the answer (log and
reply) passing; between two exchanges of a connection the client is thinking.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from heapq import nlargest
from itertools import groupby
from pathlib import Path

from pix.codec.declare import Operation
from pix.conversation import CLIENT, DAEMON, Asked, Conversation, Exchange
from pix.conversation.round_trips import Passed
from pix.dataclass import dataclass, field
from pix_inspect.analysis.runs import SHORTEST_RUN, Run, advice
from pix_inspect.analysis.statistics import Tally
from pix_inspect.recording.notes import lost_bytes, note_of
from pix_inspect.recording.reader import Event, RecordingReader
from pix_inspect.recording.stall_notes import Stall, take
from pix_inspect.recording.stream_reader import ChunksSeen

BATCH = 500
"""Chunks that are read at a time: the memory of more goes back to the system each time."""
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
    lasting: int = 0
    """How many of these times were not over at the end of the recording."""


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
        return max(self.ended - self.started, 0)


@dataclass(frozen=True, slots=True)
class Distance:
    """A line to a daemon elsewhere: round trip in nanoseconds, bytes a second (0 unlimited)."""

    rtt: int
    rate: float = 0.0


def _path(request: bytes) -> str:
    """Return the one store path that a request names at its beginning, "" otherwise."""
    found = STORE_PATH.findall(request[:1024])
    return found[0].decode(errors="replace") if len(found) == 1 else ""


class _Request:
    """What a client says for one exchange, as a number that is equal for equal requests.

    In whatever pieces it comes; of payload that was not kept only the length counts.
    """

    __slots__ = ("_digest", "_digested", "_more", "first", "size")

    def __init__(self) -> None:
        self.size = 0
        self.first = b""
        """What stood in the first packet of the latest request."""
        self._more: list[bytes] | None = None
        self._digest = blake2b(digest_size=8)
        self._digested = False

    def add(self, data: bytes, length: int) -> None:
        if not self.size:
            self.first = data
        elif self._more is None:
            self._more = [data]
        else:
            self._more.append(data)
        self.size += length
        if self.size > HELD:
            if not self._digested:
                self._digest.update(self.first)
                self._digested = True
            self._digest.update(b"".join(self._more or ()))
            self._more = []

    def take(self) -> int:
        """Return the number, and begin anew."""
        if self.size <= HELD:
            whole = self.first if self._more is None else b"".join((self.first, *self._more))
            found = hash(whole) if len(whole) == self.size else hash((whole, self.size))
        else:
            found = hash((self._digest.digest(), self.size))
            self._digest, self._digested = blake2b(digest_size=8), False
        self.size = 0
        self._more = None
        return found


def _key(request: bytes) -> int:
    """Return the number of a request that is there as a whole."""
    whole = _Request()
    whole.add(request, len(request))
    return whole.take()


class _Watched:
    """One connection on the way through the recording."""

    def __init__(self, analyst: Analyst, number: int, opened: int) -> None:
        self.analyst = analyst
        self.number = number
        self.opened = opened
        self.talk = Conversation(self)
        self.request = _Request()
        self.before: tuple[int, int] | None = None
        """The exchange before: its number, and when it ended."""
        self.first: tuple[Operation, int, int] | None = None
        """The first exchange of the run that is under way: operation, number, start."""
        self.in_run = 0
        self.run = 0
        self.distinct = 0
        self.run_thinking = 0
        self.stalls: list[Stall] = []
        self.told = 0
        """When something was last noted of it."""
        self.last_side = CLIENT
        self.turns = 0
        self.bytes = 0
        self.last = 0
        self.shift = 0.0
        """By how much what passes is late at a distance, before the connection's own turns."""

    def started(self, exchange: Exchange) -> None:
        """Take note of an exchange that begins."""
        self._begin(exchange.code, exchange.started)

    def ended(self, exchange: Exchange) -> None:
        """Take note of an exchange that is over."""
        ended = exchange.started if exchange.ended is None else exchange.ended
        up = down = 0
        if exchange.request_end is not None:
            up = exchange.request_end - exchange.start
        if exchange.daemon_start is not None and exchange.daemon_end is not None:
            down = exchange.daemon_end - exchange.daemon_start
        sent, answered = exchange.request_done or ended, exchange.answered or ended
        self.analyst.found.exchanges += 1
        split = self.analyst.split(exchange.name)
        split.count += 1
        split.up += up
        split.down += down
        split.spend([max(ended - exchange.started, 0)])  # a clock may have been set back
        answered = max(answered, sent)
        split.requesting += max(sent - exchange.started, 0)
        split.waiting += max(min(ended, answered) - sent, 0)
        split.answering += max(ended - answered, 0)
        split.errors += exchange.failed and exchange.kind != "opaque"
        split.reads += exchange.reads
        if exchange.kind == "handshake":
            self.analyst.found.handshakes += max(ended - exchange.started, 0)
        said, key = self.request.size, self.request.take()
        self.before = (exchange.number, ended)
        if (operation := exchange.operation) is None:
            return
        self._run(operation, exchange.number, exchange.started)
        self.in_run += 1
        if said:  # what came with the request before says nothing of its own
            first = self.request.first
            self.distinct += self.analyst.remember(key, self.run, operation.name, up, first)

    def round_trip(self, asked: Asked, start: int, end: int, time: int) -> None:
        """Take note of a plain round trip."""
        number, operation, request, request_end, started = asked
        self.request.take()
        question = (CLIENT, started, request, self.request.first, request_end - request, 0)
        self._round_trips(number, operation, [question, (DAEMON, time, start, b"", end - start, 0)])

    def _round_trips(self, number: int, operation: Operation, passed: list[Passed]) -> None:
        """Take note of plain round trips of one operation, numbered from here on."""
        analyst = self.analyst
        questions, answers = passed[::2], passed[1::2]
        self._begin(operation.code, questions[0][1])
        self._run(operation, number, questions[0][1])
        run, name, remember = self.run, operation.name, analyst.remember
        before = questions[0][1]
        up = down = thinking = distinct = 0
        times: list[int] = []
        for (_, started, _, request, sent, _), (_, ended, _, _, got, _) in zip(
            questions, answers, strict=True
        ):
            if started > before:
                thinking += started - before
            before = ended
            times.append(ended - started if ended > started else 0)
            up += sent
            down += got
            key = hash(request) if sent <= HELD else _key(request)
            distinct += remember(key, run, name, sent, request)
        self.before = (number + len(times) - 1, before)
        self.in_run += len(times)
        self.run_thinking += thinking
        self.distinct += distinct
        analyst.found.thinking += thinking
        analyst.found.exchanges += len(times)
        split = analyst.split(name)
        split.count += len(times)
        split.up += up
        split.down += down
        split.spend(times)
        split.waiting += sum(times)

    def closed(self, time: int) -> None:
        """Take note of the end; a connection without a word is a handshake that came to nothing."""
        self.talk.close(time)
        if self.talk.count or self.talk.handshake is not None:
            return
        self.analyst.found.exchanges += 1
        split = self.analyst.split("handshake")
        split.count += 1
        split.errors += 1
        split.spend([max(time - self.opened, 0)])

    def _begin(self, code: int | None, started: int) -> None:
        if code is not None and self.before is not None:
            gap = max(started - self.before[1], 0)
            self.analyst.found.thinking += gap
            if self.first is not None and code == self.first[0].code:
                self.run_thinking += gap
                return
        self.end_run()

    def _run(self, operation: Operation, number: int, started: int) -> None:
        """Begin a run of equal operations, if none is under way."""
        if self.first is None:
            self.first = (operation, number, started)
            self.analyst.runs += 1
            self.run = self.analyst.runs

    def end_run(self) -> None:
        """Close the run of equal operations that is under way, if it is long enough."""
        runs = self.analyst.found.runs
        if self.in_run >= SHORTEST_RUN and len(runs) < MOST_RUNS and self.first and self.before:
            operation, first, started = self.first
            last, ended = self.before
            runs.append(
                Run(
                    operation.name,
                    self.number,
                    first,
                    last,
                    self.in_run,
                    self.distinct,
                    max(ended - started - self.run_thinking, 0),
                    self.run_thinking,
                    advice(operation.name, self.talk.protocol),
                )
            )
        self.first = None
        self.in_run = self.distinct = self.run_thinking = 0

    def chunks(self, passed: list[Passed]) -> None:
        """Take what passes next; the reader's `ChunksSeen`."""
        at = 0
        while at < len(passed):
            if not self.request.size and (asked := self._asked(passed, at)):
                number = self.talk.count - len(asked) + 1
                for operation, alike in groupby(asked):
                    count = sum(1 for _ in alike)
                    first, at = at, at + 2 * count
                    self._round_trips(number, operation, passed[first:at])
                    number += count
            else:
                side, time, offset, data, length, _ = passed[at]
                self._chunk(side, time, offset, data, length)
                at += 1

    def _asked(self, passed: list[Passed], at: int) -> list[Operation]:
        """Take the plain round trips that stand next; return what was asked."""
        found, talk = self.analyst.found, self.talk
        up, down = talk.received(CLIENT), talk.received(DAEMON)
        if asked := talk.round_trips(passed, at):
            up, down = talk.received(CLIENT) - up, talk.received(DAEMON) - down
            found.up += up
            found.down += down
            found.round_trips += len(asked)
            self.bytes += up + down
            self.turns += 2 * len(asked) - (self.last_side == CLIENT)
            self.last_side = DAEMON
            self.last = passed[at + 2 * len(asked) - 1][1]
        return asked

    def _chunk(self, side: int, time: int, offset: int, data: bytes, length: int) -> None:
        found = self.analyst.found
        self.bytes += length
        self.last = time
        if side != self.last_side:
            self.turns += 1
            self.last_side = side
            if side != CLIENT:
                found.round_trips += 1
        elif offset == 0:
            self.turns += 1
        if side == CLIENT:
            found.up += length
            self.request.add(data, length)
        else:
            found.down += length
        self.talk.feed(side, data, time)
        if length > len(data):
            self.talk.gap(side, length - len(data), time)

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
        while reader.follow(self, BATCH):
            found.ended = max(found.ended, reader.latest)
            self._progress(reader.consumed, reader.size)
        reader.close()
        for watched in list(self._watched.values()):
            watched.told = max(watched.told, found.ended)
            self._leave(watched, lasting=True)
        found.runs.sort(key=lambda run: -run.time)
        found.again = nlargest(MOST_AGAIN, self._again.values(), key=lambda again: again.count)
        self.predicted = max(self.predicted, found.elapsed)
        return found

    def connection(self, number: int, time: int, position: int) -> ChunksSeen:
        """Return what takes the chunks of a connection."""
        self.found.started = self.found.started or time
        return self._watch(number, time).chunks

    def _watch(self, number: int, time: int) -> _Watched:
        watched = self._watched.get(number)
        if watched is not None:
            return watched
        watched = self._watched[number] = _Watched(self, number, time)
        self.found.connections += 1
        distance = self.distance
        if distance is not None:
            lates = (each.late(distance) for each in self._watched.values() if each is not watched)
            watched.shift = max(self._latest, *lates, 0.0)
        return watched

    def _leave(self, watched: _Watched, *, lasting: bool = False) -> None:
        """Sum up a connection; `lasting`: it is still open."""
        watched.talk.announce()
        watched.end_run()
        for stall in watched.stalls:
            idle = self.found.stalls[stall.side]
            idle.count += 1
            idle.time += max((stall.until or max(watched.last, watched.told)) - stall.since, 0)
            idle.lasting += lasting and stall.until is None
        distance = self.distance
        if distance is not None and watched.last:
            late = watched.late(distance)
            self._latest = max(self._latest, late)
            # who hangs up a while after the last word does so then, too
            end = watched.last if lasting else max(watched.last, watched.told)
            self.predicted = max(self.predicted, int(end - self.found.started + late))
        del self._watched[watched.number]

    def event(self, event: Event) -> None:
        """Take what happened to a connection or to the recording."""
        self.found.started = self.found.started or event.time
        self.lost += lost_bytes(event.note or {})
        if event.connection == 0:
            return
        watched = self._watch(event.connection, event.time)
        watched.told = event.time
        if event.kind in ("half-close", "reset") and event.side is not None:
            watched.talk.eof(event.side, event.time)
        elif event.kind == "note":
            take(watched.stalls, note_of(event.note or {}), event.time)
        elif event.kind == "close":
            watched.closed(event.time)
            self._leave(watched)
        elif event.kind == "continue":
            watched.talk.close(event.time)
            self._leave(watched)

    def split(self, name: str) -> Split:
        """Return the split of an operation, of which an exchange is over."""
        split = self.found.operations.get(name)
        if split is None:
            split = self.found.operations[name] = Split(name)
        return split

    def remember(self, key: int, run: int, name: str, size: int, request: bytes) -> bool:
        """Count a request that was made before; return whether it is new to its run."""
        seen = self._seen
        last = seen.get(key)
        if last is not None:
            self.found.repeated += 1
            self.found.repeated_bytes += size
            again = self._again.get(key)
            if again is None and len(self._again) < MOST_COUNTED:
                again = self._again[key] = Again(name, _path(request))
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
