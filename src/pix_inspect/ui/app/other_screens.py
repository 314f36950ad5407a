"""The screens beside the main one: which are shown, of what, and what coming back does.

Each looks at the recording on the main screen, or at what its filter lets through; coming
back from some of them goes to a place. Each is imported when it is opened for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.main.tabs import Tab, at_hand, is_recording, same
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.text import safe

if TYPE_CHECKING:
    from pix_inspect.ui.app.open_recordings import OpenRecordings
    from pix_inspect.ui.screens.detail_screen import OtherScreen
    from pix_inspect.ui.screens.recordings import Destination
    from pix_inspect.ui.widgets.path_dialog import Chosen

Beside = Literal["statistics", "findings", "waits", "round trips", "differences", "recordings"]
"""The screens, by what they show."""


def show(what: Beside, main: MainScreen, recordings: OpenRecordings) -> None:
    """Show a screen beside a main one, then go to the place that it returns."""

    def go(to: GoTo | None) -> None:
        if to is not None:
            main.post_message(to)

    if what == "recordings":
        _ask_for_other(main, recordings)
    elif (screen := _made(what, main)) is not None:
        main.app.push_screen(screen, go)
    else:
        mark = pressed(main.app, "timeline.mark", "m")
        main.notify(f"mark an exchange with {mark}, then compare another with it", markup=False)


def _made(what: Beside, main: MainScreen) -> OtherScreen[Any] | None:
    """Return a screen; None where there are no two exchanges to compare."""
    if what == "statistics":
        from pix_inspect.ui.screens.statistics import StatisticsScreen

        return StatisticsScreen(main.session, *shown_of(main))
    if what == "findings":
        from pix_inspect.ui.screens.findings import FindingsScreen

        return FindingsScreen(main.session)
    if what == "waits":
        from pix_inspect.ui.screens.waits import WaitingScreen

        return WaitingScreen(main.session, main.host.now, main.tab.is_live)
    if what == "round trips":
        from pix_inspect.ui.screens.round_trips import AnalysisScreen

        return AnalysisScreen(main.session)
    from pix_inspect.ui.screens.differences import DifferencesScreen

    pair = marked_and_chosen(main)
    if pair is None or pair[0] == pair[1]:
        return None
    return DifferencesScreen(*map(main.session.exchange, pair))


def _ask_for_other(main: MainScreen, recordings: OpenRecordings) -> None:
    """Compare the recording with the other one that is open, or with one that is asked for."""
    from pix_inspect.ui.widgets.path_dialog import Offer, PathDialog

    tab = recordings.tab
    others = [other for other in recordings.tabs if other is not tab]
    if len(others) == 1:
        _compare(tab, others[0], recordings)
        return

    def check(path: Path, replace: bool) -> None:
        if same(tab.session.path, path):
            raise Problem(f"{path} is the recording on the screen: choose another")
        if not any(same(other.session.path, path) for other in others):
            Session(path).close()

    def go_on(chosen: Chosen | None) -> None:
        if chosen is not None:
            try:
                _compare(tab, recordings.open(chosen.path), recordings)
            except Problem as problem:
                main.host.warn(str(problem))

    offers = [Offer(str(other.session.path), f"open as {other.title}") for other in others]
    known = {offer.path for offer in offers} | {str(tab.session.path)}
    offers += [offer for offer in at_hand(tab.session.path) if offer.path not in known]
    title = f"Compare {safe(tab.title)} with another recording"
    main.app.push_screen(PathDialog(title, "", check, offers=offers, wanted=is_recording), go_on)


def _compare(first: Tab, second: Tab, recordings: OpenRecordings) -> None:
    """Show how two recordings differ, then go where the user wants."""
    from pix_inspect.ui.screens.recordings import RecordingsScreen

    def go(to: Destination | None) -> None:
        if to is not None:
            recordings.visit((first, second)[to.which], to.place)

    recordings.app.push_screen(RecordingsScreen(first, second), go)


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
