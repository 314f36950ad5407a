"""Wire text made harmless: shown, never obeyed.

Build logs, names and errors are written by strangers. Whatever could move the cursor,
change colours, reorder or hide text is replaced by a visible escape, so that one character
takes one cell or two and nothing reaches the terminal as a command.

Knows characters, nothing of widgets or of the protocol.
"""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 and C1 controls, among them escape
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible or joining
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi overrides
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # fillers, variation selectors, specials
    "\ud800-\udfff"  # surrogates: bytes that were not UTF-8, or broken text
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff"  # tags, private use
    "]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "␛"}


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{{{code:x}}}"


def inert(text: str, longest: int | None = None) -> str:
    """Return `text` on one line without anything a terminal could obey.

    With `longest`, texts of more characters are cut there and end in `…`.
    """
    if longest is not None and len(text) > longest:
        text = text[: max(longest - 1, 0)] + "…"
    if text.isascii() and text.isprintable():
        return text
    text = _UNSAFE.sub(_escape, text)
    # a combining mark would fall on what stands before it, perhaps our own text
    if any(unicodedata.combining(char) for char in text):
        text = "".join(
            f"\\u{{{ord(char):x}}}" if unicodedata.combining(char) else char for char in text
        )
    return text


_ANSI = re.compile("\x1b(?:\\[[0-9;:?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\-_])")


def plain(text: str) -> str:
    """Return `text` without terminal colour sequences: for messages shown as prose.

    What remains is not yet inert.
    """
    return _ANSI.sub("", text)


def inert_lines(text: str) -> list[str]:
    """Return the lines of a message, colours removed, each inert."""
    return [inert(line) for line in plain(text).rstrip("\n").split("\n")]
