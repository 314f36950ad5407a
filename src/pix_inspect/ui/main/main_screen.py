"""The main screen: its panes, its keys, and the way back from each step.

Each thing that it does has a controller of its own, handed the panes that it needs; here keys
and messages are handed on to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen

from pix.problem import Problem
from pix_inspect.ui.main.asking import ReplController
from pix_inspect.ui.main.dividers import Dividers, Shares
from pix_inspect.ui.main.exchange_panes import ExchangePanes
from pix_inspect.ui.main.filtering import FilterController
from pix_inspect.ui.main.following import Following
from pix_inspect.ui.main.host import Host
from pix_inspect.ui.main.marking import MarkController
from pix_inspect.ui.main.panes import PaneLayout
from pix_inspect.ui.main.places import GoTo, Journey
from pix_inspect.ui.main.searching import SearchController
from pix_inspect.ui.main.status import Banner, Status
from pix_inspect.ui.main.tabs import Tab, TabBar
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.bar import Bar
from pix_inspect.ui.widgets.bar_lines import InForce
from pix_inspect.ui.widgets.keys_footer import KeysFooter

if TYPE_CHECKING:
    from pix_inspect.ui.repl.repl_pane import ReplPane


class MainScreen(Screen[None]):
    """One recording, finished or growing."""

    TITLE = "This screen"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="filter.write"),
        Binding("equals_sign", "filter_same(True)", "Filter: the same in this field",
                show=False, key_display="=", id="filter.same"),
        Binding("exclamation_mark", "filter_same(False)", "Filter: not the same in this field",
                show=False, key_display="!", id="filter.other"),
        Binding("ctrl+f", "search", "Search text or bytes in what is shown", show=False,
                id="search.write"),
        Binding("n", "search_next(1)", "Next hit", show=False, id="search.next"),
        Binding("N", "search_next(-1)", "Previous hit", show=False, id="search.previous"),
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
        Binding("ctrl+down", "step(1)", "Next exchange, from any pane", show=False,
                id="view.next_exchange"),
        Binding("ctrl+up", "step(-1)", "Previous exchange, from any pane", show=False,
                id="view.previous_exchange"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("r", "ask_again", "Into the REPL, to edit and send again",
                show=False, id="view.ask_again"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="app.help"),
        Binding("q", "leave", "Quit", id="quit"),
        Binding("colon", "repl", "REPL: ask the daemon", key_display=":", id="view.repl"),
        Binding("S", "app.show('statistics')", "Statistics", id="app.statistics"),
        Binding("F", "app.show('findings')", "Findings", id="app.findings"),
        Binding("H", "app.show('waits')", "Waits: who waits for whom", id="app.waiting"),
        Binding("T", "app.show('round trips')", "Round trips", id="app.analysis"),
        Binding("D", "app.show('differences')", "Compare with the exchange marked last", show=False,
                id="app.differences"),
        Binding("C", "app.show('recordings')", "Compare with another recording", show=False,
                id="app.recordings"),
        Binding("E", "app.excerpt", "Copy an excerpt for an issue, from mark to here",
                show=False, id="app.excerpt"),
        Binding("X", "app.export", "Export what is shown", show=False, id="app.export"),
    ]  # fmt: skip

    def __init__(self, tab: Tab, host: Host) -> None:
        super().__init__()
        self.tab = tab
        self.session = tab.session
        self.host = host
        self.panes = PaneLayout(self)
        self.dividers = Dividers(self)
        self.bar = Bar(id="bar")
        self.timeline = Timeline(self.session, host.now, id="timeline-frame")
        self.side = ExchangePanes(self.session, self.panes, id="side")
        self.fields, self.bytes = self.side.fields, self.side.bytes
        self.filter = FilterController(self.timeline, self.side, self.bar)
        self.search = SearchController(self.timeline, self.side, self.bar)
        self.marks = MarkController(self.timeline, self.bar)
        self.repl = ReplController(self, tab, host, self.timeline, self.dividers)
        self.status = Status(self.session, host.now, id="status")
        self.banner = Banner(id="banner")
        self.following = Following(
            tab,
            host,
            self.timeline,
            self.filter,
            self.marks,
            self.status,
            self.banner,
            self.side.renew,
        )
        self.journey = Journey(
            self.timeline, self.fields, lambda: self.side.view, lambda: self.following.taken_in
        )

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        yield TabBar()
        yield self.status
        yield self.banner
        yield self.bar
        with Container(id="body"):
            yield self.timeline
            yield self.side
        yield KeysFooter()

    @property
    def settled(self) -> bool:
        """Whether all that was read is shown and nothing is being looked up."""
        shown = self.following.taken_in and self.side.shows(self.timeline.chosen)
        return shown and self.search.settled and self.journey.ended

    def on_mount(self) -> None:
        """Read what there is, then keep up."""
        self.banner.display = False
        self.query_one(TabBar).say(self.host.tabs, self.tab)
        self.host.recall(self)
        self.timeline.lines.focus()
        self.following.begin()

    def on_unmount(self) -> None:
        self.following.end()
        self.repl.close()

    # Places -----------------------------------------------------------------------------

    def on_go_to(self, message: GoTo) -> None:
        """Go to a place of this recording."""
        message.stop()
        if message.filter is not None:
            self.filter.apply(message.filter)
        self.journey.begin(message)

    def on_timeline_chosen(self) -> None:
        """Show the exchange under the timeline's cursor."""
        self.side.choose(self.timeline.chosen)
        self.journey.go_on()

    def on_timeline_entered(self) -> None:
        self.panes.reach(self.panes.side)

    def action_step(self, lines: int) -> None:
        """Choose the next exchange, or the one before, and stay in the pane."""
        self.timeline.lines.action_move(lines)

    def action_back(self) -> None:
        """Undo one step: a maximised pane, then the way into fields and bytes."""
        if self.panes.zoomed is not None:
            self.panes.zoom(None)
        elif self.focused is not self.timeline.lines:
            self.timeline.lines.focus()
        elif self.search.end() or self.filter.stop():
            return
        elif self.filter.sieve is not None:
            self.filter.clear()
        else:
            self.banner.dismiss()

    def action_leave(self) -> None:
        """Go back a step; from here, quit."""
        if self.panes.zoomed is not None:
            self.panes.zoom(None)
        else:
            self.host.leave()

    # Filter, search and notes -----------------------------------------------------------

    def action_filter(self) -> None:
        self.filter.write()

    def action_filter_same(self, same: bool) -> None:
        """Let through what has the same in the chosen field, or what has not."""
        self.filter.add(same=same)

    def action_search(self) -> None:
        self.search.write()

    def action_search_next(self, step: int) -> None:
        self.search.next(step)

    def on_bar_taken(self, message: Bar.Taken) -> None:
        """Hand on what was written."""
        self.timeline.lines.focus()
        message.purpose.take(message.text)

    def on_bar_left(self) -> None:
        """Go back to where one was."""
        self.timeline.lines.focus()

    def on_in_force_clicked(self, message: InForce.Clicked) -> None:
        """Change the filter or the search that was clicked."""
        (self.filter if message.what == "filter" else self.search).write()

    def on_timeline_marked(self) -> None:
        self.marks.keep()

    def on_timeline_note_wanted(self, message: Timeline.NoteWanted) -> None:
        self.marks.write(message.exchange)

    # Panes ------------------------------------------------------------------------------

    def action_toggle_explanation(self) -> None:
        self.side.toggle("explanation")

    def action_toggle_log(self) -> None:
        self.side.toggle("log")

    def action_toggle_payload(self) -> None:
        self.side.toggle("payload")

    def action_toggle_bytes(self) -> None:
        self.side.toggle("bytes")

    def action_maximise(self) -> None:
        self.panes.maximise()

    def action_widen(self, step: int) -> None:
        self.dividers.widen(step)

    def action_usual_sizes(self) -> None:
        """Give all panes the room that they usually have."""
        self.dividers.divide(Shares())

    def on_resize(self) -> None:
        """Give the panes the shares of this width."""
        self.call_after_refresh(self.dividers.divide)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a border."""
        if self.dividers.press(event.screen_x, event.screen_y):
            self.capture_mouse()
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self.dividers.drag(event.screen_x, event.screen_y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go of the border."""
        if self.dividers.release():
            self.capture_mouse(False)
            event.stop()

    def on_click(self, event: events.Click) -> None:
        """Give the pane whose title was clicked twice the whole screen, or take it back."""
        if event.chain == 2:
            pane = self.dividers.titled(event.screen_x, event.screen_y)
            if pane is not None:
                self.set_focus(self.query_one(f"#{pane}"))
                self.panes.maximise()

    # The REPL and the clipboard ---------------------------------------------------------

    async def action_repl(self) -> None:
        await self.repl.open()

    async def action_ask_again(self) -> None:
        await self.repl.ask_again()

    def on_repl_pane_left(self, message: ReplPane.Left) -> None:
        self.repl.leave(hide=message.hide)

    def on_repl_pane_taller(self, message: ReplPane.Taller) -> None:
        self.dividers.widen_repl(message.step)

    def on_repl_pane_maximise(self) -> None:
        self.repl.maximise()

    def action_copy(self, how: str) -> None:
        """Copy what is chosen in the focused pane."""
        from pix_inspect.ui.exchange.copying import copy

        view = self.side.view
        if view is not None:
            row = None if self.focused is self.timeline.lines else self.fields.row
            try:
                self.post_message(copy(how, view, row, self.session.started))
            except Problem as problem:
                self.host.warn(str(problem))
