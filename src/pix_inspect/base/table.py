"""Tables as lines of text, which a narrow place can end behind any column but in none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class TableLine(str):
    """A line of a table; `cells` as they were given, `ends` where each column ends."""

    __slots__ = ("cells", "ends")
    cells: Sequence[str]
    ends: Sequence[int]

    def fitted(self, width: int) -> str:
        """Return the line in at most `width` columns: as many cells as fit, `…` for the others."""
        if self.ends[-1] <= width:
            return self
        end = max((end for end in self.ends if end <= width - 2), default=0)
        return f"{self[:end]:<{end}} …" if end else f"{self[: width - 1]}…"


def aligned(table: Sequence[Sequence[str]]) -> Iterator[TableLine]:
    """Yield the lines of a table, the first column flush left and the others right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    ends = [sum(widths[: i + 1]) + 2 * i for i in range(len(widths))]
    for cells in table:
        first, *rest = cells
        padded = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        line = TableLine("  ".join([first.ljust(widths[0]), *padded]).rstrip())
        line.cells, line.ends = cells, ends
        yield line
