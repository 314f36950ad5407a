"""A word that should have been something else, as people can read it."""

from __future__ import annotations


def foreign(word: int) -> str:
    """Describe a word that should have been something else, with its text if it is text."""
    raw = word.to_bytes(8, "little")
    text = raw.rstrip(b"\0")
    if text and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in text):
        return f"{word:#x} ({text.decode('ascii')!r})"
    return f"{word:#x}"
