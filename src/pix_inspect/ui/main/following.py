"""A screen over a recording that grows, or is being read: what arrives is taken in on a timer.

A bounded amount is read at a time, so that keys come in between, and nothing moves that the
user put somewhere. What was lost, and who has kept silent for long, is said above the panes.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from textual.timer import Timer

from pix_inspect.base.units import duration
from pix_inspect.ui.main.filtering import Filtering
from pix_inspect.ui.main.marking import Marking
from pix_inspect.ui.main.places import Journey
from pix_inspect.ui.main.status import Banner, Status, trouble
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.waits.live import LiveWaits, relay_of
from pix_inspect.waits.waits import Wait, overdue, waits

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector

POLL = 0.015
PAUSE = 0.004
"""Seconds of reading in one go, and between two while there is a lot to read."""


class Growing(Filtering, Marking):
    """A screen whose timeline grows."""

    app: Inspector
    journey: Journey

    def __init__(self) -> None:
        super().__init__()
        self._live = False
        self._reading = True
        self._more: Timer | None = None
        self._late: list[int] = []
        """Connections that owe something and have been silent for long."""
        self._said_late: list[str] = []

    @property
    def tab(self) -> Tab:
        """The recording, and the relay that makes it if it is this screen's."""
        return self.app.tab_of(self.session)

    @property
    def taken_in(self) -> bool:
        """Whether all that was read stands in the timeline, as far as a filter lets it through."""
        read = (
            not self._reading
            and self._more is None
            and (self.sieve is not None or self.timeline.rows.known == len(self.session))
        )
        return read and self.sifted and self.timeline.rows.settled

    def renew(self) -> None:
        """Look again at the exchange that is shown."""
        raise NotImplementedError

    def begin_reading(self) -> None:
        """Read what there is, then keep up."""
        self._check_live()
        self._reading = not self._live
        self._take()
        self.timeline.lines.waiting = self.tab.lesson()
        if not self._live:
            self.timeline.begin_at(0, follow=False)
        gc.freeze()  # what is there by now stays: looking through it again would be felt
        self.set_interval(1 / 20, self._tick)
        self.set_interval(1, self._check_live)

    @property
    def _going(self) -> bool:
        """Whether the screen is being taken down: its panes go before its timers do."""
        return not self.query(Status)

    def _tick(self) -> None:
        if self._more is None:
            self._take()
        if not self._going:
            self.renew()
            self.journey.go_on()

    def _take(self) -> None:
        self._more = None
        if self._going:
            return
        changed = self.session.poll(POLL)
        status = self.query_one(Status)
        if changed:
            if self.sieve is None:
                self.timeline.grow(new=not self._reading)
            self.set_class(not len(self.session), "-empty")
            self.recall_marks()
            self._read_on()
        elif self._reading:
            self._reading = False
            gc.freeze()
            self._say_trouble()
        if self.sieve is not None and self._sifting is None:
            self.sift()
        reading = self._reading and self.session.size > 1 << 20
        if changed or self._live or status.reading != reading:
            status.reading = reading
            status.refresh()

    def _read_on(self) -> None:
        """Go on before the next tick while there is a lot to read; keys come in between."""
        if self._more is None and self.session.consumed < self.session.size:
            self._more = self.set_timer(PAUSE, self._take)

    def _check_live(self) -> None:
        if self._going:
            return
        self._live = self.tab.is_live()
        self.timeline.set_live(self._live)
        status = self.query_one(Status)
        if status.live != self._live:
            status.live = self._live
            status.refresh()
        if self._live or not self._reading:
            self._say_trouble()

    def _say_trouble(self) -> None:
        said = [*self.tab.trouble(), *trouble(self.session, self._live), *self._silence()]
        self.query_one(Banner).say(said)

    def _silence(self) -> list[str]:
        """Say who owes what, and why, when nothing passed on a connection for long."""
        app = self.app
        if not (self._live and app.silence):
            return []
        late = overdue(self.session, app.now(), app.silence)
        if late != self._late:
            self._late, self._said_late = late, []
        if late and not self._said_late:
            silence = app.silence
            in_background(
                self,
                lambda: self._look_for_late(late, silence),
                lambda said: self._say_late(late, said),
                what="who waits for whom cannot be told",
                failed=lambda line: self._say_late(late, [line]),
                group="silence",
                exclusive=True,
            )
        return self._said_late

    def _say_late(self, late: list[int], said: list[str]) -> None:
        if late == self._late and not self._going:
            self._said_late = said
            self._say_trouble()

    def _look_for_late(self, late: list[int], silence: int) -> list[str]:
        def why(wait: Wait) -> str:
            found = wait.cause or wait.work
            return f": {found}" if found else ""

        relay = relay_of(self.session.path)
        found = LiveWaits(self.session, relay).look() if relay is not None else waits(self.session)
        past = duration(silence)
        found.sort(key=lambda wait: not wait.cause)  # what is in the way says most
        return [
            f"connection {wait.connection}: {wait.debt}, and nothing was said for {past}"
            f"{why(wait)}; H shows who waits for whom"
            for wait in found
            if wait.connection in late and not wait.idle
        ][:1]
