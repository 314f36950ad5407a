"""Following a recording that grows, or is being read: what arrives is taken in.

The kernel tells of it; where nothing is told, nothing is done, but that once a second the times
of what is open go on, and who has kept silent for long is said above the panes. A bounded amount
is read at a time, so that keys come in between, and nothing moves that the user put somewhere.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message
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
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.pressed import pressed

if TYPE_CHECKING:
    from pix_inspect.machine.file_changes import FileChanges
    from pix_inspect.waits.waits import Wait

POLL = 0.015
PAUSE = 0.004
"""Seconds of reading in one go, and between two while there is a lot to read."""

MUCH = 1 << 18
"""Bytes: as many are read before the next look in any case."""

LOOK, RUSH = 1 / 20, 1 / 10
"""Seconds between two looks at a recording that grows; where more comes than can be read."""

SCREENFUL = 60
"""Exchanges of one look of which nobody can read all."""

SECOND = 1.0


class Grown(Message):
    """More of the recording was read; for the screens that stand before the main one."""


class Following:
    """Reads a recording into a timeline; `taken` is called when something was read."""

    frozen = False
    """Whether what stays was taken out of the garbage collector's sight."""

    def __init__(
        self,
        tab: Tab,
        host: Host,
        timeline: Timeline,
        filter: FilterController,
        marks: MarkController,
        status: Status,
        banner: Banner,
        taken: Callable[[], object],
    ) -> None:
        self._tab = tab
        self._host = host
        self._timeline = timeline
        self._filter = filter
        self._marks = marks
        self._status = status
        self._banner = banner
        self._taken = taken
        self._live = False
        self._reading = True
        self._more: Timer | None = None
        self._next = 0.0
        self._changes: FileChanges | None = None
        self._clock: Timer | None = None
        """Ticks while the recording is being written."""
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
        if not Following.frozen:  # once: of recordings that are closed again nothing is to stay
            Following.frozen = True
            gc.freeze()  # what is there by now stays: looking through it again would be felt
        self._timeline.call_after_refresh(self._watch)

    def end(self) -> None:
        """Keep up no longer."""
        if self._changes is not None:
            asyncio.get_running_loop().remove_reader(self._changes.descriptor)
            self._changes.close()
            self._changes = None

    def _watch(self) -> None:
        """Have the kernel tell what comes, and see what came meanwhile."""
        gc.enable()
        if self._going:
            return
        from pix_inspect.machine.file_changes import FileChanges

        try:
            self._changes = FileChanges(self._tab.session.path)
        except OSError:
            self._timeline.set_interval(SECOND, self._look)
        else:
            asyncio.get_running_loop().add_reader(self._changes.descriptor, self._told)
        self._look()

    def _told(self) -> None:
        if self._changes is not None and self._changes.take():
            self._timeline.call_later(self._look)

    @property
    def _going(self) -> bool:
        """Whether the screen is being taken down: some of its panes go before others."""
        return not self._status.is_attached

    def _look(self) -> None:
        """Take in what came, now or as soon as it is time again."""
        if self._going:
            return
        if not self._live:
            self._check_live()
        if self._more is None:
            wait = self._next - time.monotonic()
            self._more = later(self._timeline, max(wait, PAUSE), self._take)

    def _take(self) -> None:
        self._more = None
        if self._going:
            return
        now = time.monotonic()
        session, status, filter = self._tab.session, self._status, self._filter
        known, warned = len(session), len(session.reader.warnings)
        changed = session.poll(POLL)
        self._next = now + (LOOK if len(session) - known < SCREENFUL else RUSH)
        if changed:
            if filter.sieve is None:
                self._timeline.grow(new=not self._reading)
            self._timeline.renew()
            self._marks.recall()
            self._read_on()
        if (not changed and self._reading) or len(session.reader.warnings) > warned:
            self._reading &= changed
            self._say_trouble()
        self._timeline.screen.set_class(not len(session), "-empty")
        filter.keep_up()
        reading = self._reading and session.size > 1 << 20
        if changed or status.reading != reading:
            status.reading = reading
            status.refresh()
        if changed:
            self._taken()
            self._tell_others()

    def _tell_others(self) -> None:
        main = self._timeline.screen
        for stack in self._timeline.app._screen_stacks.values():
            if main in stack:
                for other in stack[1:]:
                    other.post_message(Grown())

    def _read_on(self) -> None:
        """Go on at once while there is a lot to read; keys come in between."""
        left = self._tab.session.size - self._tab.session.consumed
        if self._more is None and (self._reading or left > MUCH):
            self._more = later(self._timeline, PAUSE, self._take)
        elif left:  # half a packet, as a rule
            self._look()

    def _check_live(self) -> None:
        """Find out whether more may come, and have a clock for as long as it may."""
        if self._going:
            return
        self._live = self._tab.is_live()
        self._timeline.set_live(self._live)
        if self._status.live != self._live:
            self._status.live = self._live
            self._status.refresh()
        if self._live and self._clock is None:
            self._clock = self._timeline.set_interval(SECOND, self._tick)
        elif not self._live and self._clock is not None:
            self._clock.stop()
            self._clock = None
            self._look()
        if self._live or not self._reading:
            self._say_trouble()

    def _tick(self) -> None:
        """Have the times go on."""
        self._check_live()
        if not self._going:
            self._status.refresh()
            self._timeline.renew()

    def _say_trouble(self) -> None:
        if self._going:
            return
        said = [*self._tab.trouble(), *trouble(self._tab.session, self._live)]
        if self._live and self._host.silence:
            said += self._silence.say(self._host.now(), self._host.silence)
        self._banner.say(list(dict.fromkeys(said)))


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
        waits_key = pressed(self._timeline.app, "app.waiting", "H")
        # what is in the way says most
        found.sort(key=lambda wait: (why := wait.why) is None or why.at_work)
        return [
            f"{_silence(wait, past)} {waits_key} shows who waits for whom."
            for wait in found
            if wait.connection in late and not wait.idle
        ][:1]


def _silence(wait: Wait, past: str) -> str:
    """Say that nothing was said on a connection, and why as far as that is known."""
    why = wait.why
    cause = f" {why.what}." if why is not None else f" It is {wait.work}." if wait.work else ""
    owes = f"{wait.debt[:1].upper()}{wait.debt[1:]}"
    said = f"Connection {wait.connection}: nothing was said for over {past}.{cause}"
    return f"{said} {owes}."
