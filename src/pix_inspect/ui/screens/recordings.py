"""The screen of two recordings: what only one did, did more often or slower, what was answered
differently.

Exchanges are aligned by operation and request; what changes from run to run is masked. `enter`
goes to the exchange in the recording that has it, or shows both where both have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType

from pix.dataclass import dataclass
from pix_inspect.base.units import count, duration
from pix_inspect.compare.changes_text import lines
from pix_inspect.compare.sessions import Differences, Pairing
from pix_inspect.compare.sessions_text import in_words, session_in_words
from pix_inspect.filter.terms import name_term
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.screens.comparison import ORDER, Comparison, largest_first
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen, Head
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.text import fit, fit_right, safe

MOST_NUMBERS = 20
MOST_CHANGES = 50
WIDTH = 400
"""Characters of a value."""
LINE_TONES = {"field": "accent", "first": "bad", "second": "good", "more": "dim"}

TONES = {
    "only first": "bad",
    "only second": "good",
    "set up otherwise": "warn",
    "answered otherwise": "warn",
    "more often": "accent",
    "slower": "dim",
}
SHORT = {"only first": "only in A", "only second": "only in B"}
KIND_CELLS = max(map(len, TONES))
COUNT_CELLS = 7
OPERATION_CELLS = 22


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to go: to a place of A (0) or B (1)."""

    which: int
    place: GoTo


class RecordingsScreen(DetailScreen[Pairing, "Destination | None"]):
    """Two recordings compared; returns where to go, or None."""

    TITLE = "Two recordings"
    DETAIL = "The difference"
    WHAT = "the difference"
    HINT = "A difference is told in full here."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Go there, or compare both", id="recordings.enter"),
        Binding("a", "visit(0)", "Go to it in A", show=False, id="recordings.first"),
        Binding("b", "visit(1)", "Go to it in B", show=False, id="recordings.second"),
        Binding("f", "filter", "Show this operation", id="recordings.filter"),
        Binding("y", "copy", "Copy the difference", show=False, id="recordings.copy"),
        Binding("C", "back", "Back", show=False, id="recordings.back"),
        *KEYS,
    ]

    def __init__(self, first: Tab, second: Tab) -> None:
        super().__init__("", self.TITLE)
        self.tabs = (first, second)
        self.head = [Head("A", first.title), Head("B", second.title)]
        self.comparison = Comparison(first.session.path, second.session.path)
        self.found: Differences | None = None
        self.settled = False
        """Whether the differences stand there."""

    def on_mount(self) -> None:
        self.list.empty = "reading …"
        back = pressed(self.app, "screen.back", "esc")
        in_background(
            self,
            lambda: self.comparison.run(
                lambda said: self.app.call_from_thread(self._tell, f"{said}; {back} stops")
            ),
            self._show,
            what="cannot be compared",
            failed=self._failed,
        )

    def on_unmount(self) -> None:
        """Stop comparing when the screen ends."""
        self.comparison.close()

    def _tell(self, said: str) -> None:
        self.list.empty = said
        self.list.refresh()

    def _failed(self, line: str) -> None:
        self.settled = True
        self._tell(line)

    def _show(self, found: Differences) -> None:
        self.found = found
        rows = largest_first(found.pairings)
        for head, session in zip(self.head, found.sessions, strict=True):
            head.say(session_in_words(session))
        self.list.say(rows, "No difference but in what differs from run to run.")
        kinds = Counter[str](row.kind for row in rows)
        words = [f"{kinds[kind]:,} {SHORT.get(kind, kind)}" for kind in ORDER if kinds[kind]]
        self.list.entitle(", ".join([*words, f"{found.aligned - len(rows):,} the same"]))
        self.explain()
        self.settled = True

    def cells(self, row: Pairing, width: int) -> Iterable[Paragraph]:
        yield TONES[row.kind], fit(in_words(row), KIND_CELLS) + " "
        for found in (row.first, row.second):
            often = f"{len(found):,}" if found else "–"
            yield ("number" if found else "dim"), fit_right(often, COUNT_CELLS)
        yield "name", f"  {fit(safe(row.operation, 100), OPERATION_CELLS)} "
        if self.found is not None:
            yield "text", safe(self.found.about(row), 300)
        if row.kind == "slower":
            yield "number", f"  {duration(row.times[0])} → {duration(row.times[1])}"

    def paragraphs(self, row: Pairing) -> list[Paragraph]:
        found = self.found
        assert found is not None
        name = f"{safe(row.operation, 100)} {safe(found.about(row), 500)}".rstrip()
        said: list[Paragraph] = [(TONES[row.kind], in_words(row)), ("name", name)]
        for which, (side, took) in enumerate(zip("AB", row.times, strict=True)):
            numbers = row.exchanges(which)
            if numbers:
                shown = " ".join(f"#{i + 1}" for i in numbers[:MOST_NUMBERS])
                rest = len(numbers) - MOST_NUMBERS
                more = f" and {rest:,} more" if rest > 0 else ""
                times = f"{count(len(numbers), 'time')}, {duration(took)} in all"
                said.append(("text", f"{side}: {times}: {shown}{more}"))
            else:
                said.append(("dim", f"{side}: never"))
        both = [
            f"{count(tally.count, 'time')} in {side}, {duration(tally.total)}"
            for side, tally in zip("AB", found.tallies[row.operation], strict=True)
        ]
        said.append(("dim", f"{safe(row.operation, 100)} of all requests: {'; '.join(both)}"))
        if row.otherwise and row.pair is not None:
            first, second = (i + 1 for i in row.pair)
            said.append(("dim", f"A #{first} and B #{second} differ:"))
            said += [
                (LINE_TONES[line.tone], f"{'  ' * line.depth}{line.text}")
                for line in lines(found.changes(row), MOST_CHANGES, WIDTH)
            ]
        return said

    def go_to(self, row: Pairing) -> None:
        if row.pair is None:
            self._leave_for(row, 0 if row.first else 1)
        else:
            sessions = zip(self.comparison.sessions, row.pair, strict=True)
            self.app.push_screen(DifferencesScreen(*(each.exchange(i) for each, i in sessions)))

    def action_visit(self, which: int) -> None:
        """Go to the exchange in one of the recordings."""
        if (row := self.chosen) is not None:
            self._leave_for(row, which)

    def action_filter(self) -> None:
        """Show all exchanges of the operation."""
        if (row := self.chosen) is not None:
            to = GoTo(filter=name_term(row.operation))
            self.dismiss(Destination(0 if row.first else 1, to))

    def _leave_for(self, row: Pairing, which: int) -> None:
        numbers = (row.first, row.second)[which]
        if numbers:
            at = numbers[0] if row.pair is None else row.pair[which]
            self.dismiss(Destination(which, GoTo(exchange=at)))
        else:
            self.app.notify(f"{'AB'[which]} never did this", markup=False)
