"""The exchanges that the user marked, with what was noted of each."""

from __future__ import annotations


class Marks:
    """Marks by exchange, from 0."""

    def __init__(self) -> None:
        self.notes: dict[int, str] = {}
        """What was noted of each marked exchange, which may be nothing."""
        self.last: int | None = None
        """The exchange that was marked last, of those that are marked."""

    def note(self, exchange: int, text: str | None) -> None:
        """Mark an exchange with a note, which may be empty; None takes the mark away."""
        if text is None:
            self.notes.pop(exchange, None)
        else:
            self.notes[exchange] = text
            self.last = exchange
        if self.last not in self.notes:
            self.last = max(self.notes, default=None)

    def recall(self, notes: dict[int, str]) -> None:
        """Take the marks of an earlier time."""
        self.notes.update(notes)
        self.last = max(self.notes, default=None)
