"""Which recording to compare with, and the way from a difference to its place in a tab.

With two recordings open it is the other one; else it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.tabs import Tab, at_hand, is_recording, same
from pix_inspect.ui.screens.recordings import Destination, RecordingsScreen
from pix_inspect.ui.widgets.path_dialog import Chosen, Offer, PathDialog
from pix_inspect.ui.widgets.text import safe

if TYPE_CHECKING:
    from pix_inspect.ui.app.open_recordings import OpenRecordings

TRIES = 500
PAUSE = 0.02
"""How often, and after how many seconds each time, it is seen whether a tab has been read."""


def compare_recordings(app: OpenRecordings, tab: Tab) -> None:
    """Compare a recording with the other one that is open, or with one that is asked for."""
    others = [other for other in app.tabs if other is not tab]
    if len(others) == 1:
        show(app, tab, others[0])
        return

    def check(path: Path, replace: bool) -> None:
        if same(tab.session.path, path):
            raise Problem(f"{path} is the recording on the screen: choose another")
        if not any(same(other.session.path, path) for other in others):
            Session(path).close()

    def go_on(chosen: Chosen | None) -> None:
        if chosen is not None:
            try:
                show(app, tab, app.tab_at(chosen.path))
            except Problem as problem:
                app.warn(str(problem))

    offers = [Offer(str(other.session.path), f"open as {other.title}") for other in others]
    known = {offer.path for offer in offers} | {str(tab.session.path)}
    offers += [offer for offer in at_hand() if offer.path not in known]
    title = f"Compare {safe(tab.title)} with another recording"
    app.push_screen(PathDialog(title, "", check, offers=offers, wanted=is_recording), go_on)


def show(app: OpenRecordings, first: Tab, second: Tab) -> None:
    """Show how two recordings differ, then go where the user wants."""

    def go(to: Destination | None) -> None:
        if to is not None:
            visit(app, (first, second)[to.which], to)

    app.push_screen(RecordingsScreen(first, second), go)


def visit(app: OpenRecordings, tab: Tab, to: Destination) -> None:
    """Go to an exchange of a tab, or to what a filter shows there."""
    if tab not in app.tabs:
        app.warn("that recording was closed")
        return
    if tab is not app.tab:
        app.go_to(tab)
    _arrive(app, tab, to, TRIES)


def _arrive(app: OpenRecordings, tab: Tab, to: Destination, tries: int) -> None:
    """Go on as soon as the tab's screen stands there and is read as far as it has to be."""
    screen = app.screen
    here = isinstance(screen, MainScreen) and screen.session is tab.session and screen.is_mounted
    if isinstance(screen, MainScreen) and here and screen.settled:
        if to.filter is not None:
            screen.apply_filter(to.filter)
            return
        if screen.timeline.chosen != to.exchange:
            screen.timeline.go_to(to.exchange)
        if screen.timeline.chosen != to.exchange:
            app.notify(
                f"#{to.exchange + 1} is not let through by the filter: esc clears it", markup=False
            )
    elif tries and app.tab is tab:
        app.set_timer(PAUSE, lambda: _arrive(app, tab, to, tries - 1))
