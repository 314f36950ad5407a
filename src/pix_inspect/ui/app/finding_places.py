"""From a finding, or a mark, to its place on the main screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pix_inspect.findings.finding import Finding

if TYPE_CHECKING:
    from pix_inspect.ui.main.main_screen import MainScreen

TRIES = 200
PAUSE = 0.02
"""How often, and after how many seconds each time, it is seen whether an exchange is shown."""


def follow(browse: MainScreen, to: Finding | str | None) -> None:
    """Go where the user wants: to a finding's place, or to the exchanges of a filter."""
    if isinstance(to, str):
        browse.apply_filter(to)
    elif to is not None:
        browse.timeline.go_to(to.exchange - 1)
        if browse.timeline.chosen != to.exchange - 1:
            browse.app.notify(
                f"#{to.exchange} is not let through by the filter: esc clears it", markup=False
            )
        elif to.side is not None and to.offset is not None:
            _reach(browse, to, TRIES)


def _reach(browse: MainScreen, to: Finding, tries: int) -> None:
    """Choose the field at the finding's byte as soon as the exchange is shown."""
    view = browse.view
    if view is None or view.row.number != to.exchange:
        if tries and browse.timeline.chosen == to.exchange - 1:
            browse.set_timer(PAUSE, lambda: _reach(browse, to, tries - 1))
        return
    assert to.side is not None
    assert to.offset is not None
    path = browse.fields.outline.at_byte(to.side, to.offset)
    if path:
        browse.fields.select(path)
        browse.on_fields_chosen()


def marked_and_chosen(browse: MainScreen) -> tuple[int, int] | None:
    """Return the exchange marked last, the chosen one if none is, and the chosen one."""
    chosen = browse.timeline.chosen
    if chosen is None:
        return None
    marked = browse.timeline.marks.last
    return (chosen if marked is None else marked, chosen)
