"""A line of text to write in, in which every character that can be typed is text."""

from __future__ import annotations

from textual.dom import DOMNode
from textual.events import Paste
from textual.keys import KEY_NAME_REPLACEMENTS
from textual.widgets import Input

TYPED = frozenset(KEY_NAME_REPLACEMENTS.values())
"""Keys of printable characters that have names of their own."""

LONGEST = 10_000
"""Characters that a line has room for when something is pasted."""


class TextLine(Input):
    """The line. Its cursor does not blink, and what it is given is not selected.

    Keys that mean something to the pane `around` it are not the line's.
    """

    def __init__(
        self,
        value: str = "",
        placeholder: str = "",
        id: str | None = None,
        around: DOMNode | None = None,
    ) -> None:
        super().__init__(value, placeholder, id=id, select_on_focus=False)
        self.cursor_blink = False
        for key in around._bindings.key_to_bindings if around is not None else ():
            self._bindings.key_to_bindings.pop(key, None)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is written here, so that it does nothing else."""
        return key in TYPED or super().check_consume_key(key, character)

    def _on_paste(self, event: Paste) -> None:
        """Take one line of reasonable length; what is left out is said."""
        event.stop()
        event.prevent_default()
        lines = [line for line in event.text.splitlines() if line.strip()]
        text = lines[0] if lines else ""
        if len(self.value) + len(text) > LONGEST:
            said = f"nothing was pasted: {len(text):,} characters, and a line takes {LONGEST:,}"
            self.notify(said, severity="warning", markup=False)
            return
        self.replace("".join(c if c.isprintable() else " " for c in text), *self.selection)
        if len(lines) > 1:
            self.notify(f"pasted the first of {len(lines):,} lines", markup=False)
