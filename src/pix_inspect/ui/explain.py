"""The pane that explains the chosen field.

Knows paragraphs and wrapping; what they say is `explaining`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment

from pix_inspect.ui.explaining import Paragraph
from pix_inspect.ui.lines import Lines
from pix_inspect.ui.text import wrapped


class Explanation(Lines):
    """Paragraphs of text, wrapped to the pane."""

    TITLE = "Explanation"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: list[Paragraph] = []
        self._wrapped: list[Paragraph] = []
        self._width = 0

    @property
    def count(self) -> int:
        """The lines of text."""
        return len(self._wrapped)

    def say(self, paragraphs: Iterable[Paragraph]) -> None:
        """Show other paragraphs."""
        self._said = list(paragraphs)
        self._wrap()
        self.cursor = 0
        self.scroll_to(y=0, animate=False, force=True)

    def _wrap(self) -> None:
        self._width = max(self.inner.width - 1, 10)
        self._wrapped = [
            (tone, line) for tone, text in self._said for line in wrapped(text, self._width)
        ]
        self.resize_lines()
        self.redraw()

    def on_resize(self) -> None:
        """Wrap anew."""
        if self._width != max(self.inner.width - 1, 10):
            self._wrap()

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a line of text."""
        tone, text = self._wrapped[line]
        yield Segment(text, self.tone(tone))
