"""The screens beside the main one: which are shown, of what, and what coming back does.

Each looks at the recording on the main screen, or at what its filter lets through; coming
back from some of them goes to an exchange or puts a filter in force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pix_inspect.ui.app.finding_places import follow, marked_and_chosen
from pix_inspect.ui.app.open_recordings import OpenRecordings
from pix_inspect.ui.app.recordings_choice import compare_recordings
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.screens.findings import FindingsScreen
from pix_inspect.ui.screens.round_trips import AnalysisScreen
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.screens.waits import WaitingScreen


class OtherScreens(OpenRecordings):
    """An application with screens beside the main one."""

    now: Callable[[], int]
    """The time, in nanoseconds since 1970."""

    def action_statistics(self) -> None:
        """Show where the time went."""
        browse = self.screen
        if isinstance(browse, MainScreen):
            screen = StatisticsScreen(browse.session, *shown_of(browse))
            self.push_screen(screen, lambda to: follow(browse, to))

    def action_findings(self) -> None:
        browse = self.screen
        if isinstance(browse, MainScreen):
            self.push_screen(FindingsScreen(browse.session), lambda to: follow(browse, to))

    def action_waiting(self) -> None:
        """Show who waits for whom."""
        browse = self.screen
        if isinstance(browse, MainScreen):

            def go(exchange: int | None) -> None:
                if exchange is not None:
                    browse.timeline.go_to(exchange - 1)

            live = browse.tab.is_live()
            self.push_screen(WaitingScreen(browse.session, self.now, live=live), go)

    def action_analysis(self) -> None:
        """Show where the round trips are, and what distance costs."""
        browse = self.screen
        if isinstance(browse, MainScreen):
            self.push_screen(AnalysisScreen(browse.session), lambda to: follow(browse, to))

    def action_differences(self) -> None:
        """Compare the exchange under the cursor with the one that was marked last."""
        browse = self.screen
        if isinstance(browse, MainScreen):
            pair = marked_and_chosen(browse)
            if pair is None or pair[0] == pair[1]:
                self.notify("mark an exchange with m, then compare another with it", markup=False)
                return
            self.push_screen(DifferencesScreen(*map(browse.session.exchange, pair)))

    def action_recordings(self) -> None:
        """Compare the recording on the screen with another."""
        if isinstance(self.screen, MainScreen):
            compare_recordings(self, self.tab)


def shown_of(browse: MainScreen) -> tuple[Sequence[int] | None, str]:
    """Return the exchanges that a filter lets through, None for all; and the filter's text."""
    filtered = browse.filter_text
    return (browse.shown if filtered else None), filtered
