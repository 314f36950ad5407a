"""A stretch of one connection as turns: what one side said before the other spoke again.

Nobody pipelines operations, so a turn ends where its speaker thought that it was done. That
says more about a stream that is out of step than any declaration does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pix.dataclass import dataclass, field
from pix_inspect.recording.reader import Chunk, RecordingReader

MOST_TURN = 256 << 10
"""Bytes of a turn that are kept."""

MOST_TURNS = 4096
MOST_REST = 16 << 10
MOST_BEGINNINGS = 256
"""Bytes at the end of a turn in which an operation may begin, and places that are tried."""
BEHIND = 16 << 10
"""Bytes behind the point of interest that are read."""


_NUMBER = re.compile(rb"(?=[\x01-\x7f]\0{7})")
"""A small number that is not zero, which an operation begins with."""


@dataclass(slots=True)
class Turn:
    """`[start, end)` of a side's stream, and as much of it as was kept without a gap."""

    side: int
    start: int
    end: int
    data: bytearray = field(default_factory=bytearray)
    time: int = 0
    """When its last byte passed, in ns since 1970."""

    @property
    def whole(self) -> bool:
        """Whether all of its bytes are there."""
        return len(self.data) == self.end - self.start


class Turns:
    """The turns of a connection from the packet at `position` to a little behind `offset`."""

    def __init__(
        self, reader: RecordingReader, connection: int, position: int, side: int, offset: int
    ) -> None:
        self.all: list[Turn] = []
        self.closed: dict[int, int] = {}
        """When each side's stream ended, if that was seen."""
        for item in reader.read_from(position):
            if item.connection != connection:
                continue
            if not isinstance(item, Chunk):
                if item.kind in ("half-close", "reset") and item.side is not None:
                    self.closed.setdefault(item.side, item.time)
                if item.kind == "close":
                    break
                continue
            if not self.all or self.all[-1].side != item.side:
                if len(self.all) >= MOST_TURNS:
                    break
                if any(turn.end > offset for turn in self.all if turn.side == side) and (
                    item.offset > offset + BEHIND or len(self.all) > MOST_TURNS // 2
                ):
                    break
                self.all.append(Turn(item.side, item.offset, item.offset))
            turn = self.all[-1]
            if turn.whole and len(turn.data) < MOST_TURN:
                turn.data += item.data[: MOST_TURN - len(turn.data)]
            turn.end, turn.time = item.offset + item.length, item.time
            if item.side == side and not turn.whole and item.offset > offset + BEHIND:
                break
        if self.all and self.all[0].start:  # where it began is not known
            del self.all[0]

    def at(self, side: int, offset: int) -> Turn | None:
        """Return the turn that holds a byte."""
        for turn in self.all:
            if turn.side == side and turn.start <= offset < turn.end:
                return turn
        return None

    def is_last_of(self, turn: Turn) -> bool:
        """Whether the speaker of a turn says nothing later."""
        return not any(each.side == turn.side and each.start > turn.start for each in self.all)

    def is_before(self, side: int, offset: int, turn: Turn) -> bool:
        """Whether a side had spoken up to an offset when a turn of the other began."""
        spoken = [each for each in self.all if each.side == side]
        before = self.all[: self.all.index(turn)]
        return (bool(spoken) and spoken[0].start >= offset) or any(
            each.side == side and each.end >= offset for each in before
        )

    def beginnings(self, side: int, after: int, *, over: bool) -> Iterator[tuple[int, bytes]]:
        """Yield where a side may begin an operation behind `after`, and the rest of that turn.

        Unless it is `over`, not in the last turn of all, which may have been cut off where it looks
        like one.

        The rest is what it said from there until the other side spoke. How it was cut into
        packets is not asked.
        """
        for turn in self.all if over else self.all[:-1]:
            if turn.side != side or not turn.whole or turn.end <= after:
                continue
            first = max(after + 1 - turn.start, len(turn.data) - MOST_REST, 0)
            for begun in islice(_NUMBER.finditer(turn.data, first), MOST_BEGINNINGS):
                yield turn.start + begun.start(), bytes(turn.data[begun.start() :])

    def read(self, side: int, start: int, end: int) -> bytes:
        """Return what was kept of `[start, end)`, up to the first gap."""
        out = bytearray()
        for turn in self.all:
            if turn.side == side and turn.start <= start + len(out) < turn.start + len(turn.data):
                at = start + len(out) - turn.start
                out += turn.data[at : at + end - start - len(out)]
        return bytes(out)
