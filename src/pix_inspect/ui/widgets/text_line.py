"""A line of text to write in, in which every character that can be typed is text."""

from __future__ import annotations

from textual.keys import KEY_NAME_REPLACEMENTS
from textual.widgets import Input

TYPED = frozenset(KEY_NAME_REPLACEMENTS.values())
"""Keys of printable characters that have names of their own."""


class TextLine(Input):
    """The line. Its cursor does not blink, and what it is given is not selected."""

    def __init__(self, value: str = "", placeholder: str = "", id: str | None = None) -> None:
        super().__init__(value, placeholder, id=id, select_on_focus=False)
        self.cursor_blink = False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is written here, so that it does nothing else."""
        return key in TYPED or super().check_consume_key(key, character)
