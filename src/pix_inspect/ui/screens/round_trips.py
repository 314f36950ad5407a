"""The screen of round trips: where the time went, what was asked again, what distance costs.

The recording is gone through in a thread that tells how far it is; `d` has the daemon stand
farther away, as `analyse --at-rtt` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from pix.problem import Problem
from pix_inspect.analysis.round_trips import Analyst, Distance
from pix_inspect.analysis.text import as_text
from pix_inspect.base.table import TableLine
from pix_inspect.filter.terms import name_term
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.text import safe

DISTANCES = (0, 1, 10, 50, 200)
"""Milliseconds of a round trip, as `d` goes through them; 0: as it was."""


class AnalysisScreen(DetailScreen[str, "GoTo | None"]):
    """The round trips of a session, as far as it has come when it is opened.

    Returns the filter of an operation's exchanges, or None.
    """

    TITLE = "Round trips"
    DETAIL = "The line in full"
    WHAT = "the line"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Show these exchanges", id="analysis.enter"),
        Binding("d", "farther", "Another distance", id="analysis.farther"),
        Binding("y", "copy", "Copy the line", show=False, id="analysis.copy"),
        Binding("T", "back", "Back", show=False, id="analysis.back"),
        *KEYS,
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session.path.name)
        self.session = session
        self.settled = False
        """Whether the report stands there."""
        self._distance = 0

    def on_mount(self) -> None:
        self._begin()

    @property
    def _milliseconds(self) -> int:
        return DISTANCES[self._distance]

    def _begin(self) -> None:
        self.settled = False
        distance = Distance(self._milliseconds * 1_000_000) if self._milliseconds else None
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
        said = as_text(found, distance, analyst.predicted)
        return [line if isinstance(line, TableLine) else safe(line, 1000) for line in said]

    def _tell(self, progress: str) -> None:
        self.list.empty = progress
        self.list.entitle(progress)
        self.list.refresh()

    def _show(self, said: list[str]) -> None:
        self.settled = True
        far = self._milliseconds
        self.list.entitle(f"with a round trip of {far} ms" if far else "as it was")
        self.list.say(said, "nothing was said")
        self.explain()

    def cells(self, row: str, width: int) -> Iterable[Paragraph]:
        yield "text", row.fitted(width) if isinstance(row, TableLine) else row

    def paragraphs(self, row: str) -> list[Paragraph]:
        if not (named := self._named(row)):
            return [("text", row.strip())]
        (_, name), *others = named
        return [("name", name), ("text", ", ".join(f"{head} {cell}" for head, cell in others))]

    def _named(self, row: str) -> list[tuple[str, str]]:
        """Return the cells of an operation's line with their heads, nothing for other lines."""
        table = [line for line in self.list.rows if isinstance(line, TableLine)]
        if not isinstance(row, TableLine) or row is table[0]:
            return []
        return [each for each in zip(table[0].cells, row.cells, strict=True) if each[1]]

    def go_to(self, row: str) -> None:
        if named := self._named(row):
            self.dismiss(GoTo(filter=name_term(named[0][1])))
        else:
            self.app.notify("this line is not about one operation", markup=False)

    def action_farther(self) -> None:
        """Have the daemon stand at the next distance."""
        self._distance = (self._distance + 1) % len(DISTANCES)
        self._begin()
