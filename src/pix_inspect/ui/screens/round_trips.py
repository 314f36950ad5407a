"""The screen of round trips: where the time went, what was asked again, what distance costs.

The recording is gone through in a thread that tells how far it is; `d` has the daemon stand
farther away, as `analyse --at-rtt` does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer
from textual.worker import get_current_worker

from pix.problem import Problem
from pix_inspect.analysis.round_trips import Analyst, Distance
from pix_inspect.analysis.text import as_text
from pix_inspect.session.session import Session
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import safe

DISTANCES = (0, 1, 10, 50, 200)
"""Milliseconds of a round trip, as `d` goes through them; 0: as it was."""


class Report(Lines):
    """The analysis, line by line."""

    TITLE = "Round trips"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.said: list[str] = []
        self.progress: str | None = "reading …"

    @property
    def count(self) -> int:
        return len(self.said)

    def say(self, said: Iterable[str]) -> None:
        self.said = [safe(line, 1000) for line in said]
        self.progress = None
        self.cursor = min(self.cursor, max(len(self.said) - 1, 0))
        self.resize_lines()
        self.redraw()

    def nothing(self) -> list[str]:
        """Say how far the reading is."""
        return ["", f"  {self.progress or 'nothing was said'}"]

    def key(self, line: int) -> Hashable:
        """A line changes with the report alone."""
        return (self.said[line], line, line == self.cursor)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        yield Segment("▸" if line == self.cursor else " ", self.tone("mark"))
        yield Segment(self.said[line], self.tone("text"))


class AnalysisScreen(Screen[None]):
    """The round trips of a session, as far as it has come when it is opened."""

    TITLE = "Round trips"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "farther", "Another distance", id="analysis.farther"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="analysis.help"),
        Binding("escape,q", "back", "Back", key_display="esc", id="analysis.back"),
    ]  # fmt: skip

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.settled = False
        """Whether the report stands there."""
        self._distance = 0

    def compose(self) -> ComposeResult:
        yield Report(id="report")
        yield Footer(show_command_palette=False)

    @property
    def report(self) -> Report:
        return self.query_one(Report)

    def on_mount(self) -> None:
        self.report.focus()
        self._begin()

    def _begin(self) -> None:
        self.settled = False
        milliseconds = DISTANCES[self._distance]
        distance = Distance(milliseconds * 1_000_000) if milliseconds else None
        told = f"if it were {milliseconds} ms there and back" if milliseconds else "as it was"
        self.report.entitle(told)
        in_background(
            self,
            lambda: self._read(distance),
            self._show,
            what="cannot be analysed",
            failed=lambda line: self._show([line]),
            group="analysis",
            exclusive=True,
        )

    def _read(self, distance: Distance | None) -> list[str]:
        worker = get_current_worker()

        def progress(done: int, whole: int) -> None:
            if worker.is_cancelled:
                raise Problem("left")
            self.app.call_from_thread(self._tell, f"reading … {done * 100 // max(whole, 1)} %")

        analyst = Analyst(self.session.path, distance, progress)
        found = analyst.read()
        return list(as_text(found, distance, analyst.predicted))

    def _tell(self, progress: str) -> None:
        report = self.report
        if report.said:
            report.entitle(progress)
        else:
            report.progress = progress
            report.refresh()

    def _show(self, said: list[str]) -> None:
        self.settled = True
        milliseconds = DISTANCES[self._distance]
        self.report.entitle(f"with a round trip of {milliseconds} ms" if milliseconds else "")
        self.report.say(said)

    def action_farther(self) -> None:
        """Have the daemon stand at the next distance."""
        self._distance = (self._distance + 1) % len(DISTANCES)
        self._begin()

    def action_back(self) -> None:
        """Go back to the timeline."""
        self.workers.cancel_group(self, "analysis")
        self.dismiss(None)
