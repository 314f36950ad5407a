"""The screen of round trips: where the time went, what was asked again, what distance costs.

The recording is gone through in a thread that tells how far it is; `d` has the daemon stand
farther away, as `analyse --at-rtt` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from pix.problem import Problem
from pix_inspect.analysis.round_trips import Analyst, Distance
from pix_inspect.analysis.text import as_text
from pix_inspect.filter.terms import name_term
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.text import safe

DISTANCES = (0, 1, 10, 50, 200)
"""Milliseconds of a round trip, as `d` goes through them; 0: as it was."""

OPERATION = "operation"
COLUMNS = re.compile(r" {2,}")
"""The head of the report's table, and what stands between two of its cells."""


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
        return [safe(line, 1000) for line in as_text(found, distance, analyst.predicted)]

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
        yield "text", row

    def paragraphs(self, row: str) -> list[Paragraph]:
        named = self._named(row)
        if not named:
            return [("text", row.strip())]
        said = ", ".join(f"{head} {value}" for head, value in named.items() if head != OPERATION)
        return [("name", named[OPERATION]), ("text", said)]

    def _named(self, row: str) -> dict[str, str]:
        """Return the cells of an operation's line by their heads, nothing for other lines."""
        heads = next((each for each in self.list.rows if each.startswith(OPERATION)), "")
        cells = COLUMNS.split(row)
        fits = row != heads and len(cells) + 1 >= len(COLUMNS.split(heads)) > 1
        return dict(zip(COLUMNS.split(heads), cells, strict=False)) if fits else {}

    def go_to(self, row: str) -> None:
        named = self._named(row)
        if named:
            self.dismiss(GoTo(filter=name_term(named[OPERATION])))
        else:
            self.app.notify("this line is not about one operation", markup=False)

    def action_farther(self) -> None:
        """Have the daemon stand at the next distance."""
        self._distance = (self._distance + 1) % len(DISTANCES)
        self._begin()
