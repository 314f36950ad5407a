"""Wire text made harmless: shown, never obeyed.

Build logs, names and errors are written by strangers. Whatever could move the cursor,
change colours, reorder or hide text is replaced by a visible escape, so that one character
takes one cell or two and nothing reaches the terminal as a command.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc"
"""Printable by their category, and not to be seen."""

_JOINING = re.compile("[\u1161-\u11ff\ud7b0-\ud7fb\U0001f3fb-\U0001f3ff]")
"""Vowels and finals of Korean syllables, and skin tones: drawn into what stands before them."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "␛"}


def _escape(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{{{code:x}}}"


def _is_safe(char: str) -> bool:
    """Whether a character stands for itself: it can be seen, alone, in a cell of its own.

    Not so are controls, separators, bidi overrides, surrogates, private and unassigned
    characters (Unicode's "other"), and marks and letters that join what stands before them.
    """
    return (
        char.isprintable()
        and unicodedata.category(char)[0] != "M"
        and char not in _INVISIBLE
        and not _JOINING.match(char)
    )


def inert(text: str, longest: int | None = None) -> str:
    """Return `text` on one line without anything a terminal could obey.

    With `longest`, texts of more characters are cut there and end in `…`.
    """
    if longest is not None and len(text) > longest:
        text = text[: max(longest - 1, 0)] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_safe(char) else _escape(char) for char in text)


_ANSI = re.compile("\x1b(?:\\[[0-9;:?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")


def plain(text: str) -> str:
    """Return `text` without terminal colour sequences: for messages shown as prose.

    What remains is not yet inert.
    """
    return _ANSI.sub("", text)


def inert_lines(text: str) -> list[str]:
    """Return the lines of a message, colours removed, each inert."""
    return [inert(line) for line in plain(text).rstrip("\n").split("\n")]
