"""Following a recording that grows, or is being read: what arrives is taken in on a timer.

A bounded amount is read at a time, so that keys come in between, and nothing moves that the
user put somewhere. What was lost, and who has kept silent for long, is said above the panes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer

from pix_inspect.base.units import duration
from pix_inspect.session.session import Session
from pix_inspect.ui.main.filtering import FilterController
from pix_inspect.ui.main.host import Host
from pix_inspect.ui.main.marking import MarkController
from pix_inspect.ui.main.status import Banner, Status, trouble
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.background import in_background

if TYPE_CHECKING:
    from pix_inspect.waits.waits import Wait

POLL = 0.015
PAUSE = 0.004
"""Seconds of reading in one go, and between two while there is a lot to read."""


class Following:
    """Reads a recording into a timeline; `ticked` is called 20 times a second."""

    def __init__(
        self,
        tab: Tab,
        host: Host,
        timeline: Timeline,
        filter: FilterController,
        marks: MarkController,
        status: Status,
        banner: Banner,
        ticked: Callable[[], object],
    ) -> None:
        self._tab = tab
        self._host = host
        self._timeline = timeline
        self._filter = filter
        self._marks = marks
        self._status = status
        self._banner = banner
        self._ticked = ticked
        self._live = False
        self._reading = True
        self._more: Timer | None = None
        self._silence = Silence(tab.session, timeline, self._say_trouble)

    @property
    def taken_in(self) -> bool:
        """Whether all that was read stands in the timeline, as far as a filter lets it through."""
        rows = self._timeline.rows
        read = not self._reading and self._more is None
        read = read and (self._filter.sieve is not None or rows.known == len(self._tab.session))
        return read and self._filter.settled and rows.settled

    def begin(self) -> None:
        """Read what there is, then keep up."""
        self._check_live()
        self._reading = not self._live
        self._take()
        self._timeline.lines.waiting = self._tab.lesson()
        if not self._live:
            self._timeline.begin_at(0, follow=False)
        self._timeline.call_after_refresh(gc.enable)
        gc.freeze()  # what is there by now stays: looking through it again would be felt
        self._timeline.set_interval(1 / 20, self._tick)
        self._timeline.set_interval(1, self._check_live)

    @property
    def _going(self) -> bool:
        """Whether the screen is being taken down: some of its panes go before others."""
        return not self._status.is_attached

    def _tick(self) -> None:
        if self._more is None:
            self._take()
        if not self._going:
            self._ticked()

    def _take(self) -> None:
        self._more = None
        if self._going:
            return
        session, status, filter = self._tab.session, self._status, self._filter
        changed = session.poll(POLL)
        if changed:
            if filter.sieve is None:
                self._timeline.grow(new=not self._reading)
            self._marks.recall()
            self._read_on()
        elif self._reading:
            self._reading = False
            gc.freeze()
            self._say_trouble()
        self._timeline.screen.set_class(not len(session), "-empty")
        filter.keep_up()
        reading = self._reading and session.size > 1 << 20
        if changed or self._live or status.reading != reading:
            status.reading = reading
            status.refresh()

    def _read_on(self) -> None:
        """Go on before the next tick while there is a lot to read; keys come in between."""
        if self._more is None and self._tab.session.consumed < self._tab.session.size:
            self._more = self._timeline.set_timer(PAUSE, self._take)

    def _check_live(self) -> None:
        if self._going:
            return
        self._live = self._tab.is_live()
        self._timeline.set_live(self._live)
        if self._status.live != self._live:
            self._status.live = self._live
            self._status.refresh()
        if self._live or not self._reading:
            self._say_trouble()

    def _say_trouble(self) -> None:
        if self._going:
            return
        said = [*self._tab.trouble(), *trouble(self._tab.session, self._live)]
        if self._live and self._host.silence:
            said += self._silence.say(self._host.now(), self._host.silence)
        self._banner.say(said)


class Silence:
    """Who owes what, and why, when nothing passed on a connection for long.

    It is looked for in a thread, which works for `timeline`; then `found` is called.
    """

    def __init__(self, session: Session, timeline: Timeline, found: Callable[[], object]) -> None:
        self._session = session
        self._timeline = timeline
        self._found = found
        self._late: list[int] = []
        """Connections that owe something and have been silent for long."""
        self._said: list[str] = []

    def say(self, now: int, silence: int) -> list[str]:
        """Return a line for those who owe something for `silence` ns, once it is known."""
        from pix_inspect.waits.waits import overdue

        late = overdue(self._session, now, silence)
        changed, self._late = late != self._late, late
        if not late:
            self._said = []
        elif changed:  # what was said stays until it is known better
            in_background(
                self._timeline,
                lambda: self._look(late, silence),
                lambda said: self._tell(late, said),
                what="who waits for whom cannot be told",
                failed=lambda line: self._tell(late, [line]),
                group="silence",
                exclusive=True,
            )
        return self._said

    def _tell(self, late: list[int], said: list[str]) -> None:
        if late == self._late:
            self._said = said
            self._found()

    def _look(self, late: list[int], silence: int) -> list[str]:
        from pix_inspect.waits.live import LiveWaits, relay_of
        from pix_inspect.waits.waits import waits

        relay = relay_of(self._session.path)
        found = (
            LiveWaits(self._session, relay).look() if relay is not None else waits(self._session)
        )
        past = duration(silence)
        # what is in the way says most
        found.sort(key=lambda wait: (why := wait.why) is None or why.at_work)
        return [
            _silence(wait, past) for wait in found if wait.connection in late and not wait.idle
        ][:1]


def _silence(wait: Wait, past: str) -> str:
    """Say that nothing was said on a connection, and why as far as that is known."""
    why = wait.why
    cause = f" {why.what}." if why is not None else f" It is {wait.work}." if wait.work else ""
    owes = f"{wait.debt[:1].upper()}{wait.debt[1:]}"
    said = f"Connection {wait.connection}: nothing was said for {past}.{cause}"
    return f"{said} {owes}. H shows who waits for whom."
