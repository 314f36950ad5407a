"""The bytes of one exchange as lines: both directions, stretches that were not kept as one line."""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal, TypeAlias

from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass
from pix_inspect.session.exchange_view import ExchangeView

LineKind: TypeAlias = Literal["head", "bytes", "elided", "none"]

PROBE = 1 << 20
"""Bytes that are looked at in one go for what was not kept."""


@dataclass(frozen=True, slots=True)
class ByteLine:
    """One line: the head of a side, up to `per_line` bytes, or a stretch not kept.

    `[start, end)` are offsets into the side's stream.
    """

    kind: LineKind
    side: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Section:
    first: int
    lines: int
    kind: LineKind
    side: int
    start: int
    end: int


class ByteLines:
    """The lines of an exchange's bytes, `per_line` a line; counted, not made."""

    def __init__(self, view: ExchangeView, per_line: int) -> None:
        self.view = view
        self.per_line = per_line
        self._sections: list[_Section] = []
        self._count = 0
        for side in (CLIENT, DAEMON):
            start, end = view.span(side)
            if end <= start:
                continue
            self._add("head", side, start, end, 1)
            for kept, first, last in _stretches(view, side, start, end):
                lines = -(-(last - first) // per_line) if kept else 1
                self._add("bytes" if kept else "elided", side, first, last, lines)

    def _add(self, kind: LineKind, side: int, start: int, end: int, lines: int) -> None:
        self._sections.append(_Section(self._count, lines, kind, side, start, end))
        self._count += lines

    def __len__(self) -> int:
        return self._count

    def _section(self, number: int) -> _Section:
        at = bisect_right(self._sections, number, key=lambda section: section.first) - 1
        return self._sections[at]

    def line(self, number: int) -> ByteLine:
        """Return a line. Raises IndexError."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        section = self._section(number)
        if section.kind != "bytes":
            return ByteLine(section.kind, section.side, section.start, section.end)
        start = section.start + (number - section.first) * self.per_line
        end = min(start + self.per_line, section.end)
        return ByteLine("bytes", section.side, start, end)

    def find(self, side: int, offset: int) -> int | None:
        """Return the line on which a byte stands, or that stands for it."""
        for section in self._sections:
            if section.kind == "head" or section.side != side:
                continue
            if section.start <= offset < section.end:
                if section.kind == "elided":
                    return section.first
                return section.first + (offset - section.start) // self.per_line
        return None

    def near(self, side: int, offset: int) -> int | None:
        """Return the line of a byte; behind a side's last one, that one's; else the head."""
        for at in (offset, offset - 1):
            line = self.find(side, at)
            if line is not None:
                return line
        heads = (s.first for s in self._sections if s.kind == "head" and s.side == side)
        return next(heads, None)

    def first_byte(self) -> tuple[int, int] | None:
        """Return the side and offset of the first byte there is."""
        for section in self._sections:
            if section.kind != "head":
                return section.side, section.start
        return None

    def last_byte(self) -> tuple[int, int] | None:
        """Return the side and offset of the last byte there is."""
        if not self._sections or self._sections[-1].kind == "head":
            return None
        return self._sections[-1].side, self._sections[-1].end - 1

    def moved(self, side: int, offset: int, lines: int) -> tuple[int, int]:
        """Return the byte some lines away in the same column, as near as there is one."""
        number = self.find(side, offset)
        if number is None:
            return self.first_byte() or (side, offset)
        line = self.line(number)
        column = offset - line.start if line.kind == "bytes" else 0
        step = 1 if lines > 0 else -1
        target = max(0, min(number + lines, self._count - 1))
        while 0 <= target < self._count and self.line(target).kind == "head":
            target += step
        if not 0 <= target < self._count:
            return side, offset
        found = self.line(target)
        if found.kind == "elided":
            return found.side, found.start
        return found.side, min(found.start + column, found.end - 1)

    def beside(self, side: int, offset: int, bytes_: int) -> tuple[int, int]:
        """Return the byte some bytes further on; stretches not kept count as one byte."""
        number = self.find(side, offset)
        if number is None:
            return self.first_byte() or (side, offset)
        line = self.line(number)
        target = offset + bytes_
        if line.kind == "elided":
            target = line.end if bytes_ > 0 else line.start - 1
        start, end = self.view.span(side)
        if start <= target < end:
            where = self.find(side, target)
            found = self.line(where) if where is not None else None
            if found is not None and found.kind == "elided":
                return side, found.start
            return side, target
        other = 1 - side
        first, last = self.view.span(other)
        if last <= first:
            return side, offset
        if bytes_ > 0 and side == CLIENT:
            return other, first
        if bytes_ < 0 and side == DAEMON:
            return other, last - 1
        return side, offset


def _stretches(view: ExchangeView, side: int, start: int, end: int) -> list[tuple[bool, int, int]]:
    """Return what was kept and what was not, as stretches in order."""
    found: list[tuple[bool, int, int]] = []
    at = start
    while at < end:
        stop = min(at + PROBE, end)
        pieces = view.bytes(side, at, stop)
        for i, (offset, data) in enumerate(pieces):
            last = pieces[i + 1][0] if i + 1 < len(pieces) else stop
            kept = data is not None
            if found and found[-1][0] == kept:
                found[-1] = (kept, found[-1][1], last)
            else:
                found.append((kept, offset, last))
        at = stop
    return found
