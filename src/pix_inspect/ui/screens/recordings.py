"""The screen of two recordings: what only one did, did more often, slower, or was told otherwise.

Exchanges are aligned by operation and request; what changes from run to run is masked. `enter`
goes to the exchange in the recording that has it, or shows both where both have it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Footer

from pix_inspect.base.units import count, duration
from pix_inspect.compare.changes_text import lines
from pix_inspect.compare.sessions import Differences, Pairing
from pix_inspect.compare.sessions_text import in_words, session_in_words
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.screens.comparison import Comparison
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.widgets.lines import Lines, Toned
from pix_inspect.ui.widgets.prose import Paragraph, Prose
from pix_inspect.ui.widgets.text import fit, fit_right, safe

AGAIN = 0.1
"""Seconds between two looks at how far the comparison is."""

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
    """Where to go: to an exchange (from 0) of A (0) or B (1), or to what a filter shows there."""

    which: int
    exchange: int
    filter: str | None = None


def filter_of(pairing: Pairing) -> str:
    """Return the filter that lets through what a difference's operation is."""
    name = pairing.operation
    if name.startswith("operation "):
        return f"op = {name.partition(' ')[2]}"
    return f"{'kind' if name in ('handshake', 'orphan', 'opaque') else 'op'} = {name}"


class Alignments(Lines):
    """One line for each operation and request in which the recordings differ."""

    TITLE = "Two recordings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Go there, or compare both", id="recordings.enter"),
        Binding("right,l", "enter", "Go there, or compare both", show=False,
                id="recordings.right"),
        Binding("a", "visit(0)", "Go to it in A", show=False, id="recordings.first"),
        Binding("b", "visit(1)", "Go to it in B", show=False, id="recordings.second"),
        Binding("f", "filter", "Show this operation", id="recordings.filter"),
        Binding("y", "copy", "Copy the difference", show=False, id="recordings.copy"),
    ]  # fmt: skip

    class Filter(Lines.Moved):
        """The user wants to see all exchanges of the chosen operation."""

    class Copy(Lines.Moved):
        """The user wants the chosen difference as text."""

    class Visit(Lines.Moved):
        """The user wants to go to the exchange in A (0) or B (1)."""

        def __init__(self, pane: Alignments, which: int) -> None:
            super().__init__(pane)
            self.which = which

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Pairing] = []
        self.found: Differences | None = None
        self.waiting: str | None = "reading …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Pairing | None:
        """The difference under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def say(self, rows: list[Pairing], found: Differences | None) -> None:
        """Show these of what was found."""
        self.rows = rows
        self.found = found
        self.cursor = 0
        self.resize_lines()
        self.redraw()

    def nothing(self) -> list[str]:
        """Say how far the comparison is, or that there is no difference."""
        return ["", f"  {self.waiting or 'No difference but in what differs from run to run.'}"]

    def key(self, line: int) -> Hashable:
        """A difference does not change."""
        return (id(self.rows[line]), line == self.cursor)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of a difference."""
        row = self.rows[line]
        yield Segment("▸" if line == self.cursor else " ", self.tone("mark"))
        yield Segment(fit(in_words(row), KIND_CELLS) + " ", self.tone(TONES[row.kind]))
        for found in (row.first, row.second):
            often = f"{len(found):,}" if found else "–"
            yield Segment(fit_right(often, COUNT_CELLS), self.tone("number" if found else "dim"))
        yield Segment(f"  {fit(safe(row.operation, 100), OPERATION_CELLS)} ", self.tone("name"))
        if self.found is not None:
            yield Segment(safe(self.found.about(row), 300), self.tone("text"))
        if row.kind == "slower":
            took = f"  {duration(row.times[0])} → {duration(row.times[1])}"
            yield Segment(took, self.tone("number"))

    def action_enter(self) -> None:
        """Go to the exchange, or compare both."""
        if self.chosen is not None:
            self.post_message(self.Entered(self))

    def action_visit(self, which: int) -> None:
        """Go to the exchange in one of the recordings."""
        if self.chosen is not None:
            self.post_message(self.Visit(self, which))

    def action_filter(self) -> None:
        """Show all exchanges of the operation."""
        if self.chosen is not None:
            self.post_message(self.Filter(self))

    def action_copy(self) -> None:
        """Copy the difference as text."""
        if self.chosen is not None:
            self.post_message(self.Copy(self))


class Account(Prose):
    """One difference in full."""

    TITLE = "The difference"


class Counts(Toned):
    """Which recordings are compared, one line each, and what only that one did."""

    def __init__(self, tabs: tuple[Tab, Tab], id: str | None = None) -> None:
        super().__init__(id=id)
        self.tabs = tabs
        self.words = ("", "")

    def render_line(self, y: int) -> Strip:
        """Return the line of a recording."""
        if y > 1:
            return Strip.blank(self.size.width, self.rich_style)
        strip = Strip(
            [
                Segment(f" {'AB'[y]}  ", self.tone("dim")),
                Segment(f"{self.tabs[y].title}  ", self.tone("name")),
                Segment(self.words[y], self.tone("text")),
            ]
        )
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)


