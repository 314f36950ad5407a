"""What a recording's clients did when, and what had happened by then.

Clients open connections, send requests and close; daemons answer. A client may have waited for
any answer that came before it did something, on whichever connection; so each step waits until
all that had happened before it in the recording has happened again.

Times in nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, TypeAlias

from pix.dataclass import dataclass
from pix_inspect.session.session import Session

Doing: TypeAlias = Literal["open", "send", "close"]


class Step(NamedTuple):
    """Something that a client did.

    `exchange` (from 0) is what it sent, `answered` how many answers it had by then on its own
    connection: fewer than it had asked for where it did not wait.
    """

    time: int
    connection: int
    doing: Doing
    exchange: int = -1
    answered: int = 0


class Event(NamedTuple):
    """An answer that was complete, or a connection that was closed (`exchange` -1)."""

    time: int
    connection: int
    exchange: int


@dataclass(slots=True)
class Schedule:
    """The steps in their order, and the events that they may have waited for, in theirs."""

    steps: list[Step]
    events: list[Event]

    def needed(self, step: Step) -> int:
        """Return how many of the first events there have to be before that step."""
        return bisect_left(self.events, step.time, key=lambda event: event.time)


def schedule_of(session: Session, wanted: Iterable[int], connections: Collection[int]) -> Schedule:
    """Return what is to be done so that the exchanges `wanted` of `connections` pass again."""
    opened = {number: session.connections[number].opened for number in connections}
    steps = [Step(time, number, "open") for number, time in opened.items()]
    events: list[Event] = []
    last = dict(opened)
    ends: dict[int, list[int]] = {number: [] for number in connections}
    for i in wanted:
        row = session.row(i)
        number = row.connection
        before = ends[number]
        if row.kind != "handshake":
            answered = len(before)
            while answered and before[answered - 1] > row.started:
                answered -= 1
            steps.append(Step(row.started, number, "send", i, answered))
        ended = row.started + (row.took or 0)
        before.append(ended)
        last[number] = max(last[number], ended)
        events.append(Event(ended, number, i))
    for number in connections:
        closed = max(session.connections[number].closed or 0, last[number])
        steps.append(Step(closed, number, "close", -1, len(ends[number])))
        events.append(Event(closed, number, -1))
    return Schedule(sorted(steps, key=lambda step: step.time), sorted(events))
