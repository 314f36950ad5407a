"""Panes of any size: borders that the mouse drags and keys move.

The shares of the panes are numbers, so that they can be remembered; what is not set is the
style sheet's. Narrow screens, where panes stand one below the other, have a share of their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from textual import events
from textual.screen import Screen
from textual.widget import Widget

STEP = 5
LEAST, MOST = 10, 90
"""Hundredths of the room that a pane grows by at once, and may have."""

TITLED = {"timeline": "timeline-frame", "fields": "fields", "log": "log", "payload": "payload",
          "bytes": "bytes", "explanation": "explanation"}  # fmt: skip
"""The panes, and what has the border with the title of each."""

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


class Dividing(Screen[None]):
    """A screen of a timeline, a side with an upper pane, and bytes and explanation below it."""

    shares: Shares
    _dragged: Border | None = None

    @property
    def _side_by_side(self) -> bool:
        return not self.has_class("-narrow")

    def divide(self, shares: Shares) -> None:
        """Give the panes their shares of the room."""
        self.shares = shares
        timeline, side = self.query_one("#timeline-frame"), self.query_one("#side")
        wide = self._side_by_side
        _give(timeline, side, "width", shares.across if wide else None)
        _give(timeline, side, "height", None if wide else shares.down)
        for name in ("fields", "log", "payload"):
            _set(self.query_one(f"#{name}"), "height", shares.top)
        rest = None if shares.top is None else 100 - shares.top
        for name in ("bytes", "explanation"):
            _set(self.query_one(f"#{name}"), "height", rest)
        for repl in self.query("#repl"):
            _give(repl, self.query_one("#body"), "height", shares.repl)

    def on_resize(self) -> None:
        """Give the panes the shares of this width."""
        self.call_after_refresh(lambda: self.divide(self.shares))

    # Keys -------------------------------------------------------------------------------

    def action_widen(self, step: int) -> None:
        """Give the focused pane more room, or less."""
        focused = self.focused
        if focused is None:
            return
        border: Border = "across" if self._side_by_side else "down"
        sign = step
        if focused.id in ("fields", "log", "payload", "bytes", "explanation"):
            lower = focused.id in ("bytes", "explanation")
            if lower or self._below() is not None:
                border, sign = "top", -step if lower else step
            else:
                sign = -step
        self._put(border, self._share(border) + sign * STEP)

    def widen_repl(self, step: int) -> None:
        """Give the REPL more room, or less."""
        share = self.shares.repl
        if share is None:
            share = round(self.query_one("#repl").region.height * 100 / self._below_the_bar)
        self._put("repl", share + step * STEP)

    @property
    def _below_the_bar(self) -> int:
        """The rows that the panes and the REPL have together."""
        rows: int = self.query_one("#body").region.height
        return max(rows + sum(repl.region.height for repl in self.query("#repl")), 1)

    def action_usual_sizes(self) -> None:
        """Give all panes the room that they usually have."""
        self.divide(Shares())

    def _share(self, border: Border) -> int:
        share: int | None = getattr(self.shares, border)
        usual: int = getattr(USUAL, border)
        return usual if share is None else share

    def _put(self, border: Border, share: int) -> None:
        setattr(self.shares, border, max(LEAST, min(share, MOST)))
        self.divide(self.shares)

    def action_maximise(self) -> None:
        """Give the focused pane the whole screen, or take it back."""
        raise NotImplementedError

    # Mouse ------------------------------------------------------------------------------

    def _below(self) -> Widget | None:
        """Return the pane whose upper border divides the side."""
        for name in ("bytes", "explanation"):
            pane = self.query_one(f"#{name}")
            if pane.display and pane.region.height:
                return pane
        return None

    def _border_at(self, x: int, y: int) -> Border | None:
        side, below = self.query_one("#side").region, self._below()
        if self.query_one("#timeline-frame").display and side.height:
            if self._side_by_side and x == side.x and side.y <= y < side.bottom:
                return "across"
            if not self._side_by_side and y == side.y:
                return "down"
        if any(y == repl.region.y and repl.region.height for repl in self.query("#repl")):
            return "repl"
        if below is not None and side.height and y == below.region.y > side.y and x >= side.x:
            return "top"
        return None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a border."""
        border = self._border_at(event.screen_x, event.screen_y)
        if border is not None:
            self._dragged = border
            self.capture_mouse()
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged is None:
            return
        body, side = self.query_one("#body").region, self.query_one("#side").region
        if self._dragged == "across":
            at, room = event.screen_x - body.x, body.width
        elif self._dragged == "down":
            at, room = event.screen_y - body.y, body.height
        elif self._dragged == "repl":
            room = self._below_the_bar
            at = body.y + room - event.screen_y
        else:
            at, room = event.screen_y - side.y, side.height
        self._put(self._dragged, round(at * 100 / max(room, 1)))

    def on_click(self, event: events.Click) -> None:
        """Give the pane whose title was clicked twice the whole screen, or take it back."""
        if event.chain != 2:
            return
        for name, frame in TITLED.items():
            region = self.query_one(f"#{frame}").region
            inside = region.x < event.screen_x < region.right
            if region.height and event.screen_y == region.y and inside:
                self.set_focus(self.query_one(f"#{name}"))
                self.action_maximise()
                return

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go of the border."""
        if self._dragged is not None:
            self._dragged = None
            self.capture_mouse(False)
            event.stop()


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
