"""A recording's requests, sent again to a daemon.

Every recorded connection is a connection of its own; who waited for whom in the recording waits
again. What passes is recorded, and compared from that recording (`verdicts`). One thread: a
loop over all connections, which the caller drives.
"""

from __future__ import annotations

import os
import select
import sys
import time as clock
from collections.abc import Iterator
from pathlib import Path

from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import Protocol
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.protocol.deletion import deletes, holds_deletion
from pix_inspect.capture.relayed_connection import now
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.capture.upstream import Upstream, complaint
from pix_inspect.recording.about import with_declarations
from pix_inspect.recording.notes import Made, Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.replay.client_connection import ReplayedConnection
from pix_inspect.replay.recorded import RecordedSession
from pix_inspect.replay.schedule import Schedule, Step, schedule_of

LAST_WORDS = 2.0
"""Seconds for a daemon to close a connection that we are done with."""

TICK = 0.1
"""Seconds after which the caller gets a turn, whatever happens."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay. `wanted` is what to speak at most, None as was recorded.

    `timeout` is in seconds of silence while an answer is awaited, None for no end. What deletes
    store paths is sent only where `deletions` says so.
    """

    wanted: Protocol | None = None
    fast: bool = False
    timeout: float | None = None
    payload: int | None = 64 << 10
    deletions: bool = False


