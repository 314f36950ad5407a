"""The application: recordings in tabs, commands, clipboard, saving, and how it ends.

Knows screens and the terminal; what is on the main screen is `browse`'s.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from pix_inspect.excerpt import excerpt
from pix_inspect.problem import Problem
from pix_inspect.session import Session
from pix_inspect.settings import Settings
from pix_inspect.ui.analysis_screen import AnalysisScreen
from pix_inspect.ui.browse import Browse
from pix_inspect.ui.copying import Copied
from pix_inspect.ui.differences_screen import DifferencesScreen
from pix_inspect.ui.export import Export
from pix_inspect.ui.finding_places import follow, marked_and_chosen
from pix_inspect.ui.findings_screen import FindingsScreen
from pix_inspect.ui.help import Help, action_of, keys_of, panes_of, sections
from pix_inspect.ui.leaving import Answer, Leaving
from pix_inspect.ui.lines import Lines
from pix_inspect.ui.path_dialog import Chosen, PathDialog
from pix_inspect.ui.payload_pane import PayloadPane
from pix_inspect.ui.payload_saving import Wish
from pix_inspect.ui.recordings_choice import compare_recordings
from pix_inspect.ui.remembering import recall, remembered, theme_of
from pix_inspect.ui.statistics_screen import StatisticsScreen
from pix_inspect.ui.tabs import RunningRelay, Tab, TabBar, at_hand, is_recording, same
from pix_inspect.ui.text import safe
from pix_inspect.ui.waiting_screen import WaitingScreen
from pix_inspect.ui.writing import Pace, Writing
from pix_inspect.units import count, size

MOST_COPIED = 72_000
"""Bytes that terminals take through OSC 52; more go to a file."""

SILENCE = 10_000_000_000
"""Nanoseconds that a daemon may owe an answer before the banner says so."""

DEFAULT_THEME = "textual-dark"

WIDTHS = [(0, "-narrow"), (100, "-wide")]
"""From which width on the panes stand side by side."""

HEIGHTS = [(0, "-short"), (30, "-tall")]
"""From which height on the explanation has room beside the bytes."""


class Inspector(App[Answer]):
    """The inspector of one recording or several, each with a main screen that keeps its state.

    Returns what to do with the relay, if there is one and clients are connected: `leave` it
    running, or `stop` it when the last client is done.
    """

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "pix-inspect"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.quit"),
        Binding("ctrl+p", "command_palette", "All commands", show=False, id="app.palette"),
        Binding("ctrl+o", "open", "Open a recording", show=False, id="app.open"),
        Binding("ctrl+w", "close_tab", "Close the recording", show=False, id="app.close"),
        Binding("right_curly_bracket,ctrl+pagedown", "next_tab(1)", "Next recording",
                key_display="}", show=False, id="app.next_tab"),
        Binding("left_curly_bracket,ctrl+pageup", "next_tab(-1)", "Previous recording",
                key_display="{", show=False, id="app.previous_tab"),
        Binding("X", "export", "Export what is shown", show=False, id="app.export"),
        Binding("S", "statistics", "Statistics", show=False, id="app.statistics"),
        Binding("F", "findings", "Findings", show=False, id="app.findings"),
        Binding("H", "waiting", "Who waits for whom", show=False, id="app.waiting"),
        Binding("T", "analysis", "Round trips", show=False, id="app.analysis"),
        Binding("D", "differences", "Compare with the exchange marked last", show=False,
                id="app.differences"),
        Binding("C", "recordings", "Compare with another recording", show=False,
                id="app.recordings"),
        Binding("E", "excerpt", "Copy an excerpt for an issue: from the last mark to here",
                show=False, id="app.excerpt"),
    ]  # fmt: skip
    DEFAULT_MODE = "recording-1"
    BROWSING = frozenset(
        ["statistics", "analysis", "export", "findings", "waiting", "differences", "recordings",
         "excerpt"]
    )  # fmt: skip
    """Actions that need the main screen."""

    def __init__(
        self,
        session: Session,
        relay: RunningRelay | None = None,
        now: Callable[[], int] = time.time_ns,
        *,
        others: Sequence[Session] = (),
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.now = now
        """The time, in nanoseconds since 1970."""
        self.relay = relay
        self.silence = SILENCE
        """Nanoseconds without a word after which the banner says who owes one; 0: never."""
        self.upstream: Path | None = None
        """A daemon that the REPL talks to, where another was named than the relay's."""
        self.tabs = [Tab(self.DEFAULT_MODE, session, relay)]
        """The recordings that are open."""
        self.add_mode(self.DEFAULT_MODE, self.get_default_screen)
        self.complaint: str | None = None
        """What is to be said when the screen is gone."""
        self._opened = 1
        self._others = list(others)
        self._own: list[Session] = []
        self._settings = settings
        if settings is not None and (theme := theme_of(settings.known, self)) is not None:
            self.theme = theme
        if self.no_color and self.theme.startswith("ansi"):
            self.theme = DEFAULT_THEME  # without colour the others would be black on black

    def get_default_screen(self) -> Screen[object]:
        """Return the main screen of the first recording."""
        return Browse(self.tabs[0].session)  # type: ignore[return-value]

    def on_mount(self) -> None:
        """Open what else was asked for."""
        for session in self._others:
            self._add(session)
        self._others = []

        if self._settings is not None and self._settings.complaint is not None:
            self.warn(self._settings.complaint)

    def on_unmount(self) -> None:
        """Close what was opened here."""
        for session in self._own:
            session.close()

    # Settings ---------------------------------------------------------------------------

    def recall(self, browse: Browse) -> None:
        """Have a main screen look as it was left the last time."""
        if self._settings is not None:
            left = recall(browse, self._settings.known)
            if left and browse.session is self.tabs[0].session:
                self.warn(f"settings that make no sense are left out: {', '.join(left)}")

    def exit(
        self, result: Answer | None = None, return_code: int = 0, message: object = None
    ) -> None:
        """Remember how the screen looks, and end."""
        found = [screen for screen in self.screen_stack if isinstance(screen, Browse)]
        if self._settings is not None and found and found[0].is_mounted:
            trouble = self._settings.keep(remembered(self, found[0]))
            if trouble is not None:
                self.complaint = trouble
        super().exit(result, return_code, message)  # type: ignore[arg-type]

    # Recordings -------------------------------------------------------------------------

    @property
    def tab(self) -> Tab:
        """The recording on the screen."""
        return next((tab for tab in self.tabs if tab.name == self.current_mode), self.tabs[0])

    @property
    def session(self) -> Session:
        """The session of the recording on the screen."""
        on_screen = [screen for screen in self.screen_stack if isinstance(screen, Browse)]
        return on_screen[-1].session if on_screen else self.tab.session

    def tab_of(self, session: Session) -> Tab:
        """Return the tab of a session, a passing one when it has none."""
        return next((tab for tab in self.tabs if tab.session is session), Tab("", session))

    def _add(self, session: Session) -> Tab:
        """Open a recording in a tab of its own, without going there."""
        self._opened += 1
        tab = Tab(f"recording-{self._opened}", session)
        self.tabs.append(tab)
        self.add_mode(tab.name, lambda: Browse(session))
        self._name_tabs()
        return tab

    def _name_tabs(self) -> None:
        """Have every screen name the recordings that are open."""
        for stack in self._screen_stacks.values():
            for screen in stack:
                for bar in screen.query(TabBar):
                    bar.say(self.tabs, self.tab)

    def go_to(self, tab: Tab) -> None:
        """Put another recording on the screen, as it was left."""
        self.switch_mode(tab.name)
        self._name_tabs()

    def open_recording(self, path: Path) -> None:
        """Open a recording, or go to it when it is open. Raises Problem."""
        self.go_to(self.tab_at(path))

    def tab_at(self, path: Path) -> Tab:
        """Return the tab of a recording, opened now if it is not. Raises Problem."""
        for tab in self.tabs:
            if same(tab.session.path, path):
                return tab
        session = Session(path)
        self._own.append(session)
        return self._add(session)

    def action_open(self) -> None:
        """Ask for a recording and open it."""

        def check(path: Path, replace: bool) -> None:
            if not any(same(tab.session.path, path) for tab in self.tabs):
                Session(path).close()

        def go_on(chosen: Chosen | None) -> None:
            if chosen is not None:
                try:
                    self.open_recording(chosen.path)
                except Problem as problem:
                    self.warn(str(problem))

        self.push_screen(
            PathDialog("Open a recording", "", check, offers=at_hand(), wanted=is_recording), go_on
        )

    async def action_close_tab(self) -> None:
        """Close the recording on the screen; with the last one, quit."""
        await self.close_tab(self.tab)

    async def close_tab(self, tab: Tab) -> None:
        """Close a recording."""
        if len(self.tabs) == 1:
            self.leave()
            return
        if tab.relay is not None and tab.relay.alive():
            self.warn("this recording is being made for this screen: q quits")
            return
        if tab is self.tab:
            at = self.tabs.index(tab)
            self.go_to(self.tabs[at + 1 if at + 1 < len(self.tabs) else at - 1])
        self.tabs.remove(tab)
        await self.remove_mode(tab.name)
        if tab.session in self._own:
            self._own.remove(tab.session)
            tab.session.close()
        self._name_tabs()

    def action_next_tab(self, step: int) -> None:
        """Go to the next recording that is open."""
        if len(self.tabs) > 1:
            self.go_to(self.tabs[(self.tabs.index(self.tab) + step) % len(self.tabs)])
        else:
            self.warn("only this recording is open: ctrl+o opens another")

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        """Go to the recording that was clicked."""
        self.go_to(message.tab)

    async def on_tab_bar_closed(self, message: TabBar.Closed) -> None:
        """Close the recording whose cross was clicked."""
        await self.close_tab(message.tab)

    # Clipboard --------------------------------------------------------------------------

    def put(self, copied: Copied) -> None:
        """Copy a text; what is more than terminals take goes to a file."""
        raw = copied.text.encode("utf-8", "surrogateescape")
        if len(raw) <= MOST_COPIED:
            self.copy_to_clipboard(raw.decode("utf-8", "replace"))  # terminals take UTF-8 only
            self.notify(f"copied {safe(copied.what)} ({size(len(raw))})", markup=False, timeout=2)
            return
        descriptor, name = tempfile.mkstemp(prefix="pix-inspect-", suffix=".txt")
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        self.notify(
            f"{safe(copied.what)} is too long for a terminal's clipboard: it is in {name}",
            markup=False,
        )

    # Saving -----------------------------------------------------------------------------

    def on_payload_pane_copy(self, message: PayloadPane.Copy) -> None:
        """Copy the path of a file in a payload."""
        self.put(Copied("the path", message.text))

    def on_payload_pane_save(self, message: PayloadPane.Save) -> None:
        """Save a file of a payload, an archive, or a directory."""
        try:
            wish = Wish.of(message.contents, message.number, message.how)
        except Problem as problem:
            self.warn(str(problem))
            return
        self.save_to(wish.title, wish.name, wish.check, wish.write)

    def save_to(
        self,
        title: str,
        name: str,
        check: Callable[[Path, bool], None],
        write: Callable[[Chosen, Pace], str],
        switch: str = "",
    ) -> None:
        """Ask where to, then write there in the background, and say what became of it."""

        def begin(chosen: Chosen | None) -> None:
            if chosen is not None:
                work = Writing(f"writing {chosen.path}", lambda pace: write(chosen, pace))
                self.push_screen(work, lambda said: self._wrote(said or "", failed=work.failed))

        dialog = PathDialog(title, name, check, new=True, switch=switch, switched=bool(switch))
        self.push_screen(dialog, begin)

    def action_export(self) -> None:
        """Write the exchanges that are shown into a file."""
        browse = self.screen
        if isinstance(browse, Browse):
            wish = Export(browse.session, *shown_of(browse))
            self.save_to(wish.title, wish.name, wish.check, wish.write, "blank secrets")

    def _wrote(self, said: str, *, failed: bool) -> None:
        if failed:
            self.warn(said)
        else:
            self.notify(safe(said, 400), markup=False)

    def warn(self, text: str) -> None:
        """Say in one line what cannot be done."""
        self.notify(safe(text, 400), severity="warning", markup=False)

    # Commands ---------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every named action of the screen and its panes, and the theme."""
        yield SystemCommand("Theme", "Choose colours", self.action_change_theme)
        for place in [screen, *panes_of(screen), self]:
            title = getattr(place, "TITLE", None)
            where = f"{title}: " if isinstance(place, Widget) and title else ""
            if isinstance(place, Screen):
                where = ""
            for pressed, said, name in keys_of(type(place), self):
                if place is not self or self._works_on(screen, action_of(type(place), name)):
                    yield SystemCommand(f"{where}{said}", pressed, self._runner(place, name))
        if isinstance(screen.focused, Lines):
            for pressed, said, name in keys_of(Lines, self):
                run = self._runner(screen.focused, name, Lines)
                yield SystemCommand(f"Move: {said}", pressed, run)
        yield SystemCommand("Save a picture of the screen", "SVG", self.deliver_screenshot)

    def _runner(
        self, place: DOMNode, name: str, declared: type[DOMNode] | None = None
    ) -> Callable[[], object]:
        action = action_of(declared or type(place), name)
        return lambda: self.run_action(action, place)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Have what is about the main screen work there alone."""
        return self._works_on(self.screen, action)

    def _works_on(self, screen: Screen[object], action: str) -> bool:
        return action.partition("(")[0] not in self.BROWSING or isinstance(screen, Browse)

    def action_help(self) -> None:
        """Show all keys, those of the panes first."""
        screen = self.screen
        if not isinstance(screen, Help):
            panes = list(dict.fromkeys(type(pane) for pane in panes_of(screen)))
            places: list[type[DOMNode]] = [type(screen), type(self), Lines, *panes]
            self.push_screen(Help(sections(self, places)))

    def action_statistics(self) -> None:
        """Show where the time went."""
        browse = self.screen
        if isinstance(browse, Browse):
            screen = StatisticsScreen(browse.session, *shown_of(browse))

            def apply(wanted: str | None) -> None:
                if wanted is not None:
                    browse.apply_filter(wanted)

            self.push_screen(screen, apply)

    def action_findings(self) -> None:
        """Show what is irregular."""
        browse = self.screen
        if isinstance(browse, Browse):
            self.push_screen(FindingsScreen(browse.session), lambda to: follow(browse, to))

    def action_waiting(self) -> None:
        """Show who waits for whom."""
        browse = self.screen
        if isinstance(browse, Browse):

            def go(exchange: int | None) -> None:
                if exchange is not None:
                    browse.timeline.go_to(exchange - 1)

            live = browse.tab.is_live()
            self.push_screen(WaitingScreen(browse.session, self.now, live=live), go)

    def action_analysis(self) -> None:
        """Show where the round trips are, and what distance costs."""
        browse = self.screen
        if isinstance(browse, Browse):
            self.push_screen(AnalysisScreen(browse.session))

    def action_differences(self) -> None:
        """Compare the exchange under the cursor with the one that was marked last."""
        browse = self.screen
        if isinstance(browse, Browse):
            pair = marked_and_chosen(browse)
            if pair is None or pair[0] == pair[1]:
                self.notify("mark an exchange with m, then compare another with it", markup=False)
                return
            self.push_screen(DifferencesScreen(*map(browse.session.exchange, pair)))

    def action_recordings(self) -> None:
        """Compare the recording on the screen with another."""
        if isinstance(self.screen, Browse):
            compare_recordings(self, self.tab)

    def action_excerpt(self) -> None:
        """Copy an excerpt, redacted, for an issue tracker."""
        browse = self.screen
        if isinstance(browse, Browse):
            self.put_excerpt(browse)

    def put_excerpt(self, browse: Browse) -> None:
        """Copy the exchanges from the last mark to the cursor as Markdown."""
        pair = marked_and_chosen(browse)
        if pair is None:
            return
        first, last = sorted(pair)
        try:
            text = excerpt(browse.session, first + 1, last + 1)
        except Problem as problem:
            self.warn(str(problem))
            return
        self.put(Copied(f"an excerpt of {count(last - first + 1, 'exchange')}", text))

    # Leaving ----------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Quit from anywhere."""
        self.leave()

    def leave(self) -> None:
        """Quit, after asking what happens to clients that are connected."""
        session = self.tabs[0].session
        own = sum(
            row.closed is None and (row.peer or {}).get("pid") == os.getpid()
            for row in session.connections.values()
        )  # the REPL's, which hangs up when we leave
        clients = session.open_connections - own
        if self.relay is None or not self.relay.alive() or not clients:
            self.exit("stop")
        elif not isinstance(self.screen, Leaving):
            self.push_screen(Leaving(clients), self._answered)

    def _answered(self, answer: Answer | None) -> None:
        if answer is not None:
            self.exit(answer)


def shown_of(browse: Browse) -> tuple[Sequence[int] | None, str]:
    """Return the exchanges that a filter lets through, None for all; and the filter's text."""
    filtered = browse.filter_text
    return (browse.shown if filtered else None), filtered
