"""One connection of a recording, turned into the blocks of a synthetic TCP stream.

Comments are the objects of `pix_inspect.recording.notes`. A packet whose data is not all there is
elision when it has no `lost`. The flag PSH marks the last packet of a chunk.
"""

from struct import Struct
from typing import Any

from pix.dataclass import dataclass
from pix_inspect.recording.lookalikes import FIRST, cut_of
from pix_inspect.recording.notes import EVENT, LOST, Continuation, Ending, Lost
from pix_inspect.recording.pcapng import (
    IF_DESCRIPTION,
    IF_NAME,
    LINKTYPE_RAW,
    PACKET_BODY,
    TIME_AT,
    comment,
    interface_description,
    json_text,
    packet,
    packet_frame,
)
from pix_inspect.recording.tcp_headers import (
    ACK,
    CLIENT_PORTS,
    DIRECTIONS,
    FIN,
    HEADERS,
    LARGEST_SEGMENT,
    PSH,
    RST,
    SEQUENCE_AT,
    SEQUENCE_MASK,
    SYN,
    WINDOW,
    Way,
)

MOST_UNCONFIRMED = 256
"""Packets in a row from one side before the other acknowledges: Wireshark walks the list of
unacknowledged segments at every packet."""

MOST_NOTES = 16
"""Notes that wait for a packet."""

Parts = list[bytes | memoryview]
"""Whole blocks when joined."""

Frame = tuple[bytes, bytes, bytes, bytes]
"""A packet without its time, sequence numbers and data."""

BEGIN = Struct(f"<{TIME_AT}sII")
"""What comes before the time, its high and its low half."""
MIDST = Struct(f">{PACKET_BODY - TIME_AT - 8 + SEQUENCE_AT}sII{HEADERS - SEQUENCE_AT - 8}s")
"""What comes before the sequence number, that, the acknowledgement, the rest of the headers."""

MOST_FRAMES = 32
"""Packets come again and again in few lengths; so many are remembered."""

_FLAGS = ACK | PSH


@dataclass(slots=True)
class Loss:
    """Bytes of one side that passed and were not recorded, in one run."""

    kept: int
    """Bytes that should have been kept."""
    length: int
    """Bytes that passed."""
    chunks: int
    first: int
    last: int
    """Times of the first and last chunk, ns since 1970."""
    why: str
    sealed: bool = False
    """The writer has taken it: nothing more is added."""
    stated: bool = False
    """Its first part is written, with the comment that says all this."""


