"""Panes of any size: borders that the mouse drags and keys move.

The shares of the panes are numbers, so that they can be remembered; what is not set is the
style sheet's. Narrow screens, where panes stand one below the other, have a share of their own.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from textual.geometry import NULL_REGION, Region
from textual.screen import Screen
from textual.widget import Widget

from pix.dataclass import dataclass
from pix_inspect.ui.main.panes import PANES, SIDES

STEP = 5
LEAST, MOST = 10, 90
"""Hundredths of the room that a pane grows by at once, and may have."""

UPPER, LOWER = SIDES, ("bytes", "explanation")
"""The panes of the side: those above, of which there is one, and those below."""

Border = Literal["across", "down", "top", "repl"]


@dataclass(slots=True)
class Shares:
    """Hundredths of the room; None is the style sheet's share.

    `across`: the timeline beside the others; `down`: above them; `top`: the fields above the
    bytes; `repl`: the REPL below all of them.
    """

    across: int | None = None
    down: int | None = None
    top: int | None = None
    repl: int | None = None

    def plain(self) -> dict[str, int]:
        return {name: share for name, share in asdict(self).items() if share is not None}

    @classmethod
    def of(cls, said: object) -> Shares:
        """Return what was remembered, as far as it makes sense."""
        known = said if isinstance(said, dict) else {}
        shares = cls()
        for name in cls.__slots__:
            share = known.get(name)
            if isinstance(share, int) and LEAST <= share <= MOST:
                setattr(shares, name, share)
        return shares


USUAL = Shares(across=57, down=40, top=60)
"""About what the style sheet gives."""


class Dividers:
    """The borders of a screen: of a timeline, a side with panes above each other, and the REPL."""

    def __init__(self, screen: Screen[None]) -> None:
        self.shares = Shares()
        self._screen = screen
        self._dragged: Border | None = None

    @property
    def _side_by_side(self) -> bool:
        return not self._screen.has_class("-narrow")

    def _region(self, name: str) -> Region:
        """Return where a pane is; it has no size when it is not there."""
        return next((pane.region for pane in self._screen.query(f"#{name}")), NULL_REGION)

    def divide(self, shares: Shares | None = None) -> None:
        """Give the panes their shares of the room, by default those that they have."""
        self.shares = shares = shares or self.shares
        pane, wide = self._screen.query_one, self._side_by_side
        timeline, side = pane("#timeline-frame"), pane("#side")
        _give(timeline, side, "width", shares.across if wide else None)
        _give(timeline, side, "height", None if wide else shares.down)
        for name in UPPER:
            _set(pane(f"#{name}"), "height", shares.top)
        for name in LOWER:
            _set(pane(f"#{name}"), "height", None if shares.top is None else 100 - shares.top)
        for repl in self._screen.query("#repl"):
            _give(repl, pane("#body"), "height", shares.repl)

    # Keys -------------------------------------------------------------------------------

    def widen(self, step: int) -> None:
        """Give the focused pane more room, or less."""
        focused = self._screen.focused
        if focused is None:
            return
        border: Border = "across" if self._side_by_side else "down"
        sign = step
        if focused.id in (*UPPER, *LOWER):
            lower = focused.id in LOWER
            if lower or self._below() is not None:
                border, sign = "top", -step if lower else step
            else:
                sign = -step
        self._put(border, self._share(border) + sign * STEP)

    def widen_repl(self, step: int) -> None:
        """Give the REPL more room, or less."""
        share = self.shares.repl
        if share is None:
            share = round(self._region("repl").height * 100 / self._below_the_bar)
        self._put("repl", share + step * STEP)

    @property
    def _below_the_bar(self) -> int:
        """The rows that the panes and the REPL have together."""
        return max(self._region("body").height + self._region("repl").height, 1)

    def _share(self, border: Border) -> int:
        share: int | None = getattr(self.shares, border)
        usual: int = getattr(USUAL, border)
        return usual if share is None else share

    def _put(self, border: Border, share: int) -> None:
        setattr(self.shares, border, max(LEAST, min(share, MOST)))
        self.divide()

    # Mouse ------------------------------------------------------------------------------

    def _below(self) -> Region | None:
        """Return where the pane is whose upper border divides the side."""
        shown = (self._screen.query_one(f"#{name}") for name in LOWER)
        return next((pane.region for pane in shown if pane.display and pane.region.height), None)

    def _border_at(self, x: int, y: int) -> Border | None:
        side, repl, below = self._region("side"), self._region("repl"), self._below()
        if self._screen.query_one("#timeline-frame").display and side.height:
            if self._side_by_side and x == side.x and side.y <= y < side.bottom:
                return "across"
            if not self._side_by_side and y == side.y:
                return "down"
        if repl.height and y == repl.y:
            return "repl"
        if below is not None and side.height and y == below.y > side.y and x >= side.x:
            return "top"
        return None

    def press(self, x: int, y: int) -> bool:
        """Take hold of the border at a cell; return whether there is one."""
        self._dragged = self._border_at(x, y)
        return self._dragged is not None

    def drag(self, x: int, y: int) -> None:
        """Move the border that is held."""
        body, side = self._region("body"), self._region("side")
        if self._dragged == "across":
            at, room = x - body.x, body.width
        elif self._dragged == "down":
            at, room = y - body.y, body.height
        elif self._dragged == "repl":
            room = self._below_the_bar
            at = body.y + room - y
        elif self._dragged == "top":
            at, room = y - side.y, side.height
        else:
            return
        self._put(self._dragged, round(at * 100 / max(room, 1)))

    def release(self) -> bool:
        """Let go of the border; return whether one was held."""
        held, self._dragged = self._dragged is not None, None
        return held

    def titled(self, x: int, y: int) -> str | None:
        """Return the pane whose title is at a cell."""
        for name in PANES:
            region = self._region("timeline-frame" if name == "timeline" else name)
            if region.height and y == region.y and region.x < x < region.right:
                return name
        return None


def _give(first: Widget, second: Widget, side: str, share: int | None) -> None:
    """Divide the room between two panes."""
    _set(first, side, share)
    _set(second, side, None if share is None else 100 - share)


def _set(pane: Widget, side: str, share: int | None) -> None:
    styles: Any = pane.styles
    if share is None:
        styles.clear_rule(side)
        pane.refresh(layout=True)
    else:
        setattr(styles, side, f"{share}fr")
