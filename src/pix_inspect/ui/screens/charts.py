"""Charts of block characters: how durations are spread, and operations a second over time.

Each bar can be chosen, and stands for a filter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from pix_inspect.analysis.statistics import BUCKETS
from pix_inspect.base.units import duration
from pix_inspect.ui.widgets.lines import Toned
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.row_list import RowList
from pix_inspect.ui.widgets.text import fit_right

EIGHTHS = " ▏▎▍▌▋▊▉█"
"""A cell filled from its left, in eighths."""
LEVELS = " ▁▂▃▄▅▆▇█"
"""A cell filled from its bottom, in eighths."""

LABEL = 18
COUNTS = 9
"""Cells of a bar's name and of its number."""


def bar(share: float, width: int) -> str:
    """Return a bar that fills `share` of `width` cells, at least a trace if it is not 0."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(min(eighths, width * 8), 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def columns(values: list[int], height: int) -> list[str]:
    """Return `height` lines, the top one first, of columns as high as their values."""
    top = max(values, default=0)
    levels = []
    for value in values:
        level = round(value * height * 8 / top) if top else 0
        levels.append(max(level, 1) if value else 0)
    return [
        "".join(LEVELS[max(0, min(8, level - 8 * row))] for level in levels)
        for row in range(height - 1, -1, -1)
    ]


def bound(ns: int) -> str:
    """Return a bound of the histogram as a filter writes it."""
    for unit, factor in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)):
        if ns >= factor:
            return f"{ns / factor:g}{unit}"
    return f"{ns}ns"


class Histogram(RowList[tuple[int, int]]):
    """How many exchanges took how long: a bar for each order of magnitude and its third.

    A row is a bar's place among BUCKETS, and its times.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Show these exchanges", id="histogram.enter"),
    ]

    def __init__(self) -> None:
        super().__init__("Durations", self._cells_of, lambda bar: bar[0], id="durations")

    def show(self, bars: list[int], about: str) -> None:
        """Show other counts, one for each of BUCKETS and one for the rest."""
        full = [at for at, times in enumerate(bars) if times]
        shown = range(full[0], full[-1] + 1) if full else ()
        self.say([(at, bars[at]) for at in shown], "Nothing is over yet.")
        self.entitle(about)

    @property
    def filter(self) -> str:
        """The filter that the chosen bar stands for."""
        return filter_of(self.chosen[0]) if self.chosen is not None else ""

    def _cells_of(self, row: tuple[int, int], width: int) -> Iterable[Paragraph]:
        at, times = row
        room = max(width - LABEL - COUNTS - 2, 4)
        yield "number", fit_right(_label(at), LABEL)
        yield "accent", " " + bar(times / max(times for _, times in self.rows), room)
        yield "text", " " + fit_right(f"{times:,}", COUNTS)


def filter_of(at: int) -> str:
    """Return the filter that a place among BUCKETS stands for."""
    limits = [f"took >= {bound(BUCKETS[at - 1])}"] if at else []
    limits += [f"took < {bound(BUCKETS[at])}"] if at < len(BUCKETS) else []
    return " and ".join(limits)


def _label(at: int) -> str:
    if not at:
        return f"below {duration(BUCKETS[0])}"
    if at == len(BUCKETS):
        return f"{duration(BUCKETS[-1])} and more"
    return f"{duration(BUCKETS[at - 1])} – {duration(BUCKETS[at])}"


