"""One connection as it is read back: from packets to chunks and events.

Packets in order are the rule; bytes that an editor of captures took out show as a chunk of
which nothing was kept, and what it doubled is left out.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

from pix.conversation.round_trips import Passed
from pix.dataclass import dataclass
from pix_inspect.recording.notes import EVENT, LOST, RECORDER, Ending, EventKind
from pix_inspect.recording.packet import Packet
from pix_inspect.recording.tcp_headers import FIN, RST, SEQUENCE_MASK, SYN

_HALF = 1 << 31


class Chunk(NamedTuple):
    """Bytes that passed in one packet."""

    connection: int
    side: int
    time: int
    """Nanoseconds since 1970."""
    offset: int
    """Stream offset of the first byte."""
    data: bytes
    """What was kept: the first bytes."""
    length: int
    """Bytes that passed."""
    position: int
    """Where the packet's block stands in the file."""


@dataclass(slots=True)
class Event:
    """Something that happened to a connection, or (connection 0) to the recording.

    `kind` is "open", "half-close", "reset", "close", "note", or "continue": the connection
    goes on in another file. `note` is the JSON that came with it; for "open" it holds `peer`,
    `about` and, in a file that begins in mid-connection, `continues` with the `offsets` of
    both sides and the tap's `state`. A "note" whose JSON holds `lost` stands before the chunk
    that was lost.
    """

    connection: int
    kind: EventKind
    side: int | None
    time: int
    note: dict[str, Any] | None
    position: int


Item = Chunk | Event

ChunksSeen: TypeAlias = "Callable[[list[Passed]], None]"
"""Told of chunks of a connection that stand one behind the other, without its number."""


class Listener(Protocol):
    """Who is told of what stands in a recording while it is read."""

    def connection(self, number: int, time: int, position: int) -> ChunksSeen:
        """Return what is told of a connection's chunks, from this one to its next event."""

    def event(self, event: Event) -> None:
        """Something happened."""


class Flow:
    """A connection; `next` and `offsets` are lists by side that the reader's inner loop uses."""

    __slots__ = (
        "closed", "continued", "ended", "next", "number", "odd", "offsets", "opened", "origin",
        "seen", "starts", "wraps",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.next = [1, 1]
        """Sequence number expected next."""
        self.offsets = [0, 0]
        """Stream offset expected next."""
        self.starts = [0, 0]
        """Stream offsets at which the file begins this connection."""
        self.origin = [1, 1]
        """Sequence number of offset 0 before any wrap-around; may be negative."""
        self.wraps: tuple[list[int], list[int]] = ([], [])
        """Positions of the packets within which the sequence number wrapped around."""
        self.odd: dict[int, tuple[int, int, int]] = {}
        """Packets out of order, by position: offset, bytes missing before, bytes not new."""
        self.opened = False
        self.continued = False
        """It goes on from an earlier file that was read too."""
        self.ended: list[str | None] = [None, None]
        """By side, how it ended: None, "half-close" or "reset"."""
        self.closed = False
        self.seen: ChunksSeen | None = None
        """What is told of chunks, once it was asked for."""

    def begin(self, side: int, seq: int, offset: int) -> None:
        """Take `seq` as the number of the byte of `side` at `offset`."""
        self.next[side] = seq & SEQUENCE_MASK
        self.offsets[side] = offset
        self.origin[side] = self.next[side] - offset
        self.wraps[side].clear()

    def take(self, packet: Packet) -> Iterator[Item]:
        """Yield what a packet (not one that opens) says, and move on to its end."""
        event = yield from self.notes(packet)
        side, position = packet.side, packet.position
        if packet.length:
            offset, missing, known = self._place(side, packet.seq, packet.length, position)
            yield from self._chunks(packet, offset, missing, known)
        kind = _ending(packet, event)
        if kind == "close":
            if self.closed:
                return
            self.closed = True
        elif kind is not None:
            if self.ended[side] in (kind, "reset"):
                return
            self.ended[side] = kind
        if kind is not None:
            yield Event(self.number, kind, None if kind == "close" else side, *_at(packet, event))

    def again(self, packet: Packet) -> Iterator[Item]:
        """Yield what a packet says that was taken before."""
        if packet.flags & SYN:
            if packet.side == 0:
                opened = next((note for note in packet.comments if EVENT in note), {})
                begins: EventKind = "continue" if self.continued else "open"
                yield Event(self.number, begins, None, *_at(packet, opened))
                yield from self.notes(packet)
            return
        event = yield from self.notes(packet)
        if packet.length:
            yield from self._chunks(packet, *self._find(packet.side, packet.seq, packet.position))
        kind = _ending(packet, event)
        if kind is not None:
            side = None if kind == "close" else packet.side
            yield Event(self.number, kind, side, *_at(packet, event))

    def notes(self, packet: Packet) -> Generator[Item, None, dict[str, Any] | None]:
        """Yield the notes a packet carries; return the comment about what it opens or ends."""
        event: dict[str, Any] | None = None
        for note in packet.comments:
            if EVENT in note:
                event = note
            else:
                number = 0 if RECORDER in note else self.number
                side = packet.side if LOST in note else None
                yield Event(number, "note", side, packet.time, note, packet.position)
        return event

    def _chunks(self, packet: Packet, offset: int, missing: int, known: int) -> Iterator[Chunk]:
        number, side, time, position = self.number, packet.side, packet.time, packet.position
        if missing:
            yield Chunk(number, side, time, offset - missing, b"", missing, position)
        if known < packet.length:
            data, length = packet.data[known:], packet.length - known
            yield Chunk(number, side, time, offset, data, length, position)

    def _place(self, side: int, seq: int, length: int, position: int) -> tuple[int, int, int]:
        """Return the offset of the first new byte, bytes missing before it, bytes not new."""
        ahead = seq - self.next[side] & SEQUENCE_MASK
        missing, known = (ahead, 0) if ahead < _HALF else (0, SEQUENCE_MASK + 1 - ahead)
        known = min(known, length)
        if missing:
            self._advance(side, missing, position - 1)
        offset = self.offsets[side]
        if missing or known:
            self.odd[position] = (offset, missing, known)
        self._advance(side, length - known, position)
        return offset, missing, known

    def _advance(self, side: int, count: int, position: int) -> None:
        seq = self.next[side] + count
        while seq > SEQUENCE_MASK:
            seq -= SEQUENCE_MASK + 1
            self.wraps[side].append(position)
        self.next[side] = seq
        self.offsets[side] += count

    def _find(self, side: int, seq: int, position: int) -> tuple[int, int, int]:
        odd = self.odd.get(position)
        if odd is not None:
            return odd
        return self.offset(side, seq, position), 0, 0

    def offset(self, side: int, seq: int, position: int) -> int:
        """Return the stream offset of the first byte of an ordinary packet taken before."""
        wraps = bisect_left(self.wraps[side], position)
        return seq + (wraps << 32) - self.origin[side]


def _at(packet: Packet, event: dict[str, Any] | None) -> tuple[int, dict[str, Any] | None, int]:
    return packet.time, event, packet.position


def _ending(packet: Packet, event: dict[str, Any] | None) -> EventKind | None:
    """Return which end of a side or of the connection a packet marks, if any."""
    ending = Ending.read(event)
    if ending is not None and ending.event == "close":
        last = ending.unended[-1] if ending.unended else packet.side
        return "close" if last == packet.side else None
    if ending is not None and ending.event in ("half-close", "reset"):
        return ending.event
    if packet.flags & RST:
        return "reset"
    return "half-close" if packet.flags & FIN else None
