"""The dialog in which columns are chosen, and the one to sort by.

Everything shows in the timeline behind it at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from pix_inspect.ui.timeline import columns
from pix_inspect.ui.timeline.columns import COLUMNS
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.text import fit

if TYPE_CHECKING:
    from pix_inspect.ui.timeline.timeline import Timeline

WORDS = {
    "number": "number, in order of start",
    "time": "time of the start",
    "connection": "connection",
    "state": "how it ended",
    "operation": "operation",
    "about": "what it is about",
    "took": "duration",
    "up": "bytes from the client",
    "down": "bytes from the daemon",
    "frames": "log frames",
    "lane": "waterfall",
}
ALWAYS = frozenset(["number", "state", "operation", "about"])
"""Columns that cannot be hidden: without them a line says nothing."""


class ColumnList(Lines):
    """The columns: which are shown, and by which is sorted."""

    TITLE = "Columns and order"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "flip", "Show or hide", id="columns.flip"),
        Binding("enter,s", "sort", "Sort by it; again, the other way round", id="columns.sort"),
        Binding("b", "group", "Group by connection, or not", id="columns.group"),
    ]

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(id="column-list")
        self.timeline = timeline

    @property
    def count(self) -> int:
        """The columns, and the grouping."""
        return len(COLUMNS)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        column, rows, lines = COLUMNS[line], self.timeline.rows, self.timeline.lines
        shown = column.name not in lines.painter.hidden
        fixed = column.name in ALWAYS
        box = " ●  " if fixed else "[x] " if shown else "[ ] "
        yield Segment(box, self.tone("dim" if fixed else "accent" if shown else "dim"))
        fits = any(column is each for each, _ in lines.columns)
        yield Segment(fit(WORDS[column.name], 28), self.tone("text" if shown else "dim"))
        if column.name == rows.sorted_by or (
            column is columns.NUMBER and not rows.sorted_by and not rows.grouped
        ):
            order = "▼" if rows.descending and rows.sorted_by else "▲"
            yield Segment(f" {order} sorted", self.tone("mark"))
        elif column is columns.CONNECTION and rows.grouped:
            yield Segment(" grouped", self.tone("mark"))
        elif shown and not fits:
            yield Segment(" no room now", self.tone("dim"))

    def action_flip(self) -> None:
        """Show or hide the column."""
        name = COLUMNS[self.cursor].name
        if name not in ALWAYS:
            self.timeline.hide(self.timeline.painter.hidden ^ {name})
            self.redraw()

    def action_sort(self) -> None:
        """Sort by the column, or the other way round."""
        if self.timeline.click_head(COLUMNS[self.cursor].name):
            self.redraw()
        else:
            self.app.notify("by this column nothing can be sorted", markup=False)

    def action_group(self) -> None:
        """Group by connection, or not."""
        self.timeline.action_group()
        self.redraw()

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Choose a column; a click on its box flips it, a second click sorts."""
        self.move_to(line)
        if x < 4:
            self.action_flip()
        elif chain == 2:
            self.action_sort()


class ColumnDialog(Guarded, ModalScreen[None]):
    """Which columns, in which order."""

    TITLE = "Columns and order"
    DEFAULT_CSS = """
    ColumnDialog { align: center middle; background: $background 30%; }
    #column-dialog {
        width: 52; max-width: 100%; height: 16; max-height: 100%;
        border: heavy $accent; padding: 0 1; background: $surface;
    }
    #column-title { text-style: bold; height: 1; margin-bottom: 1; }
    #column-list { background: $surface; }
    #column-keys {
        height: 1; color: $foreground 55%; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="columns.help"),
        Binding("escape,q,c", "dismiss", "Back", key_display="esc", id="columns.back"),
    ]

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self._timeline = timeline

    def compose(self) -> ComposeResult:
        """Lay out the list and its keys."""
        with Vertical(id="column-dialog"):
            yield Static(Content("Columns and order"), id="column-title")
            yield ColumnList(self._timeline)
            keys = {"flip": ("space", "show"), "sort": ("enter", "sort"), "group": ("b", "group"),
                    "back": ("esc", "back")}  # fmt: skip
            said = (
                f"{pressed(self.app, f'columns.{name}', usual)} {does}"
                for name, (usual, does) in keys.items()
            )
            yield Static(Content("  ".join(said)), id="column-keys")
