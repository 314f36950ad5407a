"""Marks and notes on a screen: taken up when a recording is opened, kept when they change."""

from __future__ import annotations

from pix.problem import Problem
from pix_inspect.session import marks
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.bar import Bar, Purpose
from pix_inspect.ui.widgets.text import safe

HINT = "an empty note takes the mark away"


class MarkController:
    """The marks of a timeline, and the bar in which notes are written."""

    def __init__(self, timeline: Timeline, bar: Bar) -> None:
        self._timeline = timeline
        self._bar = bar
        self._recalled = False

    def recall(self) -> None:
        """Take the marks of an earlier time, once it is known which recording this is."""
        if self._recalled or not self._timeline.session.started:
            return
        self._recalled = True
        try:
            self._timeline.marks.recall(marks.load(self._timeline.session))
        except Problem as problem:
            self._complain(problem)
        self._timeline.lines.redraw()

    def keep(self) -> None:
        """Keep the marks as they are now."""
        try:
            marks.save(self._timeline.session, self._timeline.marks.notes)
        except Problem as problem:
            self._complain(problem)

    def write(self, exchange: int) -> None:
        """Have the user write a note."""

        def take(text: str) -> None:
            self._timeline.note(exchange, text[: marks.LONGEST_NOTE] or None)

        known = self._timeline.marks.notes.get(exchange, "")
        self._bar.begin(Purpose("note", f"note on #{exchange + 1}", HINT, take), known)

    def _complain(self, problem: Problem) -> None:
        self._timeline.app.notify(safe(str(problem), 300), severity="warning", markup=False)