class ReplayClient:
    """Sends the exchanges `wanted` (from 0) of a recording to `upstream`, recording to `out`.

    `sent` tells, for each connection of the new recording, which recorded exchanges its
    handshake and operations are, in order; `failed` and `skipped` say why there is no answer,
    `concluded` is what is over, in that order.
    """

    def __init__(
        self,
        recorded: RecordedSession,
        wanted: list[int],
        upstream: Upstream,
        out: Path,
        options: Options,
    ) -> None:
        self.recorded = recorded
        self.wanted = wanted
        self.upstream = upstream
        self.options = options
        self.sent: dict[int, list[int]] = {}
        self.failed: dict[int, str] = {}
        self.skipped: dict[int, str] = {}
        numbers = sorted({recorded.session.row(i).connection for i in wanted})
        self._schedule: Schedule = schedule_of(recorded.session, wanted, numbers)
        self._writer = RecordingWriter(
            out,
            about=Made.of(
                tool="pix-inspect replay",
                upstream=str(upstream),
                replayed=str(recorded.path),
                uid=os.getuid(),
                payload="full" if options.payload is None else options.payload,
                **with_declarations(),
            ),
        )
        self._connections: dict[int, ReplayedConnection] = {}
        self._numbers: dict[int, int] = {}
        self._over: set[int] = set()
        self.concluded: dict[int, None] = {}
        self._marked: dict[int, int] = {}
        self._reached = 0
        self._reached_at: list[float] = [clock.monotonic()]
        self._closing: dict[int, float] = {}
        self._seen: dict[int, int] = {}

    # The loop -------------------------------------------------------------------------

    def run(self) -> Iterator[None]:
        """Do what is to be done; yields now and then. Raises Problem when there is no daemon."""
        steps = self._schedule.steps
        at = 0
        while at < len(steps) or self._closing:
            while at < len(steps) and (wait := self._wait_for(steps[at])) == 0:
                self._take(steps[at])
                at += 1
            self._pass(TICK if at >= len(steps) else min(wait, TICK))
            self._look_after()
            yield

    def close(self) -> None:
        """Hang up on everything that is left, and finish the recording."""
        for number in list(self._connections):
            self._connections[number].close()
        self._writer.close()

    def interrupted(self, why: str) -> None:
        """Give up everything that is not over, for that reason."""
        for number, connection in self._connections.items():
            connection.fail(why)
            self._settle(number)
        for step in self._schedule.steps:
            if step.doing == "send" and step.exchange not in self.concluded:
                self.failed[step.exchange] = f"not sent: {why}"
                self.concluded[step.exchange] = None
        self._closing.clear()

    def _wait_for(self, step: Step) -> float:
        """Return for how many seconds a step has to wait."""
        connection = self._connections.get(step.connection)
        if step.doing == "send" and connection is not None and connection.left_us:
            self._open(step)  # the daemon hung up: the rest goes on a new connection
            connection = self._connections[step.connection]
        if connection is not None and not connection.closed:
            if step.doing != "open" and self._marked.get(step.connection, 0) < step.answered:
                return TICK
            if step.doing == "send" and connection.protocol is None:
                return TICK
        needed = self._schedule.needed(step)
        if self._reached < needed:
            return TICK
        if self.options.fast:
            return 0
        # as long after what it waited for as in the recording
        before = self._schedule.events[needed - 1].time if needed else self._schedule.steps[0].time
        due = self._reached_at[needed] + (step.time - before) / 1e9
        return max(due - clock.monotonic(), 0)

    def _take(self, step: Step) -> None:
        if step.doing == "open":
            self._open(step)
        elif step.doing == "send":
            self._send(step)
        else:
            self._close(step)

    def _open(self, step: Step) -> None:
        """Connect to the daemon, for a recorded connection or for what is left of one."""
        recorded = self.recorded
        number = step.connection
        first = recorded.connections[number][0]
        is_handshake = recorded.session.row(first).kind == "handshake"
        handshake = recorded.exchange(first) if is_handshake else None
        try:
            reached = self.upstream.connect(())
        except (OSError, Problem) as error:
            why = complaint(self.upstream, error)
            if not self._connections:
                raise Problem(why) from None
            self._refuse(number, why)
            return
        command = " ".join(["pix-inspect", *sys.argv[1:]])
        peer = Peer(os.getpid(), os.getuid(), os.getgid(), command)
        log = self._writer.open(peer, {"replayed": {"connection": number}}, time=now())
        tap = RecordingTap(log, self.options.payload, lambda: self._writer.pressed)
        connection = ReplayedConnection(handshake, self.options.wanted, tap)
        self._connections[number] = connection
        self._numbers[number] = log.number
        self.sent[log.number] = []
        self._seen[number] = 0
        index = first if is_handshake and first not in self.concluded else -1
        connection.open(index, reached)
        self.sent[log.number].append(index)

    def _refuse(self, number: int, why: str) -> None:
        """Give up a connection that could not be made."""
        for i in self.wanted:
            if i not in self.concluded and self.recorded.session.row(i).connection == number:
                self.failed[i] = why
                self.concluded[i] = None
        self._over.add(number)
        self._move_on()

    def _send(self, step: Step) -> None:
        i = step.exchange
        connection = self._connections.get(step.connection)
        if connection is None or connection.closed:
            self._conclude(step.connection, i, self._lost(step.connection))
            return
        recorded = self.recorded.exchange(i)
        why = recorded.unfit()
        if why is None:
            try:
                if not self.options.deletions:
                    if deletes(recorded.request()):
                        raise Problem("it deletes store paths; with --yes it is sent")
                    if holds_deletion(recorded.payload()):
                        why = (
                            "its payload may delete store paths, if refused; with --yes it is sent"
                        )
                        raise Problem(why)
                connection.ask(i, recorded)
                self.sent[self._numbers[step.connection]].append(i)
                return
            except (EncodeError, DecodeError, Problem) as error:
                why = str(error)
        self.skipped[i] = why
        self._conclude(step.connection, i, None)

    def _lost(self, number: int) -> str:
        connection = self._connections.get(number)
        why = connection.failure if connection is not None else None
        return f"not sent: {why or 'its connection could not be made'}"

    def _close(self, step: Step) -> None:
        number = step.connection
        connection = self._connections.get(number)
        if connection is None or connection.closed:
            self._over.add(number)
            self._move_on()
            return
        connection.half_close()
        self._closing[number] = clock.monotonic() + LAST_WORDS

    # What came of it ------------------------------------------------------------------

    def _pass(self, seconds: float) -> None:
        """Let bytes pass for a moment."""
        by_descriptor: dict[int, int] = {}
        poll = select.poll()
        for number, connection in self._connections.items():
            if connection.is_open:
                descriptor = connection.fileno()
                by_descriptor[descriptor] = number
                poll.register(descriptor, connection.events())
        for descriptor, events in poll.poll(max(seconds, 0) * 1000):
            number = by_descriptor[descriptor]
            connection = self._connections[number]
            if events & select.POLLOUT and connection.is_open:
                connection.send_some()
            if events & ~select.POLLOUT and connection.is_open:
                connection.receive_some()
            self._settle(number)

    def _look_after(self) -> None:
        """Give up daemons that stay silent, and close what is done with."""
        moment = clock.monotonic()
        timeout = self.options.timeout
        for number, connection in self._connections.items():
            if connection.closed:
                continue
            if timeout is not None and not connection.idle and moment - connection.active > timeout:
                connection.fail(f"no answer within {timeout:g} s")
                self._settle(number)
        for number, until in list(self._closing.items()):
            connection = self._connections[number]
            if connection.closed or moment > until:
                connection.close()
                del self._closing[number]
                self._over.add(number)
                self._move_on()

    def _settle(self, number: int) -> None:
        """Take note of what is over on a connection."""
        connection = self._connections[number]
        for i in connection.lost:
            unanswered = i >= 0 and self.recorded.session.row(i).state == "cut"
            self._conclude(number, i, None if unanswered else connection.failure)
        connection.lost = []
        for asked in connection.asked[self._seen.get(number, 0) : connection.done]:
            self._conclude(number, asked.index, None)
        self._seen[number] = connection.done

    def _conclude(self, number: int, i: int, failure: str | None) -> None:
        if i in self.concluded or i < 0:
            return
        if failure is not None:
            self.failed[i] = failure
        self.concluded[i] = None
        self._marked[number] = self._marked.get(number, 0) + 1
        self._move_on()

    def _move_on(self) -> None:
        """See how many of the events, from the first on, have happened again."""
        events = self._schedule.events
        while self._reached < len(events):
            event = events[self._reached]
            happened = (
                event.connection in self._over
                if event.exchange < 0
                else event.exchange in self.concluded
            )
            if not happened:
                return
            self._reached += 1
            self._reached_at.append(clock.monotonic())
