"""Pastes taken whole where the terminal is read: Textual looks at each of their characters.

A paste is what stands between two sequences of the terminal (xterm, "Bracketed Paste Mode").
One whose first sequence is torn between two reads is left to Textual, which is only slower.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.events import Paste
from textual.message import Message

START, END = "\x1b[200~", "\x1b[201~"


class PasteParser(XTermParser):
    """Textual's parser of what a terminal sends, which sees no pastes."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._pasted: list[str] | None = None
        """What came of a paste that goes on; its last piece may end within the end's sequence."""

    def feed(self, data: str) -> Iterable[Message]:
        """Yield what was done at the keyboard; `data` is empty when no more comes."""
        if self._pasted is None:
            typed, start, data = data.partition(START)
            if typed or not start:
                yield from super().feed(typed)
            if not start:
                return
            self._pasted = [""]
        torn = self._pasted.pop() + data
        text, end, rest = torn.partition(END)
        if not end:
            at = max(len(torn) - len(END), 0)
            self._pasted += [torn[:at], torn[at:]]
            return
        self._pasted.append(text)
        yield Paste("".join(self._pasted).replace("\x00", ""))
        self._pasted = None
        if rest:
            yield from self.feed(rest)
