"""The screen of statistics: by operation, by connection, by duration, over time.

What is counted grows in slices between keys, so that a million exchanges keep nobody waiting;
a session that goes on is followed. Whatever is chosen stands for a filter, and `enter` goes
back with it to the timeline.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from pix_inspect.analysis.statistics import SLICE, Statistics, Tally
from pix_inspect.base.units import count
from pix_inspect.filter.terms import name_term
from pix_inspect.recording.notes import Peer
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.charts import Histogram, Rate
from pix_inspect.ui.screens.detail_screen import KEYS, Head, OtherScreen
from pix_inspect.ui.screens.tallies import WHOLE, Summed, Tallies, TallyHead
from pix_inspect.ui.timeline.connection_facts import command_of
from pix_inspect.ui.widgets.keys_footer import KeysFooter
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import safe

WORK = 0.015
PAUSE = 0.004
"""Seconds of counting in one go, and between two while there is a lot to count."""

AGAIN = 0.5
"""Seconds after which what went on is counted."""

PANES = ("operations", "connections", "durations", "rate")


class StatisticsScreen(OtherScreen["GoTo | None"]):
    """Statistics of a session; returns the filter to show, None for none.

    `shown` are the exchanges that a filter lets through, with `filtered` its text; with None
    all are counted, and the filter to show stands alone.
    """

    TITLE = "Statistics"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "everything", "All exchanges, or those of the filter", show=False,
                id="statistics.everything"),
        Binding("backslash", "maximise", "Maximise the pane, and back", show=False,
                key_display="\\", id="statistics.maximise"),
        *KEYS,
    ]  # fmt: skip

    def __init__(
        self, session: Session, shown: Sequence[int] | None = None, filtered: str = ""
    ) -> None:
        super().__init__()
        self.session = session
        self.shown = shown
        self.filtered = filtered
        self.statistics = Statistics(session, shown)
        self.head = Head("Statistics", safe(session.path.name, 200))
        self.tables = (
            Tallies("By operation", "operation", id="operations"),
            Tallies("By connection", "connection", id="connections"),
        )
        self.histogram = Histogram()
        self.rate = Rate(id="rate")
        self._table = self.tables[0]
        """The table whose line the charts are of."""
        self._zoomed: str | None = None
        self._whole = Tally(WHOLE)
        self._of = ""
        self._said = -1.0
        self._waiting = True
        self._more: Timer | None = None
        self._filtered_ones: Sequence[int] = ()

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        yield self.head
        for table in self.tables:
            with Vertical(id=f"{table.id}-frame"):
                yield TallyHead(table)
                yield table
        with Horizontal(id="charts"):
            yield self.histogram
            yield self.rate
        yield KeysFooter()

    @property
    def settled(self) -> bool:
        """Whether everything there is has been counted and shown."""
        return self.statistics.taken >= self.statistics.wanted and not self._waiting

    def on_mount(self) -> None:
        """Count what there is."""
        self._table.focus()
        self._count()

    def on_grown(self) -> None:
        """Keep up."""
        if self._more is None:
            self._more = later(self, AGAIN, self._count)

    # Counting ---------------------------------------------------------------------------

    def _count(self) -> None:
        self._more = None
        statistics = self.statistics
        until = time.monotonic() + WORK
        changed = False
        while statistics.update(SLICE):
            changed = True
            if time.monotonic() >= until:
                break
        more = statistics.taken < statistics.wanted
        self._waiting = self._waiting or changed
        if more:
            self._more = later(self, PAUSE, self._count)
        if not more or time.monotonic() - self._said > AGAIN:
            if changed or self._waiting:
                self._show()
            self._waiting = more
        done = f"◌ counting {statistics.taken * 100 // max(statistics.wanted, 1)} %" if more else ""
        self.head.say("  ".join(filter(None, (done, self._of))))

    def _show(self) -> None:
        self._said = time.monotonic()
        statistics = self.statistics
        self._whole = whole = statistics.all
        whole.name = WHOLE
        connections = self.session.connections
        operations = [
            Summed.of(name, safe(name, 60), tally, whole.total)
            for name, tally in statistics.operations.items()
        ]
        clients = []
        for number, tally in statistics.connections.items():
            row = connections.get(number)
            said = f"{number}  {command_of(row.peer if row is not None else Peer(), 120)}".rstrip()
            clients.append(Summed.of(number, said, tally, whole.total))
        top = [Summed.of(WHOLE, WHOLE, whole, whole.total)] if whole.count else []
        for table, rows in zip(self.tables, (operations, clients), strict=True):
            table.say([*top, *rows], "Nothing has passed yet.")
        counted = count(whole.count, "exchange")
        if self.shown is not None and self.filtered:
            counted += f" of {len(self.session):,}: {safe(self.filtered, 200)}"
        going_on = len(statistics.open_rows)
        self._of = counted + (f", {going_on:,} going on" if going_on else "")
        self._chart()

    def _chart(self) -> None:
        """Draw the charts of the line under the cursor."""
        row = self._table.chosen
        tally = row.tally if row is not None else self._whole
        whole = row is None or row.label == WHOLE
        about = "" if whole else safe(tally.name, 40)
        self.histogram.show(tally.histogram if tally.count else [], about)
        seconds, counts = self.statistics.rate(self.rate.bars, tally)
        self.rate.say(seconds, counts if tally.count else [], about)

    def on_resize(self) -> None:
        """Draw the charts as wide as there is room now."""
        self.call_after_refresh(self._chart)

    # What is chosen ---------------------------------------------------------------------

    def on_descendant_focus(self) -> None:
        """Have the charts show the table that was gone through last."""
        if isinstance(self.focused, Tallies):
            self._table = self.focused
            self._chart()

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Show the charts of the chosen line."""
        if isinstance(message.pane, Tallies):
            self._chart()

    def on_lines_entered(self, message: Lines.Entered) -> None:
        """Go to the exchanges of the chosen line, or of the chosen bar of it."""
        if not message.pane.count:
            self.app.notify("nothing has passed yet", markup=False)
            return
        self._leave_for(self.histogram.filter if message.pane is self.histogram else "")

    def on_rate_entered(self) -> None:
        """Go to the exchanges of the chosen stretch of time."""
        self._leave_for(self.rate.filter)

    def _leave_for(self, part: str) -> None:
        row = self._table.chosen
        line = (
            ""
            if row is None or row.label == WHOLE
            else (f"conn = {row.key}" if isinstance(row.key, int) else name_term(str(row.key)))
        )
        wanted = [each for each in (line, part) if each]
        if self.shown is not None and self.filtered:
            wanted.insert(0, f"({self.filtered})" if wanted else self.filtered)
        self.dismiss(GoTo(filter=" and ".join(wanted)))

    # Keys -------------------------------------------------------------------------------

    def action_everything(self) -> None:
        """Count all exchanges, or those that the filter lets through."""
        if not self.filtered:
            self.app.notify("there is no filter: all exchanges are counted", markup=False)
            return
        if self.shown is None:
            self.shown = self._filtered_ones
        else:
            self._filtered_ones, self.shown = self.shown, None
        self.statistics = Statistics(self.session, self.shown)
        self._waiting = True
        self._said = -1.0
        if self._more is None:
            self._count()

    def action_maximise(self) -> None:
        """Give the focused pane the whole screen, or take it back."""
        focused = self.focused.id if self.focused is not None else None
        self._zoom(None if self._zoomed is not None else focused)

    def _zoom(self, pane: str | None) -> None:
        self._zoomed = pane
        for name in PANES:
            self.set_class(name == pane, f"-only-{name}")
        self.call_after_refresh(self._chart)

    def action_back(self) -> None:
        """Take the maximised pane back, or go back to the exchanges."""
        if self._zoomed is not None:
            self._zoom(None)
        else:
            super().action_back()
