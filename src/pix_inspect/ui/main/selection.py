"""Timeline, fields and bytes as one selection.

Choosing an exchange shows its fields and bytes; choosing a field lights its bytes; choosing a
byte selects its field. What takes long to decode is decoded by a thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pix_inspect.base.units import size
from pix_inspect.describe.field_rows import rows
from pix_inspect.filter.search import Hit
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import ConnectionRow, Session
from pix_inspect.ui.exchange.bytes_pane import Bytes
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.exchange.explanation import explanation
from pix_inspect.ui.exchange.explanation_pane import Explanation
from pix_inspect.ui.exchange.log_pane import Log
from pix_inspect.ui.exchange.log_tree import Said, narration
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.main.panes import Panes
from pix_inspect.ui.main.places import Journey
from pix_inspect.ui.timeline.glances import heavy
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit_end, safe

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector


PAUSE = 4
"""An exchange that goes on is read again after so many times what reading took."""


class Selection(Panes):
    """A screen on which one exchange, one field and its bytes are chosen."""

    app: Inspector
    session: Session
    pending_hit: tuple[int, Hit] | None
    journey: Journey

    def __init__(self) -> None:
        super().__init__()
        self.view: ExchangeView | None = None
        self.index: int | None = None
        """The exchange that is chosen, from 0; its view may still be on the way."""
        self._looked: tuple[object, ...] | None = None
        self._not_before = 0.0

    @property
    def timeline(self) -> Timeline:
        return self.query_one(Timeline)

    @property
    def selected(self) -> bool:
        """Whether what the timeline's cursor stands on is shown."""
        chosen = self.timeline.chosen
        known = self.view is not None and self.view.row.number - 1 == chosen
        return self.index == chosen and (known or chosen is None)

    def on_timeline_chosen(self) -> None:
        """Show the exchange under the timeline's cursor."""
        if self.timeline.chosen is not None:
            self.choose(self.timeline.chosen)
        else:
            self.choose_nothing()

    def on_timeline_entered(self) -> None:
        self.reach(self.side_pane)

    def on_lines_entered(self, message: Lines.Entered) -> None:
        """Go from the log to the fields."""
        if message.pane is self.log_pane:
            self.remove_class("-logging")
            self.reach(self.fields)

    def _signature(self, index: int) -> tuple[object, ...]:
        row = self.session.row(index)
        return (row.number, row.state, row.up, row.down, row.frames)

    def choose(self, index: int) -> None:
        if index == self.index:
            return
        self.index = index
        self._look(index, again=False)

    def show_hit(self, hit: Hit) -> None:
        """Select the field and light the bytes of what was searched for."""
        path = hit.path
        if path is None and hit.side is not None:
            path = self.fields.outline.at_byte(hit.side, hit.start)
        if path is None:
            return
        self.fields.select(path)
        if hit.path is not None:
            self._field_chosen(move=True)
        elif hit.side is not None:
            lit = (hit.side, hit.start, hit.end)
            self.bytes.light(lit)
            self._explain(lit)

    def choose_nothing(self) -> None:
        """Show no exchange, as none is shown in the timeline."""
        self.index = self.view = self._looked = None
        self.fields.clear("Nothing to show.")
        self.bytes.show(None)
        self._explain(None)

    def renew(self) -> None:
        """Look again at an exchange that has gone on."""
        index = self.index
        if (
            index is not None
            and self._looked is not None
            and self._looked != self._signature(index)
            and time.monotonic() >= self._not_before
        ):
            self._look(index, again=True)

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
        logging = self.has_class("-logging")

        def read() -> tuple[ExchangeView, list[Said] | None, float]:
            began = time.monotonic()
            if before is not None and before.row.number - 1 == index:
                view = self.session.again(before)
            else:
                view = self.session.exchange(index)
            told = narration(view) if logging else None
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
        name = row.name
        code = f" ({row.code})" if row.code is not None else ""
        self.fields.entitle(safe(f"#{row.number} {name}{code}"))
        self.fields.waiting = ["nothing was said"]
        if again:
            self.fields.renew(found)
        else:
            self.fields.show(name, found)
        self.bytes.show(view, keep=again)
        if self.has_class("-logging"):
            lines = narration(view) if told is None else told
            self.log_pane.say(lines, keep=again, tail=row.took is None)
        self._field_chosen(move=not again)
        if self.has_class("-payload"):
            self.payload_pane.show(view, keep=again)
        if self.pending_hit is not None and self.pending_hit[0] == index:
            self.show_hit(self.pending_hit[1])
            self.pending_hit = None
        self.journey.go_on()

    def on_fields_wanted(self) -> None:
        """Show the tree with, or without, the fields that this version lacks."""
        if self.view is not None and self.index is not None:
            self._show(self.index, self.view, again=True)

    def light(self) -> None:
        """Light the bytes of the chosen field again."""
        self._field_chosen(move=True)

    def explain(self) -> None:
        """Say what the chosen field is, where there is a pane for it."""
        if self.has_class("-explaining"):
            around = self.fields.outline.rows(self.fields.path)
            pane = self.query_one(Explanation)
            pane.say(explanation(self.view, around, self._connection))

    def on_fields_chosen(self) -> None:
        """Light the bytes of the chosen field and say what it is."""
        self._field_chosen(move=True)

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

    def _explain(self, lit: tuple[int, int, int] | None) -> None:
        around = self.fields.outline.rows(self.fields.path)
        crumbs = " › ".join(safe(row.label, 60) for row in around)
        span = f"  [{lit[1]}, {lit[2]}) {size(lit[2] - lit[1])}" if lit is not None else ""
        room = max(self.bytes.size.width - len(span) - len(self.bytes.TITLE) - 8, 10)
        self.bytes.entitle(fit_end(crumbs, room) + span if crumbs else "")
        self.explain()

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
        lit = (part.side, part.start, end)
        self.bytes.light(lit)
        self._explain(lit)

    def on_log_copy(self, message: Log.Copy) -> None:
        self.app.put(Copied("the log", message.text))

    def on_payload_pane_chosen(self, message: PayloadPane.Chosen) -> None:
        """Light the bytes of the chosen file."""
        if self.has_class("-payload"):
            self.bytes.light(message.span)
            self._explain(message.span)
            place, contents = self.payload_pane.place, self.payload_pane.contents
            if place is not None and contents is not None and message.span is not None:
                _, start, end = message.span
                name = safe(contents.entry_path(place), 200)
                self.bytes.entitle(f"{name}  [{start}, {end}) {size(end - start)}")

    def on_bytes_chosen(self, message: Bytes.Chosen) -> None:
        """Select the field of the chosen byte."""
        path = self.fields.outline.at_byte(message.side, message.offset)
        self.fields.select(path)
        row = self.fields.outline.row(path)
        lit = None
        if row is not None and row.side is not None:
            lit = (row.side, row.start, row.end)
        self.bytes.light(lit, move=False)
        self._explain(lit)

    def on_bytes_entered(self) -> None:
        """Go to the field of the byte under the cursor."""
        self.reach(self.fields)

    @property
    def _connection(self) -> ConnectionRow | None:
        """The connection of the exchange that is shown."""
        view = self.view
        return self.session.connections.get(view.row.connection) if view is not None else None
