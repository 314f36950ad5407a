"""A table of tallies: a line for each operation or connection, sorted by any column.

What is counted changes while one looks; the cursor stays with its row. Columns that do not
fit give way, those of least use first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from pix.dataclass import dataclass
from pix_inspect.analysis.statistics import Tally
from pix_inspect.base.units import count, duration, size
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.screens.charts import bar
from pix_inspect.ui.widgets.lines import Toned
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.row_list import RowList
from pix_inspect.ui.widgets.text import fit, fit_right

LEAST_BAR = 12
WIDE_NAME = 44
"""Cells of bars, and of the first column beside them."""

LEAST_NAME = 18
"""Cells of the first column for which others give way."""

WHOLE = "all"
"""The name of the line that sums up the others; it stays on top."""


@dataclass(slots=True)
class Summed:
    """A line of the table: a tally, its percentiles, and its share of all time."""

    key: Hashable
    label: str
    tally: Tally
    p50: int | None
    p95: int | None
    p99: int | None
    share: float

    @classmethod
    def of(cls, key: Hashable, label: str, tally: Tally, time: int) -> Summed:
        """Return a tally summed up; `time` is that of all exchanges together."""
        p50, p95, p99 = tally.percentiles(50, 95, 99)
        return cls(key, label, tally, p50, p95, p99, tally.total / time if time else 0.0)


Value = Callable[[Summed], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A column: its head, cells, rank (the highest gives way first), value and text."""

    name: str
    head: str
    width: int
    rank: int
    value: Value
    text: Callable[[Summed], str]


def _known(value: int | None) -> float:
    return -1 if value is None else value


MEASURES = (
    Measure("count", "count", 9, 0, lambda s: s.tally.count, lambda s: f"{s.tally.count:,}"),
    Measure("errors", "errors", 7, 2, lambda s: s.tally.errors,
            lambda s: f"✗ {s.tally.errors:,}" if s.tally.errors else "–"),
    Measure("total", "total", 10, 1, lambda s: s.tally.total, lambda s: duration(s.tally.total)),
    Measure("share", "share", 7, 9, lambda s: s.share, lambda s: f"{100 * s.share:.1f} %"),
    Measure("p50", "p50", 8, 5, lambda s: _known(s.p50), lambda s: duration(s.p50)),
    Measure("p95", "p95", 8, 4, lambda s: _known(s.p95), lambda s: duration(s.p95)),
    Measure("p99", "p99", 8, 6, lambda s: _known(s.p99), lambda s: duration(s.p99)),
    Measure("max", "max", 8, 3, lambda s: s.tally.longest, lambda s: duration(s.tally.slowest)),
    Measure("up", "up ↑", 9, 7, lambda s: s.tally.up, lambda s: size(s.tally.up)),
    Measure("down", "down ↓", 9, 8, lambda s: s.tally.down, lambda s: size(s.tally.down)),
)  # fmt: skip

NAME = "name"
FIRST_ORDER = "total"


