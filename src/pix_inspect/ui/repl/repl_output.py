"""What was written in the REPL and what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.segment import Segment

from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit, safe, wrapped

PROMPT = ">>> "
MOST_ROWS = 20_000
LESSON = (
    'An operation is a function: QueryPathInfo("/nix/store/…").  Tab completes, ↑ goes back,'
    " help(QueryPathInfo) explains, Ctrl-C interrupts, Ctrl-↑ and Ctrl-↓ resize, Esc leaves."
)
LABEL = re.compile(r" *(\w+)(?=:|$)")


def _is_asked(text: str, tone: str) -> bool:
    return tone == "name" and text.startswith(PROMPT)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _wrapped(line: tuple[str, str], width: int) -> list[tuple[str, str]]:
    text, tone = line
    width = max(width, 20)
    if _is_asked(text, tone):
        rows = wrapped(text[len(PROMPT) :], width - len(PROMPT))
        return [
            ((" " if i else PROMPT).ljust(len(PROMPT)) + row, tone) for i, row in enumerate(rows)
        ]
    indent = " " * min(_indent(text), width // 2)
    return [(indent + row, tone) for row in wrapped(text.lstrip(" "), width - len(indent))]


def _label(rows: list[tuple[str, str]], line: int) -> str:
    """Return a row as far as it says which field it is about: alone where more stands in it."""
    text, _ = rows[line]
    below = rows[line + 1][0] if line + 1 < len(rows) else ""
    found = LABEL.match(text)
    if found is None or (found.end() == len(text) and _indent(below) <= _indent(text)):
        return ""
    return found[1]


class Output(Lines):
    """What was written and what came of it, wrapped to the pane's width."""

    TITLE = "REPL"
    BOXED = True

    def __init__(self) -> None:
        super().__init__(id="repl-output")
        self._said: list[tuple[str, str]] = []
        self._rows: list[tuple[str, str]] = []
        self._width = 0
        self._awaited = ""

    @property
    def count(self) -> int:
        return len(self._rows)

    def nothing(self) -> list[str]:
        """Say what this is for."""
        return wrapped(LESSON, self.inner.width)

    def clear(self) -> None:
        self._said, self._rows, self.cursor = [], [], 0
        self.resize_lines()
        self._say_place()
        self.redraw()

    def add(self, lines: Iterable[tuple[str, str]]) -> None:
        """Add lines, and show the first of them: the rest is a page away."""
        first = len(self._rows)
        made = [(safe(text, 4000), tone) for text, tone in lines]
        self._said += made
        self._rows += [row for line in made for row in _wrapped(line, self._width)]
        if len(self._rows) > MOST_ROWS:
            dropped = len(self._rows) - MOST_ROWS // 2
            self._rows = self._rows[dropped:]
            self._said = self._said[-MOST_ROWS // 2 :]
            first = max(first - dropped, 0)
        self.resize_lines()
        self.cursor = max(len(self._rows) - 1, 0)
        self.redraw()
        self.call_after_refresh(self._show_from, first)

    def _show_from(self, first: int) -> None:
        """Show the end, or of what is longer than the pane the beginning, with what was asked."""
        height = max(self.inner.height, 1)
        top = len(self._rows) - height
        asked = self._asked
        if first < len(self._rows) and asked < top:
            top = asked if first - asked < height else first
        self.scroll_to(y=max(top, 0), animate=False, force=True)
        self._say_place()

    @property
    def _asked(self) -> int:
        """The row on which the last line that was written begins."""
        rows = self._rows
        return next((i for i in range(len(rows) - 1, -1, -1) if _is_asked(*rows[i])), 0)

    def say_awaited(self, awaited: str) -> None:
        """Say in the title what is waited for, "" for nothing."""
        self._awaited = awaited
        self._say_place()

    def _say_place(self) -> None:
        """Say what is waited for, or how much there is below what is shown."""
        below = len(self._rows) - round(self.scroll_target_y) - self.inner.height
        self.entitle(self._awaited or (f"▼ {below:,} lines more: PgDn" if below > 0 else ""))

    def watch_scroll_y(self, before: float, now: float) -> None:
        super().watch_scroll_y(before, now)
        if round(before) != round(now):
            self._say_place()

    def on_resize(self) -> None:
        width = self.inner.width
        if width != self._width:
            self._width = width
            self._rows = [row for line in self._said for row in _wrapped(line, self._width)][
                -MOST_ROWS:
            ]
            self.resize_lines()
            self.redraw()
        self._show_from(len(self._rows))

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        text, tone = self._rows[line]
        if _is_asked(text, tone):
            yield Segment(PROMPT, self.tone("accent"))
            text = text[len(PROMPT) :]
        elif tone == "field":
            indent, label = _indent(text), _label(self._rows, line)
            yield Segment(text[:indent], self.tone("dim"))
            yield Segment(label, self.tone("label"))
            text, tone = text[indent + len(label) :], "text"
        yield Segment(fit(text, width), self.tone(tone))

    def page(self, pages: float) -> None:
        """Scroll by pages, without moving the cursor."""
        height = max(self.inner.height - 1, 1)
        self.scroll_to(
            y=max(0, round(self.scroll_target_y) + int(pages * height)), animate=False, force=True
        )
        self._say_place()
