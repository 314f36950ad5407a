"""The screen of differences: two exchanges of a recording, field by field.

One line for each field that is different, then all that is the same is named in the head.
Fields whose values differ from run to run (times, ids) are left out until they are wanted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Footer

from pix_inspect.base.units import count, duration
from pix_inspect.compare.changes import VOLATILE, Change
from pix_inspect.compare.changes_text import parted, shown
from pix_inspect.compare.exchanges import compare_exchanges
from pix_inspect.describe.about import about
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.widgets.lines import Lines, Toned
from pix_inspect.ui.widgets.text import fit, safe

LEAST_CELLS = 12


class Changes(Lines):
    """One line for each field that differs: its path, and both values."""

    TITLE = "Differences"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", show=False, id="differences.copy"),
    ]

    class Copy(Lines.Moved):
        """The user wants the differences as text."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Change] = []
        self._longest = 0

    @property
    def count(self) -> int:
        return len(self.rows)

    def say(self, rows: list[Change]) -> None:
        self.rows = rows
        self._longest = max((len(row.path) for row in rows), default=0)
        self.cursor = min(self.cursor, max(len(rows) - 1, 0))
        self.resize_lines()
        self.redraw()
        self.entitle(count(len(rows), "field") if rows else "")

    def nothing(self) -> list[str]:
        """Say that both are the same."""
        return ["", "  No difference but in what differs from run to run."]

    def key(self, line: int) -> Hashable:
        """Lines change with all of them."""
        return (id(self.rows[line]), line == self.cursor)

    def cells(self, width: int) -> tuple[int, int]:
        """Return the cells of the path and of each value."""
        path = min(max(self._longest, LEAST_CELLS), max(width // 3, LEAST_CELLS))
        return path, max((width - path - 5) // 2, LEAST_CELLS)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of a field."""
        row = self.rows[line]
        path, value = self.cells(width)
        yield Segment("▸" if line == self.cursor else " ", self.tone("mark"))
        yield Segment(fit(safe(row.path or "all", 300), path) + " ", self.tone("label"))
        if row.first is None or row.second is None:
            put = row.first is None
            said = shown(row.second if put else row.first, 2 * value)
            yield Segment(f"{'+' if put else '-'} {said}", self.tone("good" if put else "bad"))
            return
        first, second = parted(row.first, row.second, value)
        yield Segment(fit(first, value) + " ", self.tone("text"))
        yield Segment("→ ", self.tone("dim"))
        yield Segment(second, self.tone("accent"))

    def action_copy(self) -> None:
        self.post_message(self.Copy(self))


class Whole(Toned):
    """The whole of the chosen field's two values, wrapped over some lines."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.change: Change | None = None

    def render_line(self, y: int) -> Strip:
        """Return a line: the upper half is the first value, the lower half the second."""
        width, half = max(self.size.width - 4, 1), max(self.size.height // 2, 1)
        lower = y >= half
        text = ""
        if self.change is not None:
            text = parted(self.change.first, self.change.second, width * half)[lower]
        at = (y - half if lower else y) * width
        lead = (" B  " if lower else " A  ") if at == 0 else "    "
        piece = Segment(text[at : at + width], self.tone("accent" if lower else "text"))
        strip = Strip([Segment(lead, self.tone("dim")), piece])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)


class Sides(Toned):
    """Which exchanges are compared: one line each."""

    def __init__(self, views: tuple[ExchangeView, ExchangeView], id: str | None = None) -> None:
        super().__init__(id=id)
        self.views = views

    def render_line(self, y: int) -> Strip:
        """Return the line of an exchange."""
        if y > 1:
            return Strip.blank(self.size.width, self.rich_style)
        view = self.views[y]
        row = view.row
        name = row.name
        words = f"{safe(about(view), 200)}  took {duration(row.took)}"
        strip = Strip(
            [
                Segment(f" {'AB'[y]}  ", self.tone("dim")),
                Segment(f"#{row.number} {safe(name)}  ", self.tone("name")),
                Segment(words, self.tone("text")),
            ]
        )
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)


class DifferencesScreen(Screen[None]):
    """Two exchanges of a recording compared."""

    TITLE = "Differences"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "everything", "Also what differs from run to run", id="differences.all"),
        Binding("s", "swap", "Swap", id="differences.swap"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="differences.help"),
        Binding("escape,q", "back", "Back", key_display="esc", id="differences.back"),
    ]

    def __init__(self, first: ExchangeView, second: ExchangeView) -> None:
        super().__init__()
        self.views = (first, second)
        self.everything = False

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        yield Sides(self.views, id="sides")
        yield Changes(id="changes")
        yield Whole(id="whole")
        yield Footer(show_command_palette=False)

    @property
    def changes(self) -> Changes:
        return self.query_one(Changes)

    def on_mount(self) -> None:
        self.changes.focus()
        self._compare()

    def _compare(self) -> None:
        mask = frozenset[str]() if self.everything else VOLATILE
        self.changes.say(compare_exchanges(*self.views, mask))
        self._explain()

    def _explain(self) -> None:
        pane = self.changes
        whole = self.query_one(Whole)
        whole.change = pane.rows[pane.cursor] if pane.rows else None
        whole.refresh()

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Show the chosen field's values whole, or copy all."""
        if isinstance(message, Changes.Copy):
            text = "\n".join(
                f"{row.path or 'all'}: {shown(row.first)} → {shown(row.second)}"
                for row in self.changes.rows
            )
            self.app.put(Copied("the differences", text))  # type: ignore[attr-defined]
        else:
            self._explain()

    on_changes_copy = on_lines_moved

    def action_everything(self) -> None:
        """Compare also what differs from run to run, or not."""
        self.everything = not self.everything
        self._compare()

    def action_swap(self) -> None:
        """Compare the other way round."""
        self.views = (self.views[1], self.views[0])
        sides = self.query_one(Sides)
        sides.views = self.views
        sides.refresh()
        self._compare()

    def action_back(self) -> None:
        """Go back to the timeline as it was."""
        self.dismiss(None)
