"""What a recording kept of one side of one exchange: pieces of the stream and the gaps.

Small exchanges are held in memory. Of large ones only the places are, and bytes are read
again from the recording when they are asked for, so that looking at an exchange with a large
payload takes little memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from pix_inspect.recording.reader import Chunk, RecordingReader

MOST_HELD = 8 << 20
"""Bytes of a side of an exchange that are held in memory."""
READ_AGAIN = 1 << 16
"""Bytes that are read again at once."""


class Kept:
    """The kept bytes of a side, in order of their stream offsets.

    `end` is the offset after the last byte that passed.
    """

    def __init__(self, reader: RecordingReader, connection: int, side: int) -> None:
        self.end = 0
        self._reader = reader
        self._connection = connection
        self._side = side
        self._starts: array[int] = array("Q")
        self._lengths: array[int] = array("Q")
        self._positions: array[int] = array("Q")
        self._held: list[bytes] = []
        self._room = MOST_HELD
        self._again: tuple[int, list[bytes]] = (0, [])
        """Pieces that were read again, from such a one on: who wants one mostly wants the next."""
        self._latest: tuple[int, int, bytes] = (0, 0, b"")
        """The piece of which something was wanted last: its start, its end, its bytes."""

    def add(self, offset: int, data: bytes, length: int, position: int) -> None:
        """Add what was kept of `length` bytes at `offset`, from the packet at `position`."""
        if data:
            if self._room > 0:
                self._room -= len(data)
                self._held.append(data)
            self._lengths.append(len(data))
            self._positions.append(position)
            self._starts.append(offset)  # last: a thread may read while another adds
        self.end = max(self.end, offset + length)

    def _piece(self, i: int) -> bytes:
        if i < len(self._held):
            return self._held[i]
        first, again = self._again
        if not 0 <= i - first < len(again):
            first, again = self._again = (i, self._read_again(i))
        return again[i - first]

    def _read_again(self, i: int) -> list[bytes]:
        """Return piece `i` and those behind it, READ_AGAIN bytes or a few more."""
        found: list[bytes] = []
        left = READ_AGAIN
        for item in self._reader.read_from(self._positions[i]):
            if not isinstance(item, Chunk) or item.connection != self._connection:
                continue
            if item.position > self._positions[i]:
                break
            cut = self._starts[i] - item.offset
            if item.side != self._side or not 0 <= cut < len(item.data):
                continue
            found.append(item.data[cut : cut + self._lengths[i]])
            left -= self._lengths[i]
            i += 1
            if left <= 0 or i == len(self._starts):
                break
        return found or [b""]

    def pieces(self, start: int, end: int) -> list[tuple[int, int, int | None]]:
        """Return `[start, end)` as `(offset, end, piece)`; the piece is None for a gap."""
        out: list[tuple[int, int, int | None]] = []
        at = start
        i = max(bisect_right(self._starts, start) - 1, 0)
        while at < end and i < len(self._starts):
            piece_start = self._starts[i]
            piece_end = piece_start + self._lengths[i]
            if piece_start >= end:
                break
            if piece_end > at:
                if piece_start > at:
                    out.append((at, piece_start, None))
                    at = piece_start
                stop = min(piece_end, end)
                out.append((at, stop, i))
                at = stop
            i += 1
        if at < end:
            out.append((at, end, None))
        return out

    def read(self, start: int, end: int) -> list[tuple[int, bytes | None]]:
        """Return `[start, end)` as pieces `(offset, bytes)`, None where bytes were elided.

        A gap's length is the distance to the next piece, or to `end`.
        """
        out: list[tuple[int, bytes | None]] = []
        for at, stop, i in self.pieces(start, end):
            if i is None:
                out.append((at, None))
            else:
                origin = self._starts[i]
                out.append((at, self._piece(i)[at - origin : stop - origin]))
        return out

    def position(self, offset: int) -> int:
        """Return where in the file the packet stands that holds a byte, or the last before it; 0
        where there is none.
        """
        i = bisect_right(self._starts, offset) - 1
        return self._positions[i] if i >= 0 else 0

    def count(self, start: int, end: int) -> int:
        """Return how many of the bytes `[start, end)` were kept."""
        return sum(stop - at for at, stop, i in self.pieces(start, end) if i is not None)

    def whole(self, start: int, end: int) -> bytes | None:
        """Return the bytes `[start, end)`, None when some of them were elided."""
        pieces = self.read(start, end)
        if any(data is None for _, data in pieces):
            return None
        return b"".join(data for _, data in pieces if data is not None)

    def first(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` on, up to `end` or the first elided byte."""
        origin, stop, data = self._latest
        if origin <= start and end <= stop:
            return data[start - origin : end - origin]
        within = bisect_right(self._starts, start) - 1
        if within >= 0 and end <= (origin := self._starts[within]) + self._lengths[within]:
            data = self._piece(within)
            self._latest = (origin, origin + len(data), data)
            return data[start - origin : end - origin]
        out = []
        for at, stop, i in self.pieces(start, end):
            if i is None:
                break
            origin = self._starts[i]
            out.append(self._piece(i)[at - origin : stop - origin])
        return b"".join(out)
