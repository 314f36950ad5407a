"""The line above the panes in which one writes: a filter, what to search for, a note.

BarOffers what could stand there, shows a mistake with a caret under its place, and tells the
screen when the user takes or leaves what was written. While nothing is written it shows what
is in force.

Knows text, cells and keys; what a text means is the screen's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input

from pix_inspect.ui.lines import Toned, line_strip
from pix_inspect.ui.text import fit, fit_end, safe

Offer = tuple[str, str]
Completer = Callable[[str, int], tuple[int, list[Offer]]]
MOST_OFFERS = 8
LONGEST_HISTORY = 20


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a text, and the characters `[start, end)` it is about."""

    message: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is being written: its name, the sign before it, and who knows about it."""

    name: str
    sign: str
    hint: str
    complete: Completer | None = None
    check: Callable[[str], Mistake | None] | None = None


class WritingLine(Input):
    """The line itself."""

    TITLE = "Filter and search line"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply", id="bar.apply"),
        Binding("tab", "accept", "Complete", id="bar.complete"),
        Binding("down", "choose(1)", "Next offer", show=False, id="bar.next"),
        Binding("up", "choose(-1)", "Previous offer", show=False, id="bar.previous"),
        Binding("escape", "give_up", "Give up", id="bar.give_up"),
    ]

    def _bar(self) -> Bar:
        return next(node for node in self.ancestors if isinstance(node, Bar))

    def action_accept(self) -> None:
        """Take the offer that is chosen."""
        self._bar().accept()

    def action_choose(self, step: int) -> None:
        """Choose another offer."""
        self._bar().choose(step)

    def action_give_up(self) -> None:
        """Leave everything as it was."""
        self._bar().give_up()


class Remarks(Toned):
    """The line under the one in which one writes: what is wrong, or what one may write."""

    def __init__(self) -> None:
        super().__init__()
        self.mistake: Mistake | None = None
        self.hint = ""
        self.indent = 0

    def render_line(self, y: int) -> Strip:
        """Return the one line there is: carets under the mistake, and what is wrong beside."""
        width = self.size.width
        mistake = self.mistake
        if mistake is None:
            return line_strip([Segment(f"   {self.hint}", self.tone("dim"))], width, self.ground)
        carets = "^" * max(mistake.end - mistake.start, 1)
        at = max(min(self.indent + mistake.start, width - 2), 0)
        bad = self.tone("bad")
        message = safe(mistake.message, 300)
        if at + len(carets) + 1 + len(message) <= width or at < width // 2:
            carets = carets[: max(width - at - 12, 1)]
            found = [Segment(" " * at), Segment(carets, bad), Segment(f" {message}", bad)]
        else:
            room = max(at - 1, 0)
            shown = fit_end(message, room)
            found = [Segment(" " * (room - cell_len(shown)) + shown + " ", bad)]
            found.append(Segment(carets[: width - at], bad))
        return line_strip(found, width, self.ground)


class BarOffers(Toned):
    """What could stand next, over the panes below."""

    def __init__(self) -> None:
        super().__init__()
        self.offers: list[Offer] = []
        self.chosen = 0
        self.top = 0

    def say(self, offers: list[Offer], column: int) -> None:
        """Offer something below a column of the screen."""
        self.offers, self.chosen, self.top = offers, 0, 0
        self.display = bool(offers)
        if not offers:
            return
        names = max(cell_len(safe(name)) for name, _ in offers)
        docs = max((cell_len(safe(doc, 60)) for _, doc in offers), default=0)
        width = min(names + docs + 5, self.screen.size.width)
        self.styles.width = width
        self.styles.height = min(len(offers), MOST_OFFERS)
        self.styles.offset = (max(min(column, self.screen.size.width - width), 0), 0)
        self.refresh(layout=True)

    def move(self, step: int) -> None:
        """Choose another one."""
        self.chosen = (self.chosen + step) % len(self.offers)
        self.top = min(max(self.top, self.chosen - MOST_OFFERS + 1), self.chosen)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line of an offer."""
        width = self.size.width
        line = self.top + y
        if line >= len(self.offers):
            return line_strip([], width, self.ground)
        name, doc = self.offers[line]
        names = max(cell_len(safe(each)) for each, _ in self.offers)
        names = min(names, max(width - 4, 1))
        more = line == self.top + MOST_OFFERS - 1 and line + 1 < len(self.offers)
        found = [
            Segment("▸" if line == self.chosen else "⋮" if more else " ", self.tone("mark")),
            Segment(fit(safe(name), names), self.tone("text")),
            Segment("  " + safe(doc, 60), self.tone("dim")),
        ]
        if line == self.chosen:
            cursor = self.tone("cursor")
            found = [Segment(each.text, (each.style or self.ground) + cursor) for each in found]
            return line_strip(found, width, self.ground + cursor)
        return line_strip(found, width, self.ground)

    def on_click(self, event: events.Click) -> None:
        """Take the offer that was clicked."""
        line = self.top + event.y
        if line < len(self.offers):
            self.chosen = line
            next(node for node in self.ancestors if isinstance(node, Bar)).accept()


