"""The main screen: its panes, its keys, and the way back from each step.

What is chosen is `selection`'s, what arrives `growing`'s; a filter, a search, marks and the
REPL have modules of their own. Here they come together on one screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import Footer

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.exchange.bytes_pane import Bytes
from pix_inspect.ui.exchange.copying import copy
from pix_inspect.ui.exchange.explanation_pane import Explanation
from pix_inspect.ui.exchange.fields_pane import Fields
from pix_inspect.ui.exchange.log_pane import Log
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.main.asking import Asking
from pix_inspect.ui.main.dividers import Shares
from pix_inspect.ui.main.filtering import Filtering
from pix_inspect.ui.main.following import Growing
from pix_inspect.ui.main.places import GoTo, Journey
from pix_inspect.ui.main.searching import Searching
from pix_inspect.ui.main.selection import Selection
from pix_inspect.ui.main.status import Banner, Status
from pix_inspect.ui.main.tabs import TabBar
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.bar import Bar
from pix_inspect.ui.widgets.bar_lines import InForce

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector


class MainScreen(Selection, Growing, Searching, Asking):
    """One recording, finished or growing."""

    app: Inspector

    TITLE = "This screen"
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
        Binding("ctrl+down", "step(1)", "Next exchange, from any pane", show=False,
                id="view.next_exchange"),
        Binding("ctrl+up", "step(-1)", "Previous exchange, from any pane", show=False,
                id="view.previous_exchange"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("colon", "repl", "REPL: ask the daemon", show=False, key_display=":",
                id="view.repl"),
        Binding("r", "ask_again", "Into the REPL, to edit and send again",
                show=False, id="view.ask_again"),
        Binding("S", "app.statistics", "Statistics", show=False, id="app.statistics"),
        Binding("F", "app.findings", "Findings", show=False, id="app.findings"),
        Binding("H", "app.waiting", "Who waits for whom", show=False, id="app.waiting"),
        Binding("T", "app.analysis", "Round trips", show=False, id="app.analysis"),
        Binding("D", "app.differences", "Compare with the exchange marked last", show=False,
                id="app.differences"),
        Binding("C", "app.recordings", "Compare with another recording", show=False,
                id="app.recordings"),
        Binding("E", "app.excerpt", "Copy an excerpt for an issue, from mark to here",
                show=False, id="app.excerpt"),
        Binding("X", "app.export", "Export what is shown", show=False, id="app.export"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="help"),
        Binding("q", "leave", "Quit", id="quit"),
    ]  # fmt: skip

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.shares = Shares()

    def compose(self) -> ComposeResult:
        """Lay the panes out; where they stand is the style sheet's."""
        yield TabBar()
        yield Status(self.session, self.app.now, id="status")
        yield Banner(id="banner")
        yield Bar(id="bar")
        with Container(id="body"):
            yield Timeline(self.session, self.app.now, id="timeline-frame")
            with Vertical(id="side"):
                yield Fields(id="fields")
                yield Log(id="log")
                yield PayloadPane(id="payload")
                yield Bytes(id="bytes")
                yield Explanation(id="explanation")
        yield Footer(show_command_palette=False)

    @property
    def settled(self) -> bool:
        """Whether all that was read is shown and nothing is being looked up."""
        return self.taken_in and not self.searching and self.selected and self.journey.ended

    def on_mount(self) -> None:
        """Read what there is, then keep up."""
        self.query_one(Banner).display = False
        self.query_one(TabBar).say(self.app.tabs, self.tab)
        self.app.recall(self)
        self.add_class("-empty")
        self.journey = Journey(self.timeline, self.fields, lambda: self.view, lambda: self.taken_in)
        self.timeline.lines.focus()
        self.fields.waiting = ["Choose an exchange to see its fields."]
        self.begin_reading()

    def on_go_to(self, message: GoTo) -> None:
        """Go to a place of this recording."""
        message.stop()
        if message.filter is not None:
            self.apply_filter(message.filter)
        self.journey.begin(message)

    # Keys -------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Undo one step: a maximised pane, then the way into fields and bytes."""
        if self.zoomed is not None:
            self.zoom(None)
        elif self.focused is not self.timeline.lines:
            self.timeline.lines.focus()
        elif self.end_search() or self.stop_filter():
            return
        elif self.sieve is not None:
            self.clear_filter()
        else:
            self.query_one(Banner).dismiss()

    def action_step(self, lines: int) -> None:
        """Choose the next exchange, or the one before, and stay in the pane."""
        self.timeline.lines.action_move(lines)

    def on_bar_taken(self, message: Bar.Taken) -> None:
        """Put what was written in force."""
        self.timeline.lines.focus()
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
        self.timeline.lines.focus()

    def action_copy(self, how: str) -> None:
        """Copy what is chosen in the focused pane."""
        if self.view is not None:
            whole = self.focused is self.timeline.lines
            row = None if whole else self.fields.row
            try:
                self.app.put(copy(how, self.view, row, self.session.started))
            except Problem as problem:
                self.app.warn(str(problem))

    def action_leave(self) -> None:
        """Go back a step; from here, quit."""
        if self.zoomed is not None:
            self.zoom(None)
        else:
            self.app.leave()
