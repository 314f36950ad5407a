"""The lines about the one in which one writes: its sign, remarks, offers, and what is in force."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from pix.dataclass import dataclass
from pix_inspect.ui.widgets.choices import NOTE, Choices
from pix_inspect.ui.widgets.lines import Toned, line_strip
from pix_inspect.ui.widgets.text import fit, fit_end, safe

WIDEST = 2000
"""Characters of an offer, and of what is in force, that are shown at most."""

Offer = tuple[str, str]
"""What could stand next, and what is said of it."""


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
            return line_strip(
                [Segment(f"   {self.hint}", self.tone("dim"))], width, self.tone.ground
            )
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
        return line_strip(found, width, self.tone.ground)


class BarOffers(Choices[str]):
    """What could stand next, over the panes below."""

    DEFAULT_CSS = """
    BarOffers { overlay: screen; constrain: inside none; width: auto; max-width: 100%; }
    """

    def offer(self, offers: list[Offer], column: int) -> None:
        """Offer something below a column of the screen."""
        shown = [safe(name, WIDEST) for name, _ in offers]
        names = max(map(cell_len, shown), default=0)
        self.say(
            (name, Content.assemble(" ", fit(said, names), (f"  {safe(doc, 60)} ", NOTE)))
            for said, (name, doc) in zip(shown, offers, strict=True)
        )
        self.styles.offset = (column, 0)


class InForce(Toned):
    """What is in force while nothing is being written, and how it is going."""

    @dataclass(eq=False)
    class Clicked(Message):
        """The user wants to change what is in force."""

        what: str

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
        found.append(Segment(fit(safe(self.text, WIDEST), room), self.tone("text")))
        found.append(Segment(aside, self.tone("warn" if self.bad else "text")))
        return line_strip(found, width, self.tone.ground)

    def on_click(self) -> None:
        """Change what is in force."""
        self.post_message(self.Clicked(self.what))
