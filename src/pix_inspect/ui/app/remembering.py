"""What is remembered of the screen: theme, panes and their sizes, columns, time format.

Each setting is looked at on its own: one that makes no sense is left out, and said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pix_inspect.ui.main.dividers import Shares
from pix_inspect.ui.main.panes import SIDES
from pix_inspect.ui.timeline.columns import CLOCKS, COLUMNS

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector
    from pix_inspect.ui.main.main_screen import MainScreen


def theme_of(known: dict[str, Any], app: Inspector) -> str | None:
    """Return the theme that was remembered, None if there is none of this name."""
    theme = known.get("theme")
    return theme if isinstance(theme, str) and theme in app.available_themes else None


def recall(browse: MainScreen, known: dict[str, Any]) -> list[str]:
    """Have a main screen look as it is remembered; return the settings that make no sense."""
    left: list[str] = []

    def take(name: str, fits: Any) -> Any:
        if name not in known:
            return None
        value = known[name]
        if fits(value):
            return value
        left.append(name)
        return None

    explain = take("explain", _is_bool)
    if explain is not None:
        browse.panes.show("explanation", shown=explain)
    shown = take("bytes", _is_bool)
    if shown is not None:
        browse.panes.show("bytes", shown=shown)
    side = take("side", lambda value: isinstance(value, str) and value in SIDES)
    if side is not None:
        browse.panes.side = side
    clock = take("clock", lambda value: value in CLOCKS)
    timeline = browse.timeline
    if clock is not None and clock != "marked":
        timeline.painter.clock = clock
    hidden = take("hidden columns", _are_columns)
    if hidden is not None:
        timeline.painter.hidden = frozenset(hidden)
    browse.dividers.divide(Shares.of(take("sizes", lambda value: isinstance(value, dict))))
    return left


def remembered(app: Inspector, browse: MainScreen) -> dict[str, Any]:
    """Return what is to be remembered of a main screen."""
    timeline = browse.timeline
    return {
        "theme": (app.theme.startswith("ansi") and app.usual_theme) or app.theme,
        "explain": browse.panes.shows("explanation"),
        "bytes": browse.panes.shows("bytes"),
        "side": browse.panes.side,
        "clock": timeline.painter.clock if timeline.painter.clock != "marked" else CLOCKS[0],
        "hidden columns": sorted(timeline.painter.hidden),
        "sizes": browse.dividers.shares.plain(),
    }


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _are_columns(value: object) -> bool:
    names = {column.name for column in COLUMNS}
    return isinstance(value, list) and all(isinstance(v, str) and v in names for v in value)
