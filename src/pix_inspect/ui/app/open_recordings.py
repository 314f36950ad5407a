"""Recordings that are open at once, each in a tab with a main screen that keeps its state.

Whoever opens a session closes it: those that were given to the application are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.main.tabs import RunningRelay, Tab, TabBar, at_hand, is_recording, same
from pix_inspect.ui.widgets.pressed import pressed

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector
    from pix_inspect.ui.widgets.path_dialog import Chosen


class OpenRecordings:
    """The recordings of an application, the first of them with its relay if there is one."""

    def __init__(self, app: Inspector, session: Session, relay: RunningRelay | None) -> None:
        self.app = app
        self.tabs = [Tab(app.DEFAULT_MODE, session, relay)]
        """The recordings that are open."""
        self._opened = 1
        self._own: list[Session] = []

    def first_screen(self) -> MainScreen:
        """Return the screen to begin with, a mode from now on: earlier it costs a second layout."""
        return self._open(self.tabs[0])()

    def _open(self, tab: Tab) -> Callable[[], MainScreen]:
        def make() -> MainScreen:
            return MainScreen(tab, self.app)

        self.app.add_mode(tab.name, make)
        return make

    def add(self, session: Session) -> Tab:
        """Open a recording in a tab of its own, without going there."""
        self._opened += 1
        tab = Tab(f"recording-{self._opened}", session)
        self.tabs.append(tab)
        self._open(tab)
        self._name_tabs()
        return tab

    def close_all(self) -> None:
        """Close what was opened here."""
        for session in self._own:
            session.close()

    @property
    def tab(self) -> Tab:
        """The recording on the screen."""
        name = self.app.current_mode
        return next((tab for tab in self.tabs if tab.name == name), self.tabs[0])

    @property
    def session(self) -> Session:
        """The session of the recording on the screen."""
        shown = [screen for screen in self.app.screen_stack if isinstance(screen, MainScreen)]
        return shown[-1].session if shown else self.tab.session

    def _name_tabs(self) -> None:
        """Have every screen name the recordings that are open."""
        for stack in self.app._screen_stacks.values():
            for screen in stack:
                for bar in screen.query(TabBar):
                    bar.say(self.tabs, self.tab)

    def go_to(self, tab: Tab) -> None:
        """Put another recording on the screen, as it was left."""
        self.app.switch_mode(tab.name)
        self._name_tabs()

    def visit(self, tab: Tab, to: GoTo) -> None:
        """Go to a place of a recording."""
        if tab not in self.tabs:
            self.app.warn("that recording was closed")
            return
        self.go_to(tab)
        while len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        self.app.screen.post_message(to)

    def open(self, path: Path) -> Tab:
        """Return the tab of a recording, opened now if it is not. Raises Problem."""
        for tab in self.tabs:
            if same(tab.session.path, path):
                return tab
        session = Session(path)
        self._own.append(session)
        return self.add(session)

    def ask(self) -> None:
        """Ask for a recording, open it and go there."""
        from pix_inspect.ui.widgets.path_dialog import PathDialog

        def check(path: Path, replace: bool) -> None:
            if not any(same(tab.session.path, path) for tab in self.tabs):
                Session(path).close()

        def go_on(chosen: Chosen | None) -> None:
            if chosen is not None:
                try:
                    self.go_to(self.open(chosen.path))
                except Problem as problem:
                    self.app.warn(str(problem))

        offers = at_hand(self.tab.session.path)
        dialog = PathDialog("Open a recording", "", check, offers=offers, wanted=is_recording)
        self.app.push_screen(dialog, go_on)

    async def close(self, tab: Tab) -> None:
        """Close a recording; with the last one, quit."""
        if len(self.tabs) == 1:
            self.app.leave()
            return
        if tab.relay is not None and tab.relay.alive():
            quits = pressed(self.app, "quit", "q")
            self.app.warn(f"this recording is being made for this screen: {quits} quits")
            return
        if tab is self.tab:
            at = self.tabs.index(tab)
            self.go_to(self.tabs[at + 1 if at + 1 < len(self.tabs) else at - 1])
        self.tabs.remove(tab)
        await self.app.remove_mode(tab.name)
        if tab.session in self._own:
            self._own.remove(tab.session)
            tab.session.close()
        self._name_tabs()

    def step(self, step: int) -> None:
        """Go to the next recording that is open."""
        if len(self.tabs) > 1:
            self.go_to(self.tabs[(self.tabs.index(self.tab) + step) % len(self.tabs)])
        else:
            self.app.warn("only this recording is open: ctrl+o opens another")
