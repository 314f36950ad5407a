"""Going to a place of a recording: the message that asks for it, and the way there.

Whoever wants to go somewhere posts `GoTo` to the main screen of the recording, which need not
be mounted or read so far; `Arrived` says that the place is shown. The way ends where the user
chooses another exchange in between.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message
from textual.timer import Timer

from pix.dataclass import dataclass
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.fields_pane import Fields
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.pressed import pressed

STEP = 1 / 20
"""Seconds between two looks whether the way can be gone on."""


@dataclass(eq=False)
class GoTo(Message):
    """Go to an exchange (from 0) and there to a byte (side, offset) or to the row of a path.

    `filter` is put in force before. All of it is optional.
    """

    exchange: int | None = None
    byte: tuple[int, int] | None = None
    path: tuple[int, ...] | None = None
    filter: str | None = None


@dataclass(eq=False)
class Arrived(Message):
    """What `to` asked for is shown."""

    to: GoTo


class Journey:
    """The way to a place on one screen, gone as far as what was read and is shown allows.

    `shown` returns the exchange whose fields are shown, `taken_in` whether the timeline has all
    there is.
    """

    def __init__(
        self,
        timeline: Timeline,
        fields: Fields,
        shown: Callable[[], ExchangeView | None],
        taken_in: Callable[[], bool],
    ) -> None:
        self._timeline = timeline
        self._fields = fields
        self._shown = shown
        self._taken_in = taken_in
        self._to: GoTo | None = None
        self._chosen = False
        self._steps: Timer | None = None

    @property
    def ended(self) -> bool:
        """Whether there is nowhere to go."""
        return self._to is None

    def begin(self, to: GoTo) -> None:
        """Go there, and nowhere else."""
        self._to = to
        self._chosen = False
        self.go_on()
        if self._to is not None and self._steps is None:
            self._steps = self._timeline.set_interval(STEP, self.go_on)

    def go_on(self) -> None:
        """Go further: something was read, arranged or shown."""
        to, timeline = self._to, self._timeline
        if to is None:
            if self._steps is not None:
                self._steps.stop()
                self._steps = None
            return
        if to.exchange is None:
            self._arrive(to)
            return
        if not self._chosen:
            there = to.exchange < len(timeline.session)
            if not ((there and timeline.rows.has(to.exchange)) or self._taken_in()):
                return
            self._chosen = True
            if there:
                timeline.go_to(to.exchange)
            if timeline.chosen != to.exchange:
                back = pressed(timeline.app, "back", "esc")
                through = f"let through by the filter: {back} clears it"
                why = through if there else "in this recording"
                timeline.app.notify(f"#{to.exchange + 1} is not {why}", markup=False)
        if timeline.chosen != to.exchange:
            self._to = None
            return
        view = self._shown()
        if view is not None and view.row.number - 1 == to.exchange:
            path = self._fields.outline.at_byte(*to.byte) if to.byte is not None else to.path
            if path:
                self._fields.select(path)
                self._fields.moved()
            self._arrive(to)

    def _arrive(self, to: GoTo) -> None:
        self._to = None
        self._timeline.screen.post_message(Arrived(to))