def paragraphs(found: Differences, pairing: Pairing) -> list[Paragraph]:
    """Return a difference in full."""
    name = f"{safe(pairing.operation, 100)} {safe(found.about(pairing), 500)}".rstrip()
    said: list[Paragraph] = [(TONES[pairing.kind], in_words(pairing)), ("name", name)]
    for which, (side, took) in enumerate(zip("AB", pairing.times, strict=True)):
        numbers = pairing.exchanges(which)
        if numbers:
            shown = " ".join(f"#{i + 1}" for i in numbers[:MOST_NUMBERS])
            rest = len(numbers) - MOST_NUMBERS
            more = f" and {rest:,} more" if rest > 0 else ""
            times = f"{count(len(numbers), 'time')}, {duration(took)} in all"
            said.append(("text", f"{side}: {times}: {shown}{more}"))
        else:
            said.append(("dim", f"{side}: never"))
    tally = found.tallies[pairing.operation]
    both = [
        f"{count(often, 'time')} in {side}, {duration(took)}"
        for side, often, took in zip("AB", tally.counts, tally.times, strict=True)
    ]
    said.append(("dim", f"{safe(pairing.operation, 100)} of all requests: {'; '.join(both)}"))
    if pairing.otherwise and pairing.pair is not None:
        first, second = (i + 1 for i in pairing.pair)
        said.append(("dim", f"A #{first} and B #{second} differ:"))
        said += [
            (LINE_TONES[line.tone], f"{'  ' * line.depth}{line.text}")
            for line in lines(found.changes(pairing), MOST_CHANGES, WIDTH)
        ]
    return said


class RecordingsScreen(Screen["Destination | None"]):
    """Two recordings compared; returns where to go, or None."""

    TITLE = "Two recordings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next pane", show=False, id="recordings.next"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False,
                id="recordings.previous"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="recordings.help"),
        Binding("escape,q,C", "back", "Back", key_display="esc", id="recordings.back"),
    ]  # fmt: skip

    def __init__(self, first: Tab, second: Tab) -> None:
        super().__init__()
        self.tabs = (first, second)
        self.comparison = Comparison(first.session.path, second.session.path)
        self.settled = False
        """Whether the differences stand there."""

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        yield Counts(self.tabs, id="counts")
        yield Alignments(id="alignments")
        yield Account(id="alignment")
        yield Footer(show_command_palette=False)

    @property
    def list(self) -> Alignments:
        return self.query_one(Alignments)

    def on_mount(self) -> None:
        self.list.focus()
        self.query_one(Account).say([("dim", "A difference is told in full here.")])
        self.comparison.begin()
        self._timer = self.set_interval(AGAIN, self._look)

    def on_unmount(self) -> None:
        """Stop comparing when the screen ends."""
        self.comparison.stop()

    def _look(self) -> None:
        """Say how far it is; at the end, show what was found."""
        found, pane = self.comparison, self.list
        if not found.over:
            pane.waiting = f"{found.progress}; esc stops"
            pane.refresh()
            return
        self._timer.stop()
        pane.waiting = safe(found.failure, 400) if found.failure is not None else None
        if found.failure is None:
            counts = self.query_one(Counts)
            first, second = found.sessions
            counts.words = (session_in_words(first), session_in_words(second))
            counts.refresh()
            pane.entitle(self._summary())
        pane.say(found.rows, found.found)
        self._explain()
        self.settled = True

    def _summary(self) -> str:
        found = self.comparison
        words = [f"{number:,} {SHORT.get(kind, kind)}" for kind, number in found.counts.items()]
        same = f"{found.aligned - len(found.rows):,} the same"
        return ", ".join([*words, same])

    def _explain(self) -> None:
        found, chosen = self.comparison.found, self.list.chosen
        if found is not None and chosen is not None:
            self.query_one(Account).say(paragraphs(found, chosen))

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Tell more of the chosen difference, or go where the user wants."""
        pane = message.pane
        found = self.comparison.found
        if not isinstance(pane, Alignments) or pane.chosen is None or found is None:
            return
        row = pane.chosen
        if isinstance(message, Alignments.Copy):
            text = "\n".join(said for _, said in paragraphs(found, row))
            self.app.put(Copied("the difference", text))  # type: ignore[attr-defined]
        elif isinstance(message, Alignments.Filter):
            self._leave_for(row, 0 if row.first else 1, filter_of(row))
        elif isinstance(message, Alignments.Visit):
            self._leave_for(row, message.which)
        elif not isinstance(message, Lines.Entered):
            self._explain()
        elif row.pair is None:
            self._leave_for(row, 0 if row.first else 1)
        else:
            views = [
                session.exchange(i)
                for session, i in zip(self.comparison.sessions, row.pair, strict=True)
            ]
            self.app.push_screen(DifferencesScreen(*views))

    on_lines_entered = on_lines_moved
    on_alignments_filter = on_lines_moved
    on_alignments_copy = on_lines_moved
    on_alignments_visit = on_lines_moved

    def _leave_for(self, row: Pairing, which: int, wanted: str | None = None) -> None:
        numbers = (row.first, row.second)[which]
        if numbers:
            at = numbers[0] if row.pair is None else row.pair[which]
            self.dismiss(Destination(which, at, wanted))
        else:
            self.app.notify(f"{'AB'[which]} never did this", markup=False)

    def action_back(self) -> None:
        """Go back to the timeline as it was; a comparison that is not over is stopped."""
        self.dismiss(None)
