"""Recordings that are open at once, each in a tab with a main screen that keeps its state.

Whoever opens a session closes it: those that were given to the application are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.app.ending import Ending
from pix_inspect.ui.main.host import Host
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.main.tabs import RunningRelay, Tab, TabBar, at_hand, is_recording, same
from pix_inspect.ui.widgets.path_dialog import Chosen, PathDialog
from pix_inspect.ui.widgets.text import safe


class OpenRecordings(Ending):
    """An application of one recording or several."""

    RECORDING_KEYS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "open", "Open a recording", show=False, id="app.open"),
        Binding("ctrl+w", "close_tab", "Close the recording", show=False, id="app.close"),
        Binding("right_curly_bracket,ctrl+pagedown", "next_tab(1)", "Next recording",
                key_display="}", show=False, id="app.next_tab"),
        Binding("left_curly_bracket,ctrl+pageup", "next_tab(-1)", "Previous recording",
                key_display="{", show=False, id="app.previous_tab"),
    ]  # fmt: skip
    DEFAULT_MODE = "recording-1"

    def __init__(
        self, session: Session, relay: RunningRelay | None, others: Sequence[Session]
    ) -> None:
        super().__init__()
        self.tabs = [Tab(self.DEFAULT_MODE, session, relay)]
        """The recordings that are open."""
        self.add_mode(self.DEFAULT_MODE, self.get_default_screen)
        self._opened = 1
        self._others = list(others)
        self._own: list[Session] = []

    def warn(self, text: str) -> None:
        """Say in one line what cannot be done."""
        self.notify(safe(text, 400), severity="warning", markup=False)

    def leave(self) -> None:
        """Quit."""
        self.exit("stop")

    def get_default_screen(self) -> Screen[object]:
        """Return the main screen of the first recording."""
        return self._main_screen(self.tabs[0])  # type: ignore[return-value]

    def _main_screen(self, tab: Tab) -> MainScreen:
        return MainScreen(tab, cast("Host", self))  # what has screens of its own inherits this

    def open_others(self) -> None:
        """Open what else was asked for, without going there."""
        for session in self._others:
            self._add(session)
        self._others = []

    def on_unmount(self) -> None:
        """Close what was opened here."""
        for session in self._own:
            session.close()

    @property
    def tab(self) -> Tab:
        """The recording on the screen."""
        return next((tab for tab in self.tabs if tab.name == self.current_mode), self.tabs[0])

    @property
    def session(self) -> Session:
        """The session of the recording on the screen."""
        on_screen = [screen for screen in self.screen_stack if isinstance(screen, MainScreen)]
        return on_screen[-1].session if on_screen else self.tab.session

    def _add(self, session: Session) -> Tab:
        """Open a recording in a tab of its own, without going there."""
        self._opened += 1
        tab = Tab(f"recording-{self._opened}", session)
        self.tabs.append(tab)
        self.add_mode(tab.name, lambda: self._main_screen(tab))
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

    def visit(self, tab: Tab, to: GoTo) -> None:
        """Go to a place of a recording."""
        if tab not in self.tabs:
            self.warn("that recording was closed")
            return
        self.go_to(tab)
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.screen.post_message(to)

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
