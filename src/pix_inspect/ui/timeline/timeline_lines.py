"""The timeline's lines: they scroll below the heads of their columns and have a cursor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from pix.dataclass import dataclass
from pix_inspect.ui.timeline import columns
from pix_inspect.ui.timeline.columns import Column
from pix_inspect.ui.timeline.marks import Marks
from pix_inspect.ui.timeline.row_painter import RowPainter
from pix_inspect.ui.timeline.rows import Rows
from pix_inspect.ui.widgets.lines import Lines, Toned
from pix_inspect.ui.widgets.text import fit, fit_right, safe


class TimelineLines(Lines):
    """A line for each row. `placed` is called when the cursor was put on a line."""

    def __init__(
        self,
        rows: Rows,
        marks: Marks,
        now: Callable[[], int],
        placed: Callable[[], None],
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.rows = rows
        self.painter = RowPainter(rows, marks, self, now)
        self.head = TimelineHead(self)
        self.waiting: list[str] = []
        """What to say while there is nothing."""
        self._placed = placed
        self.layout_drawn: Hashable = None
        self.moving = False
        """Whether an exchange went on of those that were drawn last."""

    @property
    def count(self) -> int:
        return len(self.rows)

    def nothing(self) -> list[str]:
        """Say how to get something to look at."""
        return self.waiting

    @property
    def columns(self) -> list[tuple[Column, int]]:
        """The columns that fit, with their cells."""
        return self.painter.columns(self.inner.width - 1)

    @property
    def in_sight(self) -> range:
        """The lines that are visible."""
        top = round(self.scroll_y)
        return range(top, min(top + self.inner.height, self.count))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return visible lines, all in the same columns: these are settled before any is drawn."""
        layout = self.painter.layout(self.inner.width - 1)
        if layout != self.layout_drawn:
            self.layout_drawn = layout
            self._strips.clear()
            self.head.refresh()
            self.call_later(self.refresh)
        self.painter.columns(self.inner.width - 1)
        self.painter.measure(self.in_sight)
        self.moving = any(row.took is None for row in self.painter.rows(self.in_sight))
        return super().render_lines(crop)

    def key(self, line: int) -> Hashable:
        """Strips of exchanges that are over are kept."""
        return self.painter.key(line)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of an exchange's line, or the head of a connection."""
        return self.painter.segments(line, width, at_cursor=line == self.cursor)

    def move_to(self, line: int, *, tell: bool = True) -> None:
        super().move_to(line, tell=tell)
        self._placed()


class TimelineHead(Toned):
    """The heads of the timeline's columns."""

    @dataclass(eq=False)
    class Chosen(Message):
        """A column's head was clicked."""

        column: str

    def __init__(self, lines: TimelineLines) -> None:
        super().__init__()
        self.lines = lines

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        rows, clock = self.lines.rows, self.lines.painter.clock
        words = [" "]
        for i, (column, cells) in enumerate(self.lines.columns):
            head = column.head
            if column is columns.TIME and clock != "relative":
                head = {"delta": "delta", "absolute": "clock", "marked": "since ◆"}[clock]
            if column.name == rows.sorted_by:
                head = f"{head.removesuffix(' ↑').removesuffix(' ↓')} {'▼▲'[not rows.descending]}"
            words.append((" " if i else "") + (fit_right if column.right else fit)(head, cells))
        text = safe("".join(words))
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(
            self.size.width, self.rich_style
        )

    def on_click(self, event: events.Click) -> None:
        """Have the timeline sorted by the column that was clicked."""
        left = 1
        for column, cells in self.lines.columns:
            if left <= event.x < left + cells:
                self.post_message(self.Chosen(column.name))
            left += cells + 1
