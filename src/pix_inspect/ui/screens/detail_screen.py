"""What the screens beside the main one share: a head, panes, a footer, and the way back.

Most of them are a list, below which its chosen row is told in full.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Static

from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.keys_footer import KeysFooter
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.prose import Paragraph, Prose
from pix_inspect.ui.widgets.row_list import RowList
from pix_inspect.ui.widgets.text import safe

ON_ROWS = ("enter", "filter")
"""Actions on the chosen row."""

T = TypeVar("T")
Result = TypeVar("Result")

KEYS: list[BindingType] = [
    Binding("tab", "app.focus_next", "Next pane", show=False, id="screen.next"),
    Binding("shift+tab", "app.focus_previous", "Previous pane", show=False, id="screen.previous"),
    Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="screen.help"),
    Binding("escape,q", "back", "Back", key_display="esc", id="screen.back"),
]
"""What every screen has behind its own keys: the footer shows them in this order."""


class Head(Horizontal):
    """A line above the panes: what is shown, of what, and what else there is to say of it."""

    def __init__(self, title: str, name: str) -> None:
        self._what = Static(name, classes="name", markup=False)
        self._said = Static(classes="words", markup=False)
        super().__init__(Static(title, classes="title"), self._what, self._said)

    def say(self, words: str, name: str | None = None) -> None:
        """Show other words, and another name if there is one; safe texts."""
        self._said.update(words, layout=False)
        if name is not None:
            self._what.update(name)


class OtherScreen(Guarded, Screen[Result]):
    """A screen beside the main one; returns None when the user just goes back."""

    def action_back(self) -> None:
        """Go back to the timeline as it was."""
        self.dismiss(None)


class DetailScreen(OtherScreen[Result], Generic[T, Result]):
    """A list of rows and, below it, the chosen one in full."""

    WHAT = "the row"
    """What a row is, as what is copied is called."""
    DETAIL = "Details"
    HINT = ""
    """What stands in the detail's place while there is no row."""

    def __init__(self, name: str, title: str = "") -> None:
        super().__init__()
        self.head = [Head(self.TITLE or "", safe(name, 200))]
        self.list: RowList[T] = RowList(title, self.cells, self.key)
        self.detail = Prose(self.DETAIL, id="detail")

    def cells(self, row: T, width: int) -> Iterable[Paragraph]:
        """Return tone and safe text of what stands on the line of a row."""
        return ()

    def key(self, row: T) -> Hashable:
        """Return what a row is known by when it comes again."""
        return id(row)

    def paragraphs(self, row: T) -> list[Paragraph]:
        """Return a row in full."""
        return []

    def go_to(self, row: T) -> None:
        """Go to what a row stands for; unless there is more, to its detail."""
        self.detail.focus()

    def compose(self) -> ComposeResult:
        yield from self.head
        yield self.list
        yield self.detail
        yield KeysFooter()

    def on_mount(self) -> None:
        self.list.focus()
        self.explain()

    def explain(self) -> None:
        """Tell the chosen row in full."""
        row = self.list.chosen
        self.detail.say([("dim", self.HINT)] if row is None else self.paragraphs(row))

    @property
    def idle_actions(self) -> Sequence[str]:
        """The actions that have nothing to do now: those on rows, while there is none."""
        return ON_ROWS if self.list.chosen is None else ()

    @property
    def chosen(self) -> T | None:
        """The chosen row; where there is none, the user is told why."""
        if self.list.chosen is None:
            self.app.notify(self.list.empty, markup=False)
        return self.list.chosen

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Tell the row that was chosen."""
        if message.pane is self.list:
            self.explain()

    def on_lines_entered(self, message: Lines.Entered) -> None:
        """Go to the row that was clicked."""
        if message.pane is self.list:
            self.action_enter()

    def action_enter(self) -> None:
        """Go to the chosen row."""
        if (row := self.chosen) is not None:
            self.go_to(row)

    def action_copy(self) -> None:
        """Copy the chosen row as text."""
        if (row := self.chosen) is not None:
            text = "\n".join(text for _, text in self.paragraphs(row))
            self.post_message(Copied(self.WHAT, text))
