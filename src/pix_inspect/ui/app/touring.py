"""A guided tour on the screen: a pane below the others that says what is to be seen.

A step opens its recording, selects an exchange and a field, and lights its bytes. All else
works as it always does: one can wander off, and the next step leads back.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from pix_inspect.session.session import Session
from pix_inspect.teach import bundled
from pix_inspect.teach.tours import Place, Tour, place
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.main_screen import MainScreen

GLANCE = 0.02
"""Seconds between two looks whether a recording has been read."""


class Words(Static):
    """What a step has to say."""

    DEFAULT_CSS = """
    Words {
        dock: bottom; height: auto; max-height: 40%; padding: 0 1; margin: 0 0 1 0;
        border: round $accent; border-title-color: $accent; background: $panel;
    }
    """


class Stop(MainScreen):
    """Another recording than the one that the tour began with."""

    def on_unmount(self) -> None:
        self.session.close()


class Touring(Inspector):
    """The inspector, with a tour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "step(1)", "Next step", key_display="]", show=False,
                priority=True, id="tour.next"),
        Binding("left_square_bracket", "step(-1)", "Step back", key_display="[", show=False,
                priority=True, id="tour.previous"),
    ]  # fmt: skip

    def __init__(self, tour: Tour) -> None:
        self.tour = tour
        self.number = 0
        self._places: dict[int, Place] = {}
        self._arrived = False
        self._first = Session(bundled.recording(tour.steps[0].recording))
        super().__init__(self._first)

    def _place(self) -> Place:
        """Where the step leads, looked up in a session of its own."""
        if self.number not in self._places:
            step = self.tour.steps[self.number]
            session = Session(bundled.recording(step.recording)).read_all()
            self._places[self.number] = place(step, session)
            session.close()
        return self._places[self.number]

    @property
    def arrived(self) -> bool:
        """Whether what the step means is shown."""
        return self._arrived

    def on_mount(self) -> None:
        """Begin at the first step."""
        self.call_after_refresh(self._go)

    def on_unmount(self) -> None:
        """Close the recording that it began with."""
        self._first.close()

    def action_step(self, by: int) -> None:
        """Go to another step, or back to this one when there is none."""
        self.number = min(max(self.number + by, 0), len(self.tour.steps) - 1)
        self._arrived = False
        self._go()

    def _go(self) -> None:
        found = self._place()
        path = bundled.recording(self.tour.steps[self.number].recording)
        while len(self.screen_stack) > 1 and not self._shows(path):
            self.pop_screen()
        if not self._shows(path):
            self.push_screen(Stop(Session(path)))
        self._lead(found)

    def _shows(self, path: Path) -> bool:
        return isinstance(self.screen, MainScreen) and self.screen.session.path == path

    def _lead(self, found: Place) -> None:
        """Select what the step means, as soon as the screen has read so far."""
        browse = self.screen
        if not self._has(browse, found):
            self.set_timer(GLANCE, lambda: self._lead(found))
            return
        assert isinstance(browse, MainScreen)
        if browse.timeline.chosen != found.number:
            browse.timeline.begin_at(found.number, follow=False)
            self.set_timer(GLANCE, lambda: self._lead(found))
            return
        if browse.index != found.number or browse.view is None:
            self.set_timer(GLANCE, lambda: self._lead(found))
            return
        browse.fields.select(found.path)
        browse.fields.moved()
        browse.fields.focus()
        self._say(browse, found)
        self._arrived = True

    @staticmethod
    def _has(screen: Screen[object], found: Place) -> bool:
        return (
            isinstance(screen, MainScreen)
            and screen.is_mounted
            and screen.timeline.is_mounted
            and screen.timeline.lines.count > found.number
        )

    def _say(self, browse: MainScreen, found: Place) -> None:
        pane = next(iter(browse.query(Words)), None)
        if pane is None:
            pane = Words(id="words")
            browse.mount(pane, before=browse.query_one(Footer))
        step = self.tour.steps[self.number]
        pane.border_title = self.tour.title
        pane.border_subtitle = (
            f"{self.number + 1} of {len(self.tour.steps)} · {step.recording} · ] next · [ back"
        )
        pane.update(Text(found.text))