class Rate(Toned, can_focus=True):
    """Operations a second over time."""

    TITLE = "Operations a second"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "move(1)", "Later", show=False, id="rate.later"),
        Binding("left,h", "move(-1)", "Earlier", show=False, id="rate.earlier"),
        Binding("home,g", "move(-1000000)", "Beginning", show=False, id="rate.first"),
        Binding("end,G", "move(1000000)", "End", show=False, id="rate.last"),
        Binding("enter", "enter", "Show these exchanges", id="rate.enter"),
    ]

    class Entered(Message):
        """The user wants the exchanges of the chosen stretch of time."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor = 0
        self._seconds = 1.0
        self._counts: list[int] = []
        self._lines: list[str] = []
        self._drawn: Size | None = None
        self._about = ""

    @property
    def bars(self) -> int:
        """How many bars there is room for."""
        return max(self.size.width - 10, 8)

    def say(self, seconds: float, counts: list[int], about: str) -> None:
        """Show how many exchanges began in each stretch of so many seconds."""
        self._seconds, self._counts = seconds, counts
        self._about = about
        self.cursor = min(self.cursor, max(len(counts) - 1, 0))
        self._drawn = None
        self._entitle()
        self.refresh()

    def on_mount(self) -> None:
        self._entitle()

    def _entitle(self) -> None:
        words = [self.TITLE, self._about]
        if self.has_focus and self._counts:
            start = self.cursor * self._seconds
            words.append(f"{self._counts[self.cursor]:,} at {duration(int(start * 1e9))}")
        self.border_title = Content("  ".join(word for word in words if word))

    @property
    def filter(self) -> str:
        """The filter that the chosen stretch of time stands for."""
        start, end = self.cursor * self._seconds, (self.cursor + 1) * self._seconds
        return f"time >= {start:.9f}".rstrip("0").rstrip(".") + (
            f"s and time < {end:.9f}".rstrip("0").rstrip(".") + "s"
        )

    def render_line(self, y: int) -> Strip:
        """Return a line of columns, or the axis below them."""
        width, height = self.size
        ground = self.rich_style
        if not self._counts or height < 3:
            text = "Nothing has passed yet." if not self._counts and y == 0 else ""
            return Strip([Segment(text, self.tone("dim"))]).adjust_cell_length(width, ground)
        if self._drawn != self.size:
            self._drawn = self.size
            stretched = self._stretched()
            self._lines = columns(stretched, height - 1)
        if y >= height - 1:
            return self._axis().adjust_cell_length(width, ground)
        label = ""
        if y == 0:
            top = max(self._counts) / self._seconds
            label = f"{top:,.0f}" if top >= 100 else f"{top:.3g}"
        elif y == height - 2:
            label = "0"
        segments = [
            Segment(fit_right(label, 8), self.tone("dim")),
            Segment("┤" if label else "│", self.tone("dim")),
        ]
        line = self._lines[y]
        if not self.has_focus:
            segments.append(Segment(line, self.tone("accent")))
        else:
            first, last = self._cells(self.cursor)
            segments += [
                Segment(line[:first], self.tone("accent")),
                Segment(line[first:last], self.tone("lit")),
                Segment(line[last:], self.tone("accent")),
            ]
        return Strip(segments).adjust_cell_length(width, ground)

    def _cells(self, i: int) -> tuple[int, int]:
        """Return the first cell of a bar and the one behind it."""
        count, width = len(self._counts), self.bars
        first, last = -(-i * width // count), -(-(i + 1) * width // count)
        return first, max(last, first + 1)

    def _stretched(self) -> list[int]:
        """Return the counts, one for each cell."""
        width, count = self.bars, len(self._counts)
        return [self._counts[min(cell * count // width, count - 1)] for cell in range(width)]

    def _axis(self) -> Strip:
        end = duration(int(len(self._counts) * self._seconds * 1e9))
        room = max(self.bars - len(end) - 1, 0)
        return Strip([Segment(" " * 8 + "└0" + "─" * (room - 1) + " " + end, self.tone("dim"))])

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show which bar is chosen, while keys choose."""
        super().watch_has_focus(has_focus)
        self._entitle()
        self.refresh()

    def action_move(self, bars: int) -> None:
        self.cursor = max(0, min(self.cursor + bars, len(self._counts) - 1))
        self._entitle()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Choose the bar that was clicked; a second click shows its exchanges."""
        offset = event.get_content_offset(self)
        if offset is None or not self._counts or offset.x < 9:
            return
        cell = min(offset.x - 9, self.bars - 1)
        self.cursor = min(cell * len(self._counts) // self.bars, len(self._counts) - 1)
        self._entitle()
        self.refresh()
        if event.chain == 2:
            self.action_enter()

    def action_enter(self) -> None:
        """Show the exchanges of the stretch in the timeline."""
        if self._counts:
            self.post_message(self.Entered())
