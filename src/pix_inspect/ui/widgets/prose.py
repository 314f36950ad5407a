"""A pane of text: paragraphs wrapped to its width, which keys scroll."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from textual.strip import Strip

from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import wrapped

Paragraph = tuple[str, str]
"""Tone and safe text."""


SIGNS = ("• ", "→ ")
"""What a paragraph of a list begins with."""


def hanging(text: str, width: int) -> list[str]:
    """Return safe text in lines; those of a list's item begin behind its sign."""
    if text[:1] == " ":
        return [text]  # a line of a table, made for this width
    if text[:2] not in SIGNS:
        return wrapped(text, width)
    first, *rest = wrapped(text[2:], width - 2)
    return [text[:2] + first, *(f"  {line}" for line in rest)]


class Prose(Lines):
    """Paragraphs."""

    def __init__(self, title: str | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self.TITLE = title or self.TITLE
        self._said: list[Paragraph] = []
        self._wrapped: list[Paragraph] = []
        self._width = 0

    @property
    def count(self) -> int:
        return len(self._wrapped)

    def say(self, paragraphs: Iterable[Paragraph], *, again: bool = False) -> None:
        """Show other paragraphs, from the first one on; `again`: the same as they are now."""
        self._said = list(paragraphs)
        self._wrap()
        if not again:
            self.scroll_to(y=0, animate=False, force=True)

    def _wrap(self) -> None:
        self._width = max(self.inner.width - 1, 10)
        self._wrapped = [
            (tone, line) for tone, text in self._said for line in hanging(text, self._width)
        ]
        self.resize_lines()
        self.redraw()

    def on_resize(self) -> None:
        if self._width != max(self.inner.width - 1, 10):
            self._wrap()

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a line of text."""
        tone, text = self._wrapped[line]
        yield Segment(text, self.tone(tone))

    def strip_of(self, line: int, width: int, at_cursor: bool) -> Strip:
        """Return the strip of a line, without a cursor."""
        return super().strip_of(line, width, False)

    def move_to(self, line: int, *, tell: bool = True) -> None:
        """Scroll so that a line is the first one."""
        last = max(self.count - self.inner.height, 0)
        self.cursor = max(0, min(line, last))
        self.scroll_to(y=self.cursor, animate=False, force=True)

    def show_cursor(self) -> None:
        """Stay: there is no cursor to see."""

    def action_move(self, lines: int) -> None:
        """Scroll some lines, from wherever the mouse has scrolled to."""
        self.move_to(round(self.scroll_y) + lines)

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Do nothing: there is nothing to choose."""
