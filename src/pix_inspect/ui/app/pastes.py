"""What is typed and pasted, where the terminal is read.

Pastes are taken whole: Textual looks at each of their characters. A paste is what stands between
two sequences of the terminal (xterm, "Bracketed Paste Mode"), or, where the terminal has no such
mode, what comes at once in a length that nobody types.

Escape and a key that follows at once are what terminals also send for alt and that key. Who
leaves a line and goes on quickly means the former, so alt counts only where a key with it was
chosen.

Sequences that no terminal should send, such as a key of the number 99999999999, are dropped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from textual._parser import Parser
from textual._xterm_parser import XTermParser
from textual.events import Paste
from textual.message import Message

START, END = "\x1b[200~", "\x1b[201~"
ESCAPE = "\x1b"
IN_SEQUENCES = ("", ESCAPE, *"[Obf\x7f")
"""What follows Escape in keys: in most of them, and where words are gone over or deleted."""
FLOOD, PAUSE = 1000, 0.1
"""Characters of one read that nobody types, and seconds after which no more of them come."""


class PasteParser(XTermParser):
    """Textual's parser of what a terminal sends, which sees no pastes."""

    def __init__(self, debug: bool = False, alt: bool = False) -> None:
        super().__init__(debug)
        self._alt = alt
        self._last = ""
        """The last characters, as many as begin a paste."""
        self._pasted: list[str] | None = None
        """What came of a paste that goes on; its last piece may end within the end's sequence."""
        self._flood: list[str] = []
        self._flooded = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        """Yield what was done at the keyboard; `data` is empty when no more comes."""
        if self._pasted is None:
            if (self._flood or len(data) >= FLOOD) and ESCAPE not in data:
                self._flood.append(data)
                self._flooded = time.monotonic()
                return
            yield from self._ebbed()
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
        """Yield what a sequence was, or a paste, that did not go on."""
        yield from self._readable(super().tick())
        if time.monotonic() - self._flooded >= PAUSE:
            yield from self._ebbed()

    def _ebbed(self) -> Iterable[Message]:
        if self._flood:
            yield Paste("".join(self._flood).replace("\x00", ""))
            self._flood.clear()

    def _keys(self, typed: str) -> Iterable[Message]:
        # one by one: what follows a sequence that cannot be read is not lost with it
        for at, piece in enumerate(typed or [""], 1):
            begun = self._timeout_time is not None and self._last[-1:] == ESCAPE
            if begun and not (self._alt or piece in IN_SEQUENCES):
                self._timeout_time = 0  # it was Escape
                yield from self.tick()
            self._last = (self._last + piece)[-len(START) :]
            if self._last == START:  # it was torn between two reads
                Parser.__init__(self)
                self._pasted = [""]
                yield from self.feed(typed[at:])
                return
            yield from self._readable(super().feed(piece))

    def _readable(self, messages: Iterable[Message]) -> Iterable[Message]:
        try:
            yield from messages
        except (ValueError, OverflowError):
            Parser.__init__(self)
