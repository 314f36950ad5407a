"""A guided tour on the screen: a pane below the others that says what is to be seen.

A step opens its recording, selects an exchange and a field, and lights its bytes. All else
works as it always does: one can wander off, and the next step leads back.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from pix_inspect.session.session import Session
from pix_inspect.teach import bundled
from pix_inspect.teach.tours import Place, Tour, place
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.guide import guide
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.places import Arrived, GoTo
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.widgets.pressed import pressed

END = "this is the last step: {} ends the tour, and pix-inspect tour lists the others"


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
        self.arrived = False
        """Whether what the step means is shown."""
        self._to = GoTo()
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

    def on_mount(self) -> None:
        """Begin at the first step."""
        self.call_after_refresh(self._go)

    def on_unmount(self) -> None:
        """Close the recording that it began with."""
        self._first.close()

    def action_step(self, by: int) -> None:
        """Go to another step; where there is none, say so and go back to this one."""
        to = self.number + by
        if not 0 <= to < len(self.tour.steps):
            end = END.format(pressed(self, "quit", "q"))
            self.notify("this is the first step" if to < 0 else end, markup=False)
        self.number = min(max(to, 0), len(self.tour.steps) - 1)
        self._go()

    def _go(self) -> None:
        """Have the recording on the screen, and the place of the step shown."""
        self.arrived = False
        found = self._place()
        path = bundled.recording(self.tour.steps[self.number].recording)
        while len(self.screen_stack) > 1 and not self._shows(path):
            self.pop_screen()
        if not self._shows(path):
            self.push_screen(Stop(Tab("", Session(path)), self))
        self._to = GoTo(exchange=found.number, path=found.path, filter="")
        self.screen.post_message(self._to)

    def _shows(self, path: Path) -> bool:
        return isinstance(self.screen, MainScreen) and self.screen.session.path == path

    def on_arrived(self, message: Arrived) -> None:
        """Say what is to be seen."""
        main = self.screen
        if message.to is self._to and isinstance(main, MainScreen):
            main.fields.focus()
            step, steps = self.tour.steps[self.number], len(self.tour.steps)
            ahead, back = pressed(self, "tour.next", "]"), pressed(self, "tour.previous", "[")
            keys = f"{self.number + 1} of {steps} · {step.recording} · {ahead} next · {back} back"
            guide(main, self.tour.title, keys, self._place().text)
            self.arrived = True
