"""TCP connections put together from captured segments, whatever order the capture has them in.

The segments are gone through twice. First (`Connection.note`) it is found out which bytes of
either direction are in the capture at all: what is not, but passed, is a gap of known length.
Then (`Connection.take`) the bytes come out in order: a segment waits for those before it, and for
what its sender had acknowledged of the other direction, so that no reply stands before its
request. What a retransmission or an overlap says again is left out.

Positions are sequence numbers that do not wrap around. What was acknowledged has passed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.tcp_segments import End, Segment
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.tcp_headers import ACK, FIN, RST, SEQUENCE_MASK, SYN

MOST_HELD = 256 << 20
"""Bytes that wait for what a capture has later in the file."""
WIDEST = 1 << 30
"""Bytes of the widest window: what is farther away is not of this connection."""
_LAP = SEQUENCE_MASK + 1


class Direction:
    """What a capture has of one direction."""

    def __init__(self) -> None:
        self.start: int | None = None
        """Position of the first byte, once it is known."""
        self.end = 0
        """Position behind the last byte that passed, by what was sent or acknowledged."""
        self.fin: int | None = None
        """Position of the FIN, which is acknowledged like a byte."""
        self.fin_missed = False
        """That it was sent is known only from what was acknowledged."""
        self.synchronized = False
        """Its SYN was seen: `start` is where the stream begins."""
        self._sent = 0
        """Position behind the last byte that a segment has, whether or not it was captured."""
        self._before = 0
        """The next to last position that something was known to pass up to."""
        self._latest: int | None = None
        self._starts: list[int] = []
        self._ends: list[int] = []

    def position(self, seq: int) -> int | None:
        """Return the position of a sequence number near what came before, None for others."""
        latest = self._latest
        if latest is None:
            latest = seq + _LAP
        found = latest + (seq - latest + _LAP // 2) % _LAP - _LAP // 2
        if abs(found - latest) > WIDEST:
            return None
        self._latest = max(found, latest)
        return found

    def reach(self, position: int) -> None:
        """Note that everything up to there passed."""
        if position > self.end:
            self._before, self.end = self.end, position
        elif self._before < position < self.end:
            self._before = position

    def again(self) -> None:
        """Begin to read positions anew, as they were read first."""
        self._latest = None

    def keep(self, start: int, captured: int, length: int) -> None:
        """Note that so many bytes passed from `start` on, and how many the capture has."""
        self._sent = max(self._sent, start + length)
        self.reach(start + length)
        if not captured:
            return
        end = start + captured
        starts, ends = self._starts, self._ends
        first, last = bisect_left(ends, start), bisect_right(starts, end)
        if first < last:
            start, end = min(start, starts[first]), max(end, ends[last - 1])
        starts[first:last], ends[first:last] = [start], [end]

    def kept_from(self, position: int) -> int:
        """Return the first position from here on that is in the capture, or `end`."""
        i = bisect_right(self._ends, position)
        if i == len(self._starts):
            return max(position, self.end)
        return max(position, self._starts[i])

    def settle(self) -> None:
        """Say where the stream begins and ends, once all of it was seen."""
        first = self._starts[0] if self._starts else self.end
        if self.start is None or not self.synchronized:
            self.start = first if self.start is None else min(self.start, first)
        last = max(self._sent, self.start)
        if self.fin is None and self.end > last and self.end == self._before + 1:
            self.fin, self.fin_missed = self._before, True
        self.end = max(self.end, last) if self.fin is None else max(self.fin, last)


class _Held(NamedTuple):
    """A segment that waits; `flags` are those that end a direction."""

    start: int
    order: int
    received: int
    """Position up to which its sender had the other direction."""
    data: bytes
    length: int
    flags: int


class Connection:
    """One connection: noted first, then settled, then taken."""

    def __init__(self, began: int, ends: tuple[End, End]) -> None:
        self.began = began
        """Number of its first packet in the capture."""
        self.ends = ends
        """The client's, the daemon's."""
        self.number = 0
        """Its number in the recording, once it is opened."""
        self.directions = (Direction(), Direction())
        self.closed = False
        self.missing = 0
        """Bytes that passed and are not in the capture."""
        self.cut = 0
        """Of these, bytes of packets that were captured in part."""
        self._next = [0, 0]
        self._held: tuple[list[_Held], list[_Held]] = ([], [])
        self._size = 0
        self._fin = [False, False]

    # First -------------------------------------------------------------------------------

    def again(self, found: Segment) -> bool:
        """Whether a client's SYN belongs to this connection, and not to the next of its ports."""
        way = self.directions[CLIENT]
        if way.synchronized and way.start is not None:
            return not (way.start - 1 - found.seq) & SEQUENCE_MASK
        start = way.position(found.seq)
        return start is not None and start < way.kept_from(0)

    def note(self, side: int, found: Segment) -> None:
        """Note what a segment of `side` says of both directions."""
        way, other = self.directions[side], self.directions[1 - side]
        flags = found.flags
        if not flags & RST and (start := way.position(found.seq)) is not None:
            if flags & SYN:
                start += 1
                way.synchronized, way.start = True, start
            way.reach(start)
            if found.length:
                way.keep(start, len(found.data), found.length)
            if flags & FIN:
                way.fin = start + found.length
        if flags & ACK and (acknowledged := other.position(found.ack)) is not None:
            if other.start is None:
                other.start = acknowledged
            other.reach(acknowledged)

    def settle(self) -> bool:
        """Say where the directions begin and end; return whether there is anything to tell."""
        for side, way in enumerate(self.directions):
            way.settle()
            way.again()
            assert way.start is not None
            self._next[side] = way.start
        passed = any(
            way.end > first for way, first in zip(self.directions, self._next, strict=True)
        )
        return passed or not self.joined

    @property
    def joined(self) -> bool:
        """Whether it had begun before the capture."""
        return not any(way.synchronized for way in self.directions)

    # Then --------------------------------------------------------------------------------

    def open(self, time: int) -> Passed:
        """Return that it begins."""
        peer = Peer(address=str(self.ends[CLIENT]))
        return Passed(self.number, time, "join" if self.joined else "open", peer=peer)

    def take(self, side: int, found: Segment, order: int, time: int) -> Iterator[Passed]:
        """Yield what can be told once this segment is there. Raises Problem."""
        way, other = self.directions[side], self.directions[1 - side]
        flags = found.flags
        start = way.end if flags & RST else way.position(found.seq)
        acknowledged = other.position(found.ack) if flags & ACK else None
        if self.closed or start is None or not (found.length or flags & (FIN | RST)):
            return
        if flags & SYN:
            start += 1
        received = min(acknowledged or 0, other.end + (other.fin is not None))
        data, length = (b"", 0) if flags & RST else (found.data, found.length)
        insort(self._held[side], _Held(start, order, received, data, length, flags & (FIN | RST)))
        self._size += len(data)
        yield from self._tell(time)
        if self._size > MOST_HELD:
            raise Problem(
                f"{self.ends[CLIENT]}: its packets are too far out of order; put the capture in"
                " order with reordercap"
            )

    def finish(self, time: int) -> Iterator[Passed]:
        """Yield what is known beyond the last segment: what was acknowledged and is not there."""
        if self.closed:
            return
        for side, way in enumerate(self.directions):
            yield from self._gap(side, way.end, time)
            if way.fin is not None:
                yield from self._half_close(side, time)

    def _tell(self, time: int) -> Iterator[Passed]:
        """Yield what need not wait any longer."""
        told = True
        while told and not self.closed:
            told = False
            for side in (CLIENT, DAEMON):
                head = self._head(side)
                if head is None:
                    continue
                yield from self._unseen(1 - side, head.received, time)
                awaited = self._head(1 - side)
                if head.received > self._next[1 - side] and (
                    awaited is None or awaited.received <= head.start
                ):
                    continue
                self._held[side].pop(0)
                self._size -= len(head.data)
                yield from self._told(side, head, time)
                told = True
                break

    def _head(self, side: int) -> _Held | None:
        """Return the segment that is next on a side, if nothing before it is still to come."""
        held = self._held[side]
        while held:
            head = held[0]
            if head.start > self._hole_end(side):
                return None
            if head.flags or head.start + head.length > self._next[side]:
                return head
            held.pop(0)
            self._size -= len(head.data)
        return None

    def _hole_end(self, side: int) -> int:
        """Return up to where nothing is in the capture, from what is next."""
        return self.directions[side].kept_from(self._next[side])

    def _gap(self, side: int, upto: int, time: int) -> Iterator[Passed]:
        """Yield that the bytes up to there passed and are not known."""
        missing = upto - self._next[side]
        if missing > 0:
            self._next[side] = upto
            self.missing += missing
            yield Passed(self.number, time, "data", side, b"", missing)

    def _unseen(self, side: int, received: int, time: int) -> Iterator[Passed]:
        """Yield what must have passed, because it was received, and is not in the capture."""
        yield from self._gap(side, min(received, self._hole_end(side)), time)
        way = self.directions[side]
        if way.fin_missed and received > way.end == self._next[side]:
            yield from self._half_close(side, time)

    def _half_close(self, side: int, time: int) -> Iterator[Passed]:
        if not self._fin[side]:
            self._fin[side] = True
            self._next[side] += 1
            yield Passed(self.number, time, "half-close", side)
            if all(self._fin):
                self.closed = True
                yield Passed(self.number, time, "close")

    def _told(self, side: int, head: _Held, time: int) -> Iterator[Passed]:
        yield from self._gap(side, head.start, time)
        data = head.data[self._next[side] - head.start :]
        if data:
            self._next[side] += len(data)
            yield Passed(self.number, time, "data", side, data)
        end = min(self._hole_end(side), head.start + head.length, self.directions[side].end)
        self.cut += max(end - self._next[side], 0)
        yield from self._gap(side, end, time)
        if head.flags & FIN:
            yield from self._half_close(side, time)
        if head.flags & RST:
            self.closed = True
            yield Passed(self.number, time, "reset", side)
            yield Passed(self.number, time, "close")
