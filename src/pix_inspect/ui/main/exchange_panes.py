"""The panes of one exchange: its fields, bytes, log and payload as one selection.

Choosing an exchange shows its fields and bytes; choosing a field lights its bytes; choosing a
byte selects its field. What takes long to decode is decoded by a thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from pix_inspect.base.units import size
from pix_inspect.describe.field_rows import rows
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import ConnectionRow, Session
from pix_inspect.ui.exchange.bytes_pane import Bytes
from pix_inspect.ui.exchange.explanation import Explanation, explanation
from pix_inspect.ui.exchange.fields_pane import Fields
from pix_inspect.ui.exchange.log_pane import Log
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.main.panes import PaneLayout
from pix_inspect.ui.timeline.glances import heavy
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit_end, safe

if TYPE_CHECKING:
    from pix_inspect.filter.search import Hit
    from pix_inspect.ui.exchange.log_tree import Said

PAUSE = 4
"""An exchange that goes on is read again after so many times what reading took."""

Span = tuple[int, int, int]
"""A side and there the bytes `[start, end)`."""


class ExchangePanes(Vertical):
    """The panes, of which one exchange, one field and its bytes are chosen."""

    def __init__(self, session: Session, panes: PaneLayout, id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self.fields = Fields(id="fields")
        self.fields.waiting = ["Choose an exchange to see its fields."]
        self.log_pane = Log(id="log")
        self.payload_pane = PayloadPane(id="payload")
        self.bytes = Bytes(id="bytes")
        self.explanation = Explanation(id="explanation")
        self.view: ExchangeView | None = None
        self.index: int | None = None
        """The exchange that is chosen, from 0; its view may still be on the way."""
        self._panes = panes
        self._looked: tuple[object, ...] | None = None
        self._not_before = 0.0
        self._again: Timer | None = None
        self._hit: tuple[int, Hit] | None = None
        """A hit in an exchange that is still being read."""

    def compose(self) -> ComposeResult:
        yield self.fields
        yield self.log_pane
        yield self.payload_pane
        yield self.bytes
        yield self.explanation

    # The exchange -----------------------------------------------------------------------

    def shows(self, index: int | None) -> bool:
        """Return whether an exchange is what is shown."""
        known = self.view is not None and self.view.row.number - 1 == index
        return self.index == index and (known or index is None)

    def choose(self, index: int | None) -> None:
        """Show an exchange, or with None that there is none."""
        if index is None:
            self.index = self.view = self._looked = None
            self.fields.clear("Nothing to show.")
            self.bytes.show(None)
            self._explain(None)
        elif index != self.index:
            self.index = index
            self._look(index, again=False)

    def renew(self) -> None:
        """Look again at an exchange that has gone on, now or when it is time again."""
        index, wait = self.index, self._not_before - time.monotonic()
        if index is None or self._looked in (None, self._signature(index)):
            return
        if wait <= 0:
            self._look(index, again=True)
        elif self._again is None:
            self._again = later(self, wait, self._renew_now)

    def _renew_now(self) -> None:
        self._again = None
        self.renew()

    def _signature(self, index: int) -> tuple[object, ...]:
        row = self.session.row(index)
        return (row.number, row.state, row.up, row.down, row.frames)

    def _look(self, index: int, *, again: bool) -> None:
        self._looked = self._signature(index)
        if not heavy(self.session, self.session.row(index)):
            self._show(index, self.session.exchange(index), again=again)
            return
        if not again:
            self.view = None
            self.fields.clear("reading …")
            self.bytes.show(None)
        self._looked = None

        before = self.view if again else None
        logging = self._panes.side == "log"

        def read() -> tuple[ExchangeView, list[Said] | None, float]:
            began = time.monotonic()
            if before is not None and before.row.number - 1 == index:
                view = self.session.again(before)
            else:
                view = self.session.exchange(index)
            told = _narration(view) if logging else None
            return view, told, PAUSE * (time.monotonic() - began)

        in_background(
            self,
            read,
            lambda found: self._show_late(index, again, *found),
            what=f"#{index + 1} cannot be read",
            failed=lambda line: self._say_unread(index, line),
            group="exchange",
            exclusive=True,
        )

    def _show_late(
        self, index: int, again: bool, view: ExchangeView, told: list[Said] | None, pause: float
    ) -> None:
        self._not_before = time.monotonic() + pause
        if index == self.index:
            self._looked = self._signature(index)
            self._show(index, view, again=again and self.view is not None, told=told)
            self.renew()

    def _say_unread(self, index: int, line: str) -> None:
        self.app.notify(line, severity="error", markup=False)
        if index == self.index and self.view is None:
            self.fields.clear(line)

    def _show(
        self, index: int, view: ExchangeView, *, again: bool, told: list[Said] | None = None
    ) -> None:
        self.view = view
        row = view.row
        found = rows(view, absent=self.fields.absent)
        code = f" ({row.wire_number})" if row.code is not None else ""
        self.fields.entitle(safe(f"#{row.number} {row.name}{code}"))
        passed = row.up or row.down
        self.fields.waiting = ["its bytes are not there" if passed else "nothing was said"]
        if again:
            self.fields.renew(found)
        else:
            self.fields.show(row.name, found)
        self.bytes.show(view, keep=again)
        if self._panes.side == "log":
            lines = _narration(view) if told is None else told
            self.log_pane.say(lines, keep=again, tail=row.took is None)
        self._field_chosen(move=not again)
        if self._panes.side == "payload":
            self.payload_pane.show(view, keep=again)
        if self._hit is not None and self._hit[0] == index:
            self.show_hit(*self._hit)

    # The field and its bytes ------------------------------------------------------------

    def show_hit(self, index: int, hit: Hit) -> None:
        """Select the field and light the bytes of what was searched for, once it is shown."""
        self._hit = (index, hit) if self.view is None else None
        if self._hit is not None:
            return
        path = hit.path
        if path is None and hit.side is not None:
            path = self.fields.outline.at_byte(hit.side, hit.start)
        if path is None:
            return
        self.fields.select(path)
        if hit.path is not None:
            self.light()
        elif hit.side is not None:
            self._light((hit.side, hit.start, hit.end))

    def light(self) -> None:
        """Light the bytes of the chosen field again."""
        self._field_chosen(move=True)

    def explain(self) -> None:
        """Say what the chosen field is, where there is a pane for it."""
        if self._panes.shows("explanation"):
            around = self.fields.outline.rows(self.fields.path)
            self.explanation.say(explanation(self.view, around, self._connection))

    def toggle(self, pane: str) -> None:
        """Show or hide a pane, and fill it."""
        self._panes.toggle(pane)
        if pane == "explanation":
            self.explain()
        elif pane == "log" and self._panes.side == "log" and self.view is not None:
            self.log_pane.say(_narration(self.view), tail=self.view.row.took is None)
        elif pane == "payload":
            if self._panes.side == "payload":
                self.payload_pane.show(self.view)
            else:
                self.light()

    def _light(self, lit: Span | None, *, move: bool = True) -> None:
        """Light these bytes, and say what they are."""
        self.bytes.light(lit, move=move)
        self._explain(lit)

    def _field_chosen(self, *, move: bool) -> None:
        path = self.fields.path
        around = self.fields.outline.rows(path)
        if self.fields.row is None:
            around = around[: max(len(path) - 1, 0)]
        spans = [
            (row.side, row.start, row.end)
            for row in around
            if row.side is not None and row.start >= 0
        ]
        own = bool(around) and around[-1].start >= 0
        lit = spans[-1] if own else None
        near = spans[-2] if own and len(spans) > 2 else None
        self.bytes.light(lit, near, move=move)
        self._explain(lit)

    def _explain(self, lit: Span | None) -> None:
        around = self.fields.outline.rows(self.fields.path)
        crumbs = " › ".join(safe(row.label, 60) for row in around)
        span = f"  [{lit[1]}, {lit[2]}) {size(lit[2] - lit[1])}" if lit is not None else ""
        room = max(self.bytes.size.width - len(span) - len(self.bytes.TITLE) - 8, 10)
        self.bytes.entitle(fit_end(crumbs, room) + span if crumbs else "")
        self.explain()

    # What is chosen in them -------------------------------------------------------------

    def on_fields_wanted(self) -> None:
        """Show the tree with, or without, the fields that this version lacks."""
        if self.view is not None and self.index is not None:
            self._show(self.index, self.view, again=True)

    def on_fields_chosen(self) -> None:
        """Light the bytes of the chosen field and say what it is."""
        self.light()

    def on_lines_entered(self, message: Lines.Entered) -> None:
        """Go from the log to the fields."""
        if message.pane is self.log_pane:
            self._panes.side = "fields"
            self._panes.reach("fields")

    def on_log_chosen(self, message: Log.Chosen) -> None:
        """Select the frame that said the chosen line."""
        part = message.part
        if part is None:
            return
        path = self.fields.outline.at_byte(part.side, part.start)
        for depth in range(1, len(path) + 1):
            row = self.fields.outline.row(path[:depth])
            if row is not None and row.part is not None and row.part.start == part.start:
                self.fields.select(path[:depth])
        end = part.end if part.end is not None else part.start + 8
        self._light((part.side, part.start, end))

    def on_payload_pane_chosen(self, message: PayloadPane.Chosen) -> None:
        """Light the bytes of the chosen file."""
        if self._panes.side != "payload":
            return
        self._light(message.span)
        path = self.payload_pane.path
        if path is not None and message.span is not None:
            _, start, end = message.span
            self.bytes.entitle(f"{safe(path, 200)}  [{start}, {end}) {size(end - start)}")

    def on_bytes_chosen(self, message: Bytes.Chosen) -> None:
        """Select the field of the chosen byte."""
        path = self.fields.outline.at_byte(message.side, message.offset)
        self.fields.select(path)
        row = self.fields.outline.row(path)
        lit = None
        if row is not None and row.side is not None:
            lit = (row.side, row.start, row.end)
        self._light(lit, move=False)

    def on_bytes_entered(self) -> None:
        """Go to the field of the byte under the cursor."""
        self._panes.reach("fields")

    @property
    def _connection(self) -> ConnectionRow | None:
        """The connection of the exchange that is shown."""
        view = self.view
        return self.session.connections.get(view.row.connection) if view is not None else None


def _narration(view: ExchangeView) -> list[Said]:
    from pix_inspect.ui.exchange.log_tree import narration  # when a log is looked at

    return narration(view)
