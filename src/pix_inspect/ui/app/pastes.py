"""Pastes taken whole where the terminal is read: Textual looks at each of their characters.

A paste is what stands between two sequences of the terminal (xterm, "Bracketed Paste Mode").
One whose first sequence is torn between two reads is left to Textual, which is only slower.

Sequences that no terminal should send, such as a key of the number 99999999999, are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._parser import Parser
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
                yield from self._keys(typed)
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

    def tick(self) -> Iterable[Message]:
        """Yield what a sequence was that did not go on."""
        yield from self._readable(super().tick())

    def _keys(self, typed: str) -> Iterable[Message]:
        # one by one: what follows a sequence that cannot be read is not lost with it
        for piece in typed or [""]:
            yield from self._readable(super().feed(piece))

    def _readable(self, messages: Iterable[Message]) -> Iterable[Message]:
        try:
            yield from messages
        except (ValueError, OverflowError):
            Parser.__init__(self)