class InForce(Toned):
    """What is in force while nothing is being written, and how it is going."""

    class Clicked(Message):
        """The user wants to change what is in force."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, sign: str, what: str) -> None:
        super().__init__(classes=what)
        self.sign = sign
        self.what = what
        self.text = ""
        self.aside = ""
        self.bad = False

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        width = self.size.width
        aside = f"  {self.aside} "
        room = max(width - cell_len(aside), 0)
        found = [Segment(f" {self.sign} ", self.tone("accent"))]
        found.append(Segment(fit(safe(self.text), max(room - 3, 0)), self.tone("text")))
        found.append(Segment(aside, self.tone("warn" if self.bad else "text")))
        return line_strip(found, width, self.ground)

    def on_click(self) -> None:
        """Change what is in force."""
        self.post_message(self.Clicked(self.what))


class Bar(Vertical):
    """The line above the panes."""

    DEFAULT_CSS = """
    Bar {
        height: auto; display: none;
        InForce, Prompt, Remarks { height: 1; background: $panel; }
        InForce { display: none; }
        InForce.-in-force { display: block; }
        Remarks { display: none; background: $background; }
        #writing-line { height: 1; display: none; background: $panel; }
        #writing-input, #writing-input:focus {
            border: none; height: 1; padding: 0; width: 1fr; background: $panel;
        }
        BarOffers { overlay: screen; background: $surface; }
    }
    Bar.-in-force, Bar.-writing { display: block; }
    Bar.-writing-filter InForce.filter, Bar.-writing-search InForce.search { display: none; }
    Bar.-writing #writing-line, Bar.-writing Remarks { display: block; }
    """

    class Taken(Message):
        """The user has written something and wants it."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Left(Message):
        """The user gave up what was being written."""

        def __init__(self, purpose: str) -> None:
            super().__init__()
            self.purpose = purpose

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.purpose: Purpose | None = None
        self.history: dict[str, list[str]] = {}
        self._start = 0
        self._touched = False

    def compose(self) -> ComposeResult:
        """Lay out what is in force, the line to write in, and what is said about it."""
        yield InForce("/", "filter")
        yield InForce("search", "search")
        with Horizontal(id="writing-line"):
            yield Prompt()
            line = WritingLine(id="writing-input", select_on_focus=False)
            line.cursor_blink = False
            yield line
        yield Remarks()
        yield BarOffers()

    @property
    def line(self) -> WritingLine:
        """The line in which one writes."""
        return self.query_one(WritingLine)

    @property
    def offers(self) -> BarOffers:
        """What could stand next."""
        return self.query_one(BarOffers)

    @property
    def remarks(self) -> Remarks:
        """What is said about the line."""
        return self.query_one(Remarks)

    @property
    def writing(self) -> bool:
        """Whether something is being written."""
        return self.purpose is not None

    def on_mount(self) -> None:
        """Show nothing to begin with."""
        self.offers.display = False

    def begin(self, purpose: Purpose, text: str) -> None:
        """Have the user write something, beginning with a text."""
        prompt = self.query_one(Prompt)
        prompt.text = f" {purpose.sign} "
        prompt.styles.width = cell_len(prompt.text)
        self.remarks.indent = cell_len(prompt.text)
        self.remarks.hint = purpose.hint
        self._end()
        self.purpose = purpose
        self.add_class("-writing", f"-writing-{purpose.name}")
        self.line.value = text
        self.line.cursor_position = len(text)
        self.line.focus()
        self._consider()

    def say(self, text: str, aside: str, *, what: str = "filter", bad: bool = False) -> None:
        """Show the filter or the search that is in force, or with an empty text none."""
        shown = self.query_one(f"InForce.{what}", InForce)
        said = (text, aside, bad)
        if said != (shown.text, shown.aside, shown.bad):
            shown.text, shown.aside, shown.bad = said
            shown.refresh()
        shown.set_class(bool(text), "-in-force")
        self.set_class(any(each.text for each in self.query(InForce)), "-in-force")

    def on_input_changed(self) -> None:
        """Look at what is written."""
        self._consider()

    def _consider(self) -> None:
        purpose = self.purpose
        if purpose is None:
            return
        text, cursor = self.line.value, self.line.cursor_position
        self._touched = False
        mistake = purpose.check(text) if purpose.check is not None and text.strip() else None
        offered: list[Offer] = []
        self._start = 0
        if not text:
            before = self.history.get(purpose.name, [])
            offered = [(used, "used before") for used in reversed(before)]
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
        prompt = self.query_one(Prompt)
        self.offers.say(offered, cell_len(prompt.text) - 1 + self._start)

    def accept(self) -> None:
        """Write the chosen offer in place of what was begun."""
        offers = self.offers
        if not offers.display or not offers.offers:
            return
        chosen = offers.offers[offers.chosen][0]
        text, cursor = self.line.value, self.line.cursor_position
        rest = text[cursor:]
        head = text[: self._start] + chosen + ("" if rest.startswith(" ") else " ")
        self.line.value = head + rest
        self.line.cursor_position = len(head)
        self._consider()

    def choose(self, step: int) -> None:
        """Choose another offer."""
        if self.offers.display and self.offers.offers:
            self.offers.move(step)

    def on_input_submitted(self) -> None:
        """Hand in what was written, unless there is a mistake in it."""
        purpose, text = self.purpose, self.line.value.strip()
        if purpose is None:
            return
        mistake = purpose.check(text) if purpose.check is not None and text else None
        if mistake is not None:
            self.remarks.mistake = mistake
            self.remarks.refresh()
            self.offers.say([], 0)
            return
        self.remember(purpose.name, text)
        self._end()
        self.post_message(self.Taken(purpose.name, text))

    def remember(self, name: str, text: str) -> None:
        """Offer a text again another time."""
        if text:
            used = self.history.setdefault(name, [])
            if text in used:
                used.remove(text)
            used.append(text)
            del used[:-LONGEST_HISTORY]

    def give_up(self) -> None:
        """Leave everything as it was."""
        purpose = self.purpose
        if purpose is not None:
            self._end()
            self.post_message(self.Left(purpose.name))

    def _end(self) -> None:
        if self.purpose is not None:
            self.remove_class("-writing", f"-writing-{self.purpose.name}")
        self.purpose = None
        self.offers.say([], 0)
        self.remarks.mistake = None


class Prompt(Toned):
    """The sign before the line in which one writes."""

    def __init__(self) -> None:
        super().__init__()
        self.text = " / "

    def render_line(self, y: int) -> Strip:
        """Return the sign."""
        return line_strip([Segment(self.text, self.tone("accent"))], self.size.width, self.ground)