class Track:
    """A connection as packets; every method appends whole blocks to `out`."""

    def __init__(self, number: int, port: int, opened: dict[str, Any], description: str) -> None:
        self.number = number
        self.port = port
        self.opened = opened
        """The comment of the SYN."""
        self.offsets = [0, 0]
        """Bytes passed so far, by side."""
        self.ended: list[str | None] = [None, None]
        """By side: None, "half-close" or "reset"."""
        self.closed = False
        self._description = description
        self._interface = 0
        self._ways = (Way(0, port), Way(1, port))
        # A port that is used again must begin elsewhere, or Wireshark takes it for the same stream.
        self._isn = ((number - 1) // len(CLIENT_PORTS)) << 16
        self._seq = [self._isn, self._isn]
        self._finished = [False, False]
        self._notes: list[bytes] = []
        self._last_side = 0
        self._in_a_row = 0
        self._window = WINDOW
        self._frames: tuple[dict[int, Frame], dict[int, Frame]] = ({}, {})

    def begin(self, interface: int, time: int, out: Parts) -> None:
        """Write the interface and the handshake."""
        self._open(interface, time, out, {EVENT: "open", **self.opened})

    def resume(self, interface: int, time: int, out: Parts, state: dict[str, Any] | None) -> None:
        """Write them again in a new file, from the present offsets on, with the tap's `state`."""
        continues = Continuation.of(offsets=list(self.offsets), state=state)
        opened = {EVENT: "open", **self.opened, "continues": continues}
        if json_text(opened) is None:
            continues["state"] = None
        ended, self.ended = self.ended, [None, None]
        self._open(interface, time, out, opened)
        for side, how in enumerate(ended):
            if how is not None:
                self._end(side, time, how, out)

    def _open(self, interface: int, time: int, out: Parts, opened: dict[str, Any]) -> None:
        self._interface = interface
        for frames in self._frames:
            frames.clear()
        name = b"conn-%d" % self.number
        options = [(IF_NAME, name), (IF_DESCRIPTION, self._description.encode("utf-8", "replace"))]
        out.append(interface_description(LINKTYPE_RAW, options))
        self._finished = [False, False]
        self._seq = [(self._isn + offset) & SEQUENCE_MASK for offset in self.offsets]
        first, second = self._ways
        syn = first.syn(SYN, self._seq[0], 0)
        self._packet(0, time, syn, out, opened)
        self._seq[0] = self._seq[0] + 1 & SEQUENCE_MASK
        self._packet(1, time, second.syn(SYN | ACK, self._seq[1], self._seq[0]), out)
        self._seq[1] = self._seq[1] + 1 & SEQUENCE_MASK
        self._bare(0, time, ACK, out)

    def chunk(self, side: int, time: int, kept: bytes, length: int, out: Parts) -> None:
        """Write `length` bytes that `side` sent at `time`, of which the first are `kept`."""
        if (
            self._notes
            or self.ended[side]
            or not len(kept) <= length <= LARGEST_SEGMENT
            or (kept and kept[0] in FIRST and cut_of(kept, length))
        ):
            self._pieces(side, time, kept, length, out)
        elif length:
            self._segment(side, time, kept, length, _FLAGS, out)

    def lose(self, side: int, loss: Loss, out: Parts, most: int) -> bool:
        """Write packets without data for up to `most` bytes of `loss`; return whether it is done.

        `loss.length` shrinks by what was written, so that a long loss can be written in parts.
        """
        length = min(loss.length, most)
        if not loss.stated:
            loss.stated = True
            lost = Lost(loss.kept, loss.length, loss.chunks, loss.last, loss.why)
            self._notes.append(comment({LOST: lost.json()}))
        self._pieces(side, loss.first, b"", length, out)
        loss.length -= length
        return loss.length <= 0

    def half_close(self, side: int, time: int, out: Parts) -> None:
        """Write that `side` will send no more."""
        if not self.closed and self.ended[side] is None:
            self._end(side, time, "half-close", out)

    def reset(self, side: int, time: int, out: Parts) -> None:
        """Write that `side` hung up."""
        if not self.closed and self.ended[side] != "reset":
            self._end(side, time, "reset", out)

    def note(self, text: bytes, time: int, out: Parts) -> None:
        """Put the JSON `text` on the connection's next packet; if many wait, on one of its own."""
        self._notes.append(text)
        if len(self._notes) >= MOST_NOTES:
            self._update(time, out)

    def remark(self, text: bytes, time: int, out: Parts) -> None:
        """Put the JSON `text` on a packet of its own: nothing else may come for long."""
        self._notes.append(text)
        self._update(time, out)

    def close(self, time: int, out: Parts) -> None:
        """Write that both sides are gone; a side that did not say so gets a FIN all the same."""
        if self.closed:
            return
        unended = [side for side in (0, 1) if self.ended[side] is None]
        for side in unended:
            self._fin(side, time, out, Ending.of(event="close", unended=unended))
        if not unended:
            self._update(time, out, Ending.of(event="close"))
        self.closed = True

    def _update(self, time: int, out: Parts, about: dict[str, Any] | None = None) -> None:
        # A window that changes keeps Wireshark from calling it a duplicate acknowledgement.
        self._window = WINDOW - 1 if self._window == WINDOW - 2 else WINDOW - 2
        self._bare(0, time, ACK, out, about, self._window)

    def _end(self, side: int, time: int, how: str, out: Parts) -> None:
        about = Ending.of(event=how, side=side)
        if how == "reset":
            self._bare(side, time, RST | ACK, out, about)
        else:
            self._fin(side, time, out, about)
        self.ended[side] = how

    def _fin(self, side: int, time: int, out: Parts, about: dict[str, Any]) -> None:
        self._bare(side, time, FIN | ACK, out, about)
        self._finished[side] = True
        self._seq[side] = self._seq[side] + 1 & SEQUENCE_MASK

    def _bare(
        self,
        side: int,
        time: int,
        flags: int,
        out: Parts,
        about: dict[str, Any] | None = None,
        window: int = WINDOW,
    ) -> None:
        self._last_side = side
        self._in_a_row = 0
        data = self._ways[side].headers(flags, self._seq[side], self._seq[1 - side], 0, window)
        self._packet(side, time, data, out, about)

    def _packet(
        self,
        side: int,
        time: int,
        data: bytes,
        out: Parts,
        about: dict[str, Any] | None = None,
        length: int = 0,
    ) -> None:
        comments = [comment(about)] if about else []
        comments += self._notes
        self._notes = []
        size = max(len(data), HEADERS + length)
        out.append(packet(self._interface, time, data, size, DIRECTIONS[side], comments))

    def _pieces(self, side: int, time: int, kept: bytes, length: int, out: Parts) -> None:
        if self._finished[side]:  # it speaks after all: take its FIN back
            self._finished[side] = False
            self._seq[side] = self._seq[side] - 1 & SEQUENCE_MASK
            self.ended[side] = None
        view = memoryview(kept)
        length = max(length, len(kept))
        done = 0
        while done < length:
            left = length - done
            size = cut_of(view[done:], left) or min(LARGEST_SEGMENT, left)
            piece = view[done : done + size]
            done += size
            flags = _FLAGS if done == length else ACK
            if self._notes:
                head = self._ways[side].headers(flags, self._seq[side], self._seq[1 - side], size)
                self._last_side = side
                self._in_a_row = 0
                self._packet(side, time, head + piece, out, None, size)
                self._advance(side, size)
            else:
                self._segment(side, time, piece, size, flags, out)

    def _segment(
        self, side: int, time: int, kept: bytes | memoryview, length: int, flags: int, out: Parts
    ) -> None:
        """Write a packet without comments: what `_packet` would, but this runs for every chunk."""
        if side == self._last_side:
            self._in_a_row += 1
            if self._in_a_row >= MOST_UNCONFIRMED:
                self._bare(1 - side, time, ACK, out)
                self._last_side = side
        else:
            self._last_side = side
            self._in_a_row = 0
        seq = self._seq
        here = seq[side]
        alike = ((len(kept) << 16) + length << 8) + flags
        begin, middle, end, tail = self._frames[side].get(alike) or self._frame(
            side, len(kept), length, flags, alike
        )
        out += (
            BEGIN.pack(begin, time >> 32, time & SEQUENCE_MASK),
            MIDST.pack(middle, here, seq[1 - side], end),
            kept,
            tail,
        )
        seq[side] = here + length & SEQUENCE_MASK
        self.offsets[side] += length

    def _frame(self, side: int, kept: int, length: int, flags: int, alike: int) -> Frame:
        """Return what is alike in all packets of these lengths: the bytes around what differs."""
        headers = self._ways[side].headers(flags, 0, 0, length)
        head, tail = packet_frame(
            self._interface, HEADERS + kept, HEADERS + length, DIRECTIONS[side]
        )
        frame = (
            head[:TIME_AT],
            head[TIME_AT + 8 :] + headers[:SEQUENCE_AT],
            headers[SEQUENCE_AT + 8 :],
            tail,
        )
        frames = self._frames[side]
        if len(frames) >= MOST_FRAMES:
            frames.clear()
        frames[alike] = frame
        return frame

    def _advance(self, side: int, size: int) -> None:
        self._seq[side] = self._seq[side] + size & SEQUENCE_MASK
        self.offsets[side] += size
