"""The help: a screen over another, with the keys that work there, and what its signs mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from pix_inspect.base.units import duration
from pix_inspect.ui.app.keys import Key, Section, keys_of
from pix_inspect.ui.timeline.columns import SLOW, VERY_SLOW
from pix_inspect.ui.timeline.glances import FLAG
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.prose import Prose
from pix_inspect.ui.widgets.text import fit

MOUSE: list[Key] = [
    ("click", "Choose; on a byte, its field", ""),
    ("double click", "Go in, open", ""),
    ("shift+drag", "Select text, as the terminal does it", ""),
]
"""What the mouse does on every screen."""

BORDERS: list[Key] = [
    ("drag a border", "More or less room for a pane", ""),
    ("double click", "On a title: maximise the pane, and back", ""),
]
"""What it does besides where panes have any size."""

SIGNS: list[Key] = [
    ("✓  ✗", "Answered; an error, or a build that failed", ""),
    ("◐", "Not answered yet", ""),
    ("✂  ?", "Cut off; not understood, and shown as bytes", ""),
    ("△  ▲", f"Took {duration(SLOW)}, {duration(VERY_SLOW)} or longer", ""),
    (FLAG, "Something is irregular: Findings say what", ""),
    ("◆", "Marked", ""),
]
"""What stands in the timeline."""

WRITTEN = 14
"""Cells for what is pressed."""


class HelpText(Prose):
    """The keys in two columns."""

    def __init__(self, found: list[Section], back: str) -> None:
        super().__init__("Keys")
        self.border_subtitle = Content(f"↓↑ scroll  {back} back")
        self._lines: list[tuple[str, str, str]] = []
        for title, keys in found:
            if self._lines:
                self._lines.append(("", "", ""))
            self._lines.append((title, "", ""))
            self._lines += [("", pressed, said) for pressed, said, _ in keys]

    @property
    def count(self) -> int:
        return len(self._lines)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a line: a title, or keys and what they do."""
        title, pressed, said = self._lines[line]
        if title:
            yield Segment(title, self.tone("name"))
            return
        yield Segment("  " + fit(pressed, WRITTEN), self.tone("accent"))
        yield Segment(" " + said, self.tone("text"))


class Help(Guarded, ModalScreen[None]):
    """The keys of the screen below; `timeline`: the signs that stand there, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "Back", key_display="esc", id="help.back"),
    ]

    def __init__(self, found: list[Section], *, timeline: bool) -> None:
        super().__init__()
        self._found = found
        self._timeline = timeline

    def compose(self) -> ComposeResult:
        """Show the text, nothing else."""
        mouse = [*MOUSE, *(BORDERS if self._timeline else ())]
        signs = [("Signs in the timeline", SIGNS)] if self._timeline else []
        here = keys_of(Help, self.app)
        back = pressed(self.app, "help.back", "esc")
        yield HelpText([*self._found, *signs, ("Mouse", mouse), ("This list", here)], back)
