"""The pane of the log: what the daemon said, as text and as a tree of activities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message

from pix_inspect.base.units import count
from pix_inspect.session.exchange_view import Part
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit

if TYPE_CHECKING:
    from pix_inspect.ui.exchange.log_tree import Said


class Log(Lines):
    """Messages, activities and build logs."""

    TITLE = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Field of this line", id="log.enter"),
        Binding("y", "copy", "Copy", id="log.copy"),
    ]

    class Chosen(Message):
        """Another line was chosen."""

        def __init__(self, part: Part | None) -> None:
            super().__init__()
            self.part = part

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: list[Said] = []

    @property
    def count(self) -> int:
        """The lines of the log."""
        return len(self._said)

    @property
    def chosen(self) -> Part | None:
        """The frame that said the line under the cursor."""
        return self._said[self.cursor].part if self._said else None

    def nothing(self) -> list[str]:
        """Say that nothing was said."""
        return ["The daemon logged nothing."]

    def say(self, said: list[Said], *, keep: bool = False, tail: bool = False) -> None:
        """Show a log: its beginning, or with `tail` its end.

        With `keep` the cursor and the scroll position stay, at the end they follow it.
        """
        at_end = keep and self.count > 0 and self.cursor == self.count - 1
        self._said = said
        self.resize_lines()
        self.entitle(count(self.count, "line") if said else "")
        if not keep and not tail:
            self.cursor = 0
            self.scroll_to(y=0, animate=False, force=True)
        elif at_end or not keep:
            self.cursor = max(self.count - 1, 0)
            self.show_cursor()
        self.cursor = min(self.cursor, max(self.count - 1, 0))
        self.redraw()

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a line: indented, in its tone."""
        said = self._said[line]
        indent = "  " * min(said.depth, 12)
        yield Segment(indent)
        yield Segment(fit(said.text, max(width - len(indent), 1)), self.tone(said.tone))

    def moved(self) -> None:
        """Say which line is chosen."""
        self.post_message(self.Chosen(self.chosen))

    def action_enter(self) -> None:
        """Go to the fields of the frame that said it."""
        self.post_message(self.Entered(self))

    def action_copy(self) -> None:
        """Copy the log as text."""
        if not self._said:
            self.app.notify("there is no log to copy", markup=False)
            return
        lines = ["  " * said.depth + said.text for said in self._said]
        self.post_message(Copied("the log", "\n".join(lines)))
