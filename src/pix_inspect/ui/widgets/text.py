"""Text in cells: what may stand on a line of the screen, and how much of it fits.

Everything from the wire passes through `safe` on its way to the screen: afterwards every
character takes one cell or two, none moves, joins, reorders or hides others. Lines are made
of segments; nothing here, and nothing that uses it, interprets markup.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

from pix_inspect.base.safe_text import inert

RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
"""Classes of characters that some terminals draw backwards, together with what follows."""


def safe(text: str, longest: int | None = None) -> str:
    """Return `text` on one line, harmless, of at most `longest` characters of the original."""
    text = inert(text, longest)
    if text.isascii():
        return text
    return "".join(map(_safe_character, text))


@lru_cache(maxsize=4096)
def _safe_character(char: str) -> str:
    if char.isascii():
        return char
    hidden = get_character_cell_size(char) == 0
    if hidden or unicodedata.bidirectional(char) in RIGHT_TO_LEFT:
        return f"\\u{{{ord(char):x}}}"
    return char


def fit(text: str, width: int) -> str:
    """Return safe `text` in exactly `width` cells: padded, or cut with `…` at its end."""
    length = len(text) if text.isascii() else cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    return _head(text, width - 1) + "…" if width > 0 else ""


def fit_right(text: str, width: int) -> str:
    """Return safe `text` in exactly `width` cells, flush right; cut at its end."""
    length = len(text) if text.isascii() else cell_len(text)
    return " " * (width - length) + text if length <= width else fit(text, width)


def fit_end(text: str, width: int) -> str:
    """Return safe `text` in at most `width` cells: cut at its beginning, where it says least."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return "…" + _head(text[::-1], width - 1).rstrip(" ")[::-1]


def fit_middle(text: str, width: int) -> str:
    """Return safe `text` in at most `width` cells: cut in its middle."""
    if cell_len(text) <= width:
        return text
    first = max(min(width // 3, 16), 0)
    return _head(text, first).rstrip(" ") + fit_end(text[first:], width - first)


def _head(text: str, width: int) -> str:
    """Return as much of `text` as fits, padded to exactly `width` cells."""
    if text.isascii():
        return text[:width]
    used = 0
    for i, char in enumerate(text):
        size = get_character_cell_size(char)
        if used + size > width:
            return text[:i] + " " * (width - used)
        used += size
    return text + " " * (width - used)


def wrapped(text: str, width: int) -> list[str]:
    """Return safe `text` in lines of at most `width` cells, broken at spaces where there are."""
    width = max(width, 2)
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while cell_len(word) > width:
            head = _head(word, width)
            lines.append(head)
            word = word[len(head.rstrip(" ")) or 1 :]
        line = word
    return [*lines, line]
