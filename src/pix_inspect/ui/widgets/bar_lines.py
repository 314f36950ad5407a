"""The lines about the one in which one writes: its sign, remarks, offers, and what is in force."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from pix_inspect.ui.widgets.lines import Toned, line_strip
from pix_inspect.ui.widgets.text import fit, fit_end, safe

Offer = tuple[str, str]
"""What could stand next, and what is said of it."""

MOST_OFFERS = 8
"""Offers that are shown at once."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a text, and the characters `[start, end)` it is about."""

    message: str
    start: int
    end: int


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

    class Clicked(Message):
        """The user clicked an offer, which is chosen now."""

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
            self.post_message(self.Clicked())


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
        lead, aside = f" {self.sign} ", f"  {self.aside} "
        room = max(width - cell_len(lead) - cell_len(aside), 0)
        found = [Segment(lead, self.tone("accent"))]
        found.append(Segment(fit(safe(self.text), room), self.tone("text")))
        found.append(Segment(aside, self.tone("warn" if self.bad else "text")))
        return line_strip(found, width, self.ground)

    def on_click(self) -> None:
        """Change what is in force."""
        self.post_message(self.Clicked(self.what))


class Prompt(Toned):
    """The sign before the line in which one writes."""

    def __init__(self, text: str = " / ") -> None:
        super().__init__()
        self.say(text)

    def say(self, text: str) -> None:
        self.text = text
        self.styles.width = cell_len(text)

    def render_line(self, y: int) -> Strip:
        return line_strip([Segment(self.text, self.tone("accent"))], self.size.width, self.ground)
