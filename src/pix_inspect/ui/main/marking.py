"""Marks and notes on a screen: taken up when a recording is opened, kept when they change."""

from __future__ import annotations

from textual.screen import Screen

from pix.problem import Problem
from pix_inspect.session import marks
from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.bar import Bar, Purpose
from pix_inspect.ui.widgets.text import safe

HINT = "an empty note takes the mark away"


class Marking(Screen[None]):
    """A screen whose timeline has marks."""

    session: Session
    _noting: int | None = None
    _recalled = False

    @property
    def timeline(self) -> Timeline:
        raise NotImplementedError

    @property
    def bar(self) -> Bar:
        """The line in which one writes."""
        raise NotImplementedError

    def recall_marks(self) -> None:
        """Take the marks of an earlier time, once it is known which recording this is."""
        if self._recalled or not self.session.started:
            return
        self._recalled = True
        try:
            self.timeline.marks.recall(marks.load(self.session))
            self.timeline.lines.redraw()
        except Problem as problem:
            self._complain(problem)

    def on_timeline_marked(self) -> None:
        try:
            marks.save(self.session, self.timeline.marks.notes)
        except Problem as problem:
            self._complain(problem)

    def on_timeline_note_wanted(self, message: Timeline.NoteWanted) -> None:
        """Have the user write a note."""
        self._noting = message.exchange
        known = self.timeline.marks.notes.get(message.exchange, "")
        self.bar.begin(Purpose("note", f"note on #{message.exchange + 1}", HINT), known)

    def take_note(self, text: str) -> None:
        if self._noting is not None:
            self.timeline.note(self._noting, text[: marks.LONGEST_NOTE] or None)
        self._noting = None

    def _complain(self, problem: Problem) -> None:
        self.app.notify(safe(str(problem), 300), severity="warning", markup=False)
