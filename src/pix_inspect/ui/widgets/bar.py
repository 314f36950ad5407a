"""The line above the panes in which one writes: a filter, what to search for, a note.

Offers what could stand there, shows a mistake with a caret under its place, and tells the
screen when the user takes or leaves what was written. While nothing is written it shows what
is in force.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from pix.dataclass import dataclass
from pix_inspect.base.line_history import LineHistory
from pix_inspect.ui.widgets.bar_lines import BarOffers, InForce, Mistake, Offer, Remarks
from pix_inspect.ui.widgets.text_line import TextLine

Completer = Callable[[str, int], tuple[int, list[Offer]]]
MOST_OFFERED = 5
"""Lines of before that are offered while nothing is written."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is being written: its name, the sign before it, and who takes and knows about it."""

    name: str
    sign: str
    hint: str
    take: Callable[[str], object]
    complete: Completer | None = None
    check: Callable[[str], Mistake | None] | None = None


class Bar(Vertical):
    """The line above the panes."""

    TITLE = "Filter and search line"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply", id="bar.apply"),
        Binding("tab", "accept", "Complete", id="bar.complete"),
        Binding("down", "choose(1)", "Next offer, or later line", show=False, id="bar.next"),
        Binding("up", "choose(-1)", "Previous offer, or earlier line", show=False,
                id="bar.previous"),
        Binding("escape", "give_up", "Give up", id="bar.give_up"),
        Binding("f1", "app.help", "Keys", id="bar.help"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    Bar {
        height: auto; display: none;
        InForce, #prompt, Remarks { height: 1; background: $panel; }
        #prompt { width: auto; color: $text-accent; }
        InForce { display: none; }
        InForce.-in-force { display: block; }
        Remarks { display: none; background: $background; }
        #writing-line { height: 1; display: none; background: $panel; }
        #writing-input, #writing-input:focus {
            border: none; height: 1; padding: 0; width: 1fr; background: $panel;
        }
    }
    Bar.-in-force, Bar.-writing { display: block; }
    Bar.-writing-filter InForce.filter, Bar.-writing-search InForce.search { display: none; }
    Bar.-writing #writing-line, Bar.-writing Remarks { display: block; }
    """

    @dataclass(eq=False)
    class Taken(Message):
        """The user has written something and wants it."""

        purpose: Purpose
        text: str

    class Left(Message):
        """The user gave up what was being written."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.purpose: Purpose | None = None
        """What is being written, if anything."""
        self.line = TextLine(id="writing-input", around=self)
        self.remarks = Remarks()
        self.offers = BarOffers()
        self._prompt = Static(id="prompt", markup=False)
        self._in_force = {"filter": InForce("/", "filter"), "search": InForce("search", "search")}
        self._histories = {"filter": LineHistory("filters"), "search": LineHistory("searches")}
        self._start = 0

    def compose(self) -> ComposeResult:
        """Lay out what is in force, the line to write in, and what is said about it."""
        yield from self._in_force.values()
        with Horizontal(id="writing-line"):
            yield self._prompt
            yield self.line
        yield self.remarks
        yield self.offers

    def on_mount(self) -> None:
        """Show nothing to begin with."""
        self.offers.display = False

    def begin(self, purpose: Purpose, text: str) -> None:
        """Have the user write something, beginning with a text."""
        self._prompt.update(f" {purpose.sign} ")
        self.remarks.indent = cell_len(purpose.sign) + 2
        self.remarks.hint = purpose.hint
        self._end()
        self.purpose = purpose
        self.add_class("-writing", f"-writing-{purpose.name}")
        self._write(text)
        self.line.focus()

    def say(self, text: str, aside: str, *, what: str = "filter", bad: bool = False) -> None:
        """Show the filter or the search that is in force, or with an empty text none."""
        shown = self._in_force[what]
        said = (text, aside, bad)
        if said != (shown.text, shown.aside, shown.bad):
            shown.text, shown.aside, shown.bad = said
            shown.refresh()
        shown.set_class(bool(text), "-in-force")
        self.set_class(any(each.text for each in self._in_force.values()), "-in-force")

    def on_input_changed(self) -> None:
        """Look at what is written."""
        self._consider()

    def _consider(self) -> None:
        purpose = self.purpose
        if purpose is None:
            return
        text, cursor = self.line.value, self.line.cursor_position
        mistake = purpose.check(text) if purpose.check is not None and text.strip() else None
        offered: list[Offer] = []
        self._start = 0
        history = self._histories.get(purpose.name)
        if not text and history is not None:
            before = list(dict.fromkeys(reversed(history.lines)))[:MOST_OFFERED]
            offered = [(used, "used before") for used in before]
        if purpose.complete is not None:
            self._start, more = purpose.complete(text, cursor)
            offered += more
            written = text[self._start : cursor]
            if len(offered) == 1 and offered[0][0] == written:
                offered = []
        if mistake is not None and mistake.end >= len(text.rstrip()):
            begun = mistake.start >= len(text.rstrip()) or bool(offered)
            mistake = None if begun else mistake  # it is not finished, no mistake
        self.remarks.mistake = mistake
        self.remarks.refresh()
        self.offers.offer(offered, self.remarks.indent - 1 + self._start)

    def _write(self, text: str, behind: str = "") -> None:
        """Have a text in the line, with the cursor at its end."""
        self.line.value = text + behind
        self.line.cursor_position = len(text)
        self._consider()

    def on_choices_taken(self, message: BarOffers.Taken[str]) -> None:
        """Write the offer that was clicked."""
        message.stop()
        self._accept(message.value)

    def action_accept(self) -> None:
        """Write the chosen offer."""
        if self.offers.chosen is not None:
            self._accept(self.offers.chosen)

    def _accept(self, chosen: str) -> None:
        """Write an offer in place of what was begun."""
        text, rest = self.line.value, self.line.value[self.line.cursor_position :]
        self._write(text[: self._start] + chosen + ("" if rest.startswith(" ") else " "), rest)

    def action_choose(self, step: int) -> None:
        """Choose another offer; above the first one stand the lines of before."""
        history = self._histories.get(self.purpose.name) if self.purpose is not None else None
        if history is not None and (step > 0 or not self.offers.highlighted):
            text = history.step(step, self.line.value)
            if text is not None:
                self._write(text)
                return
        self.offers.move(step)

    def action_submit(self) -> None:
        """Hand in what was written, unless there is a mistake in it."""
        purpose, text = self.purpose, self.line.value.strip()
        if purpose is None:
            return
        mistake = purpose.check(text) if purpose.check is not None and text else None
        if mistake is not None:
            self.remarks.mistake = mistake
            self.remarks.refresh()
            self.offers.offer([], 0)
            return
        self._end()
        self.post_message(self.Taken(purpose, text))

    def remember(self, name: str, text: str) -> None:
        """Have a text at hand another time, also in another session."""
        self._histories[name].add(text)

    def on_descendant_blur(self) -> None:
        """Leave off where the user went on elsewhere, but not when the terminal lost the focus."""
        if self.purpose is not None and self.app.app_focus and self.screen.focused is not self.line:
            self._end()

    def action_give_up(self) -> None:
        """Leave everything as it was."""
        if self.purpose is not None:
            self._end()
            self.post_message(self.Left())

    def _end(self) -> None:
        if self.purpose is not None:
            self.remove_class("-writing", f"-writing-{self.purpose.name}")
        self.purpose = None
        self.offers.offer([], 0)
        self.remarks.mistake = None
