"""Which panes of the main screen are shown, and which has the whole screen.

Log and payload stand in place of the fields; bytes and explanation come and go. Classes of the
screen say so to the style sheet.
"""

from __future__ import annotations

from textual.screen import Screen

SIDES = ("fields", "log", "payload")
"""What may stand beside the timeline."""

PANES = ("timeline", *SIDES, "bytes", "explanation")
CLASSES = {"log": "-logging", "payload": "-payload", "explanation": "-explaining"}


class PaneLayout:
    """The panes of one screen, by their ids."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self.zoomed: str | None = None
        """The pane that has the whole screen."""

    @property
    def side(self) -> str:
        """What stands beside the timeline: the fields, or what took their place."""
        return next((side for side in SIDES if self.shows(side)), "fields")

    @side.setter
    def side(self, side: str) -> None:
        for each in SIDES[1:]:
            self._screen.set_class(each == side, CLASSES[each])

    def shows(self, pane: str) -> bool:
        """Return whether a pane that comes and goes is there."""
        if pane == "bytes":
            return not self._screen.has_class("-no-bytes")
        return pane in CLASSES and self._screen.has_class(CLASSES[pane])

    def show(self, pane: str, *, shown: bool) -> None:
        """Show or hide the bytes or the explanation."""
        if pane == "bytes":
            self._screen.set_class(not shown, "-no-bytes")
        else:
            self._screen.set_class(shown, CLASSES[pane])

    def toggle(self, pane: str) -> None:
        """Show or hide a pane, or put it beside the timeline; the focus stays on that side."""
        self.zoom(None)
        focused = self._focused
        if pane not in SIDES:
            self.show(pane, shown=not self.shows(pane))
            if focused == pane:
                self._focus("fields")
            return
        before = self.side
        self.side = "fields" if pane == before else pane
        if focused == before:
            self._focus(self.side)

    def reach(self, pane: str) -> None:
        """Focus a pane, also when it is hidden or another one is maximised."""
        if self.zoomed is not None and self.zoomed != pane:
            self.zoom(pane)
        self._focus(pane)

    def maximise(self) -> None:
        """Give the focused pane the whole screen, or take it back."""
        self.zoom(None if self.zoomed is not None else self._focused)

    def zoom(self, pane: str | None) -> None:
        """Give a pane the whole screen; None gives every pane its place."""
        if pane is not None and pane not in PANES:
            return
        self.zoomed = pane
        for name in PANES:
            self._screen.set_class(name == pane, f"-only-{name}")

    @property
    def _focused(self) -> str | None:
        focused = self._screen.focused
        return focused.id if focused is not None else None

    def _focus(self, pane: str) -> None:
        self._screen.query_one(f"#{pane}").focus()
