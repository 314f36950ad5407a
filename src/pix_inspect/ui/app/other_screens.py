"""The screens beside the main one: which are shown, of what, and what coming back does.

Each looks at the recording on the main screen, or at what its filter lets through; coming
back from some of them goes to a place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.app.open_recordings import OpenRecordings
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.main.tabs import Tab, at_hand, is_recording, same
from pix_inspect.ui.screens.detail_screen import OtherScreen
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.screens.findings import FindingsScreen
from pix_inspect.ui.screens.recordings import Destination, RecordingsScreen
from pix_inspect.ui.screens.round_trips import AnalysisScreen
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.screens.waits import WaitingScreen
from pix_inspect.ui.widgets.path_dialog import Chosen, Offer, PathDialog
from pix_inspect.ui.widgets.text import safe


class OtherScreens(OpenRecordings):
    """An application with screens beside the main one."""

    now: Callable[[], int]
    """The time, in nanoseconds since 1970."""

    def _show(self, make: Callable[[MainScreen], OtherScreen[GoTo | None]]) -> None:
        """Show a screen beside the main one, then go to the place that it returns."""
        main = self.screen
        if isinstance(main, MainScreen):

            def go(to: GoTo | None) -> None:
                if to is not None:
                    main.post_message(to)

            self.push_screen(make(main), go)

    def action_statistics(self) -> None:
        """Show where the time went."""
        self._show(lambda main: StatisticsScreen(main.session, *shown_of(main)))

    def action_findings(self) -> None:
        self._show(lambda main: FindingsScreen(main.session))

    def action_waiting(self) -> None:
        """Show who waits for whom."""
        self._show(lambda main: WaitingScreen(main.session, self.now, live=main.tab.is_live()))

    def action_analysis(self) -> None:
        """Show where the round trips are, and what distance costs."""
        self._show(lambda main: AnalysisScreen(main.session))

    def action_differences(self) -> None:
        """Compare the exchange under the cursor with the one that was marked last."""
        main = self.screen
        if isinstance(main, MainScreen):
            pair = marked_and_chosen(main)
            if pair is None or pair[0] == pair[1]:
                self.notify("mark an exchange with m, then compare another with it", markup=False)
                return
            self.push_screen(DifferencesScreen(*map(main.session.exchange, pair)))

    def action_recordings(self) -> None:
        """Compare the recording with the other one that is open, or with one that is asked for."""
        if not isinstance(self.screen, MainScreen):
            return
        tab = self.tab
        others = [other for other in self.tabs if other is not tab]
        if len(others) == 1:
            self._compare(tab, others[0])
            return

        def check(path: Path, replace: bool) -> None:
            if same(tab.session.path, path):
                raise Problem(f"{path} is the recording on the screen: choose another")
            if not any(same(other.session.path, path) for other in others):
                Session(path).close()

        def go_on(chosen: Chosen | None) -> None:
            if chosen is not None:
                try:
                    self._compare(tab, self.tab_at(chosen.path))
                except Problem as problem:
                    self.warn(str(problem))

        offers = [Offer(str(other.session.path), f"open as {other.title}") for other in others]
        known = {offer.path for offer in offers} | {str(tab.session.path)}
        offers += [offer for offer in at_hand() if offer.path not in known]
        title = f"Compare {safe(tab.title)} with another recording"
        self.push_screen(PathDialog(title, "", check, offers=offers, wanted=is_recording), go_on)

    def _compare(self, first: Tab, second: Tab) -> None:
        """Show how two recordings differ, then go where the user wants."""

        def go(to: Destination | None) -> None:
            if to is not None:
                self.visit((first, second)[to.which], to.place)

        self.push_screen(RecordingsScreen(first, second), go)


def shown_of(main: MainScreen) -> tuple[Sequence[int] | None, str]:
    """Return the exchanges that a filter lets through, None for all; and the filter's text."""
    filtered = main.filter.text
    return (main.filter.shown if filtered else None), filtered


def marked_and_chosen(main: MainScreen) -> tuple[int, int] | None:
    """Return the exchange marked last, the chosen one if none is, and the chosen one."""
    chosen = main.timeline.chosen
    if chosen is None:
        return None
    marked = main.timeline.marks.last
    return (chosen if marked is None else marked, chosen)