class Tallies(RowList[Summed]):
    """The table."""

    BOXED = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Show these exchanges", id="tallies.enter"),
        Binding("s", "sort(1)", "Sort", id="tallies.sort"),
        Binding("S", "sort(-1)", "Sort by the column on the left", show=False,
                id="tallies.sort_back"),
        Binding("r", "reverse", "Reverse the order", show=False, id="tallies.reverse"),
        Binding("y", "copy", "Copy the table", show=False, id="tallies.copy"),
    ]  # fmt: skip

    def __init__(self, title: str, head: str, id: str) -> None:
        super().__init__(title, self._cells_of, lambda row: row.key, id)
        self.head = head
        self.order = FIRST_ORDER
        self.reversed = False

    def nothing(self) -> list[str]:
        return [self.empty]

    # What is counted --------------------------------------------------------------------

    def say(self, rows: Sequence[Summed], empty: str) -> None:
        """Show other counts, in order; the cursor stays with its row."""
        rows = sorted(rows, key=lambda row: row.label)
        if self._measure is not None:
            rows.sort(key=self._measure.value, reverse=True)
        if self.reversed:
            rows.reverse()
        rows.sort(key=lambda row: row.label != WHOLE)
        super().say(rows, empty)
        self._refresh_head()
        self._entitle()

    def _entitle(self) -> None:
        """Say how many rows there are, and how many columns there is no room for."""
        hidden = len(MEASURES) - len(self.columns)
        more = f"({count(hidden, 'more column')} on a wider screen)" if hidden else ""
        self.entitle(
            "  ".join(filter(None, (f"{len(self.rows) - 1:,}" if self.rows else "", more)))
        )

    def on_resize(self) -> None:
        self._entitle()

    @property
    def _measure(self) -> Measure | None:
        """What the table is sorted by, None for the names."""
        return next((each for each in MEASURES if each.name == self.order), None)

    def _refresh_head(self) -> None:
        for head in (self.parent or self).query(TallyHead):
            head.refresh()

    # Drawing ----------------------------------------------------------------------------

    @property
    def columns(self) -> list[Measure]:
        fitting = list(MEASURES)
        while len(fitting) > 1:
            used = sum(each.width + 1 for each in fitting)
            if self.inner.width - 1 - used >= LEAST_NAME:
                break
            fitting.remove(max(fitting, key=lambda each: each.rank))
        return fitting

    @property
    def label_width(self) -> int:
        """The cells of the first column, and of the bar behind all where there is room for one."""
        room = self._room
        return room - self.bar_width if self.bar_width else room

    @property
    def bar_width(self) -> int:
        """The cells of the bars, with the space before them; 0 where there is no room."""
        left = self._room - WIDE_NAME
        return left if left >= LEAST_BAR else 0

    @property
    def _room(self) -> int:
        used = sum(each.width + 1 for each in self.columns)
        return max(self.inner.width - 1 - used, 4)

    def _cells_of(self, row: Summed, width: int) -> Iterable[Paragraph]:
        yield ("dim" if row.label == WHOLE else "name"), fit(row.label, self.label_width)
        for each in self.columns:
            failed = each.name == "errors" and row.tally.errors
            tone = "bad" if failed else "text" if each.name == self.order else "number"
            yield tone, " " + fit_right(each.text(row), each.width)
        if self.bar_width:
            yield "accent", "  " + self._bar(row, self.bar_width - 2)

    def _bar(self, row: Summed, width: int) -> str:
        """Return how much a row has of what the table is sorted by, beside the others."""
        measure = self._measure
        if measure is None or row.label == WHOLE:
            return ""
        most = max((measure.value(each) for each in self.rows if each.label != WHOLE), default=0)
        return bar(max(measure.value(row), 0) / most, width) if most > 0 else ""

    def text(self) -> str:
        """Return the whole table as text, columns between tabulators."""
        lines = ["\t".join([self.head, *(each.name for each in MEASURES)])]
        lines += [
            "\t".join([r.label, *(f"{m.value(r):.10g}" for m in MEASURES)]) for r in self.rows
        ]
        return "\n".join(lines) + "\n"

    # Keys and mouse ---------------------------------------------------------------------

    def action_copy(self) -> None:
        self.post_message(Copied("the table", self.text()))

    def action_sort(self, step: int) -> None:
        """Sort by the next column that is shown."""
        names = [NAME, *(each.name for each in self.columns)]
        at = names.index(self.order) if self.order in names else 0
        self.sort_by(names[(at + step) % len(names)])

    def action_reverse(self) -> None:
        self.sort_by(self.order)

    def sort_by(self, name: str) -> None:
        """Sort by a column; by the same once more, the other way round."""
        self.reversed = not self.reversed if name == self.order else False
        self.order = name
        self.say(self.rows, self.empty)


class TallyHead(Toned):
    """The heads of a table's columns; a click sorts."""

    def __init__(self, table: Tallies) -> None:
        super().__init__()
        self.table = table

    def _parts(self) -> list[tuple[str, str, int]]:
        """The columns: name, head with the sign of the order, cells with the space before."""
        table = self.table
        down = table.reversed != (table.order == NAME)
        sign = "▲" if down else "▼"
        parts = [(NAME, f" {table.head}", table.label_width + 1)]
        parts += [(each.name, each.head, each.width + 1) for each in table.columns]
        return [
            (name, head + sign if name == table.order else head, cells)
            for name, head, cells in parts
        ]

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        ground = self.rich_style
        segments = []
        for name, head, cells in self._parts():
            chosen = name == self.table.order
            text = fit(head, cells) if name == NAME else " " + fit_right(head, cells - 1)
            segments.append(Segment(text, self.tone("accent") if chosen else ground))
        return Strip(segments).adjust_cell_length(self.size.width, ground)

    def on_click(self, event: events.Click) -> None:
        """Sort by the column that was clicked."""
        x = event.x
        for name, _, cells in self._parts():
            if x < cells:
                self.table.sort_by(name)
                return
            x -= cells
