"""The main screen: timeline, fields, bytes and explanation as one selection.

Choosing an exchange shows its fields and bytes; choosing a field lights its bytes; choosing a
byte selects its field. What arrives is taken in on a timer, a bounded amount at a time, and
moves nothing that the user put somewhere.

Knows the panes and the session; nothing of how either works inside.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widgets import Footer

from pix_inspect.absent import with_absent
from pix_inspect.fields import rows
from pix_inspect.problem import Problem
from pix_inspect.searching import Hit
from pix_inspect.session import ConnectionRow, Session
from pix_inspect.ui.asking import Asking
from pix_inspect.ui.bar import Bar, InForce
from pix_inspect.ui.column_dialog import ColumnDialog
from pix_inspect.ui.copying import Copied, copy
from pix_inspect.ui.dividers import Shares
from pix_inspect.ui.exchange_lines import TimelineHead
from pix_inspect.ui.explain import Explanation
from pix_inspect.ui.explaining import explanation
from pix_inspect.ui.fields import Fields
from pix_inspect.ui.filtering import Filtering
from pix_inspect.ui.glances import heavy
from pix_inspect.ui.hexview import Bytes
from pix_inspect.ui.lines import Lines
from pix_inspect.ui.log import Log
from pix_inspect.ui.marking import Marking
from pix_inspect.ui.narration import narration
from pix_inspect.ui.panes import Panes
from pix_inspect.ui.payload_pane import PayloadPane
from pix_inspect.ui.search import Searching
from pix_inspect.ui.status import Banner, Status, trouble
from pix_inspect.ui.tabs import Tab, TabBar
from pix_inspect.ui.text import fit_end, safe
from pix_inspect.ui.timeline import Timeline
from pix_inspect.units import duration, size
from pix_inspect.view import ExchangeView
from pix_inspect.waiting import waits

if TYPE_CHECKING:
    from pix_inspect.ui.app import Inspector

POLL = 0.015
PAUSE = 0.004
"""Seconds of reading in one go, and between two while there is a lot to read."""


class Browse(Panes, Filtering, Searching, Marking, Asking):
    """One recording, finished or growing."""

    app: Inspector

    BINDINGS: ClassVar[list[BindingType]] = [
        *Filtering.FILTER_KEYS,
        *Searching.SEARCH_KEYS,
        Binding("e", "toggle_explanation", "Explain", id="view.explain"),
        Binding("L", "toggle_log", "Log in place of the fields, and back", show=False,
                id="view.log"),
        Binding("P", "toggle_payload", "Payload in place of the fields, and back", show=False,
                id="view.payload"),
        Binding("x", "toggle_bytes", "Bytes on or off", show=False, id="view.bytes"),
        Binding("backslash", "maximise", "Maximise the pane, and back", show=False,
                key_display="\\", id="view.maximise"),
        Binding("plus", "widen(1)", "More room for the pane", show=False, key_display="+",
                id="pane.more"),
        Binding("minus", "widen(-1)", "Less room for the pane", show=False, key_display="-",
                id="pane.less"),
        Binding("0", "usual_sizes", "Usual sizes of the panes", show=False, id="pane.usual"),
        Binding("tab", "app.focus_next", "Next pane", show=False, id="pane.next"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False,
                id="pane.previous"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("colon", "repl", "REPL: ask the daemon", show=False, key_display=":",
                id="view.repl"),
        Binding("r", "ask_again", "Into the REPL, to edit and send again",
                show=False, id="view.ask_again"),
        Binding("question_mark,f1", "help", "Keys", key_display="?", id="help"),
        Binding("q", "leave", "Quit", id="quit"),
    ]  # fmt: skip

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.shares = Shares()
        self.view: ExchangeView | None = None
        self.index: int | None = None
        self._looked: tuple[object, ...] | None = None
        self._live = False
        self._reading = True
        self._more: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        timeline = Timeline(self.session, self.app.now, id="timeline")
        yield TabBar()
        yield Status(self.session, self.app.now, id="status")
        yield Banner(id="banner")
        yield Bar(id="bar")
        with Container(id="body"):
            with Vertical(id="timeline-frame"):
                yield TimelineHead(timeline)
                yield timeline
            with Vertical(id="side"):
                yield Fields(id="fields")
                yield Log(id="log")
                yield PayloadPane(id="payload")
                yield Bytes(id="bytes")
                yield Explanation(id="explanation")
        yield Footer(show_command_palette=False)

    @property
    def tab(self) -> Tab:
        """The recording, and the relay that makes it if it is this screen's."""
        return self.app.tab_of(self.session)

    @property
    def settled(self) -> bool:
        """Whether all that was read is shown and nothing is being looked up."""
        chosen = self.timeline.chosen
        known = self.view is not None and self.view.row.number - 1 == chosen
        arranged = self.sifted and self.timeline.settled
        read = not self._reading and (self.sieve is not None or self.timeline.up_to_date)
        arranged = arranged and not self.searching
        return read and arranged and self.index == chosen and (known or chosen is None)

    def on_mount(self) -> None:
        """Read what there is, then keep up."""
        self.query_one(Banner).display = False
        self.query_one(TabBar).say(self.app.tabs, self.tab)
        self.app.recall(self)
        self.add_class("-empty")
        self.timeline.focus()
        self._check_live()
        self._reading = not self._live
        self._take()
        self.timeline.waiting = self.tab.lesson()
        self.fields.waiting = ["Choose an exchange to see its fields."]
        if not self._live:
            self.timeline.begin_at(0, follow=False)
        gc.freeze()  # what is there by now stays: looking through it again would be felt
        self.set_interval(1 / 20, self._tick)
        self.set_interval(1, self._check_live)

    # What arrives -----------------------------------------------------------------------

    @property
    def _going(self) -> bool:
        """Whether the screen is being taken down: its panes go before its timers do."""
        return not self.query(Status)

    def _tick(self) -> None:
        if self._more is None:
            self._take()
        if not self._going:
            self._renew()

    def _take(self) -> None:
        self._more = None
        if self._going:
            return
        changed = self.session.poll(POLL)
        status = self.query_one(Status)
        if changed:
            if self.sieve is None:
                self.timeline.grow(new=not self._reading)
            self.set_class(not len(self.session), "-empty")
            self.recall_marks()
            self._read_on()
        elif self._reading:
            self._reading = False
            gc.freeze()
            self._say_trouble()
        if self.sieve is not None and self._sifting is None:
            self.sift()
        status.reading = self._reading and self.session.size > 1 << 20
        if changed or self._live:
            status.refresh()

    def _read_on(self) -> None:
        """Go on before the next tick while there is a lot to read; keys come in between."""
        if self._more is None and self.session.consumed < self.session.size:
            self._more = self.set_timer(PAUSE, self._take)

    def _check_live(self) -> None:
        if self._going:
            return
        self._live = self.tab.is_live()
        self.timeline.set_live(self._live)
        status = self.query_one(Status)
        if status.live != self._live:
            status.live = self._live
            status.refresh()
        if self._live or not self._reading:
            self._say_trouble()

    def _say_trouble(self) -> None:
        said = [*self.tab.trouble(), *trouble(self.session, self._live), *self._silence()]
        self.query_one(Banner).say(said)

    def _silence(self) -> list[str]:
        """Say who owes an answer, when nobody has said anything for long."""
        app = self.app
        if not (self._live and app.silence and self.session.open_connections):
            return []
        if app.now() - self.session.last < app.silence:
            return []
        return [
            f"connection {wait.connection}: the {wait.debtor} owes {safe(wait.owes, 200)},"
            f" and nothing was said for {duration(app.silence)}; H shows who waits for whom"
            for wait in waits(self.session, here=True)
            if not wait.idle
        ][:1]

    # One selection ----------------------------------------------------------------------

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Show the exchange under the timeline's cursor."""
        if isinstance(message, Lines.Entered):
            if message.pane is self.timeline:
                self.reach(self.side_pane)
            elif message.pane is self.log_pane:
                self.remove_class("-logging")
                self.reach(self.fields)
        elif message.pane is self.timeline:
            if self.timeline.chosen is not None:
                self.choose(self.timeline.chosen)
            else:
                self._choose_nothing()

    on_lines_entered = on_lines_moved

    def _signature(self, index: int) -> tuple[object, ...]:
        row = self.session.row(index)
        return (row.number, row.state, row.request_bytes, row.reply_bytes, row.log)

    def choose(self, index: int) -> None:
        """Show an exchange."""
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

    def _choose_nothing(self) -> None:
        """Show no exchange, as none is shown in the timeline."""
        self.index = self.view = self._looked = None
        self.fields.clear("Nothing to show.")
        self.bytes.show(None)
        self._explain(None)

    def _renew(self) -> None:
        """Look again at an exchange that has gone on."""
        index = self.index
        if (
            index is not None
            and self._looked is not None
            and self._looked != self._signature(index)
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

        def read() -> None:
            view = self.session.exchange(index)
            view.parts  # noqa: B018  # decoded here, where it keeps nobody waiting
            self.app.call_from_thread(self._show_late, index, view, again)

        self.run_worker(read, thread=True, exclusive=True, group="exchange")

    def _show_late(self, index: int, view: ExchangeView, again: bool) -> None:
        if index == self.index:
            self._looked = self._signature(index)
            self._show(index, view, again=again and self.view is not None)

    def _show(self, index: int, view: ExchangeView, *, again: bool) -> None:
        self.view = view
        row = view.row
        found = with_absent(rows(view)) if self.fields.absent else rows(view)
        name = row.operation or row.kind
        code = f" ({row.code})" if row.code is not None else ""
        self.fields.entitle(safe(f"#{row.number} {name}{code}"))
        self.fields.waiting = ["nothing was said"]
        if again:
            self.fields.renew(found)
        else:
            self.fields.show(name, found)
        self.bytes.show(view, keep=again)
        if self.has_class("-logging"):
            self.log_pane.say(narration(view), keep=again)
        self._field_chosen(move=not again)
        if self.has_class("-payload"):
            self.payload_pane.show(view, keep=again)
        if self.pending_hit is not None and self.pending_hit[0] == index:
            self.show_hit(self.pending_hit[1])
            self.pending_hit = None

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
            if row is not None and row.part is part:
                self.fields.select(path[:depth])
        end = part.end if part.end is not None else part.start + 8
        lit = (part.side, part.start, end)
        self.bytes.light(lit)
        self._explain(lit)

    def on_log_copy(self, message: Log.Copy) -> None:
        """Copy the log."""
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

    # Keys -------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Undo one step: a maximised pane, then the way into fields and bytes."""
        if self.zoomed is not None:
            self.zoom(None)
        elif self.focused is not self.timeline:
            self.timeline.focus()
        elif self.end_search() or self.stop_filter():
            return
        elif self.sieve is not None:
            self.clear_filter()
        else:
            self.query_one(Banner).dismiss()

    def on_bar_taken(self, message: Bar.Taken) -> None:
        """Put what was written in force."""
        self.timeline.focus()
        if message.purpose == "filter":
            self.apply_filter(message.text)
        elif message.purpose == "search":
            self.search(message.text)
        elif message.purpose == "note":
            self.take_note(message.text)

    def on_in_force_clicked(self, message: InForce.Clicked) -> None:
        """Change the filter or the search that was clicked."""
        if message.what == "filter":
            self.action_filter()
        else:
            self.action_search()

    def on_bar_left(self, message: Bar.Left) -> None:
        """Go back to where one was."""
        self.timeline.focus()

    def on_timeline_columns_wanted(self) -> None:
        """Have the user choose columns."""
        self.app.push_screen(ColumnDialog(self.timeline))

    def on_timeline_head_chosen(self, message: TimelineHead.Chosen) -> None:
        """Sort by the column whose head was clicked."""
        timeline = self.timeline
        timeline.click_head(message.column, again=timeline.sorted_by == message.column)

    def action_copy(self, how: str) -> None:
        """Copy what is chosen in the focused pane."""
        if self.view is not None:
            whole = self.focused is self.timeline
            row = None if whole else self.fields.row
            try:
                self.app.put(copy(how, self.view, row, self.session.started))
            except Problem as problem:
                self.app.warn(str(problem))

    def action_help(self) -> None:
        """Show all keys."""
        self.app.action_help()

    def action_leave(self) -> None:
        """Go back a step; from here, quit."""
        if self.zoomed is not None:
            self.zoom(None)
        else:
            self.app.leave()
