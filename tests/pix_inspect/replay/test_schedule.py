"""What has to have happened before what."""

from __future__ import annotations

from pathlib import Path

from pix.codec.gates import Protocol
from pix.protocol.operations import IsValidPath
from pix_inspect.replay.schedule import schedule_of
from pix_inspect.session.session import Session
from tests.support.replayed import END, LAST, P, Q, story

NEW = Protocol(38)
FIRST, SECOND = IsValidPath(path=P), IsValidPath(path=Q)
YES = IsValidPath.Reply(valid=True)


def test_steps_wait_for_what_was_before_them(tmp_path: Path) -> None:
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW, FIRST, LAST, YES, END),
        (2, NEW, FIRST, SECOND, LAST, YES, LAST, YES, END),
    )
    schedule = schedule_of(Session(path).read_all(), range(5), [1, 2])
    told = [
        (step.connection, step.doing, schedule.needed(step), step.answered)
        for step in schedule.steps
    ]
    assert told == [
        (1, "open", 0, 0),
        (1, "send", 1, 1),
        (1, "close", 2, 2),
        (2, "open", 3, 0),
        (2, "send", 4, 1),
        (2, "send", 4, 1),
        (2, "close", 6, 3),
    ]
    assert [(event.connection, event.exchange) for event in schedule.events] == [
        (1, 0), (1, 1), (1, -1), (2, 2), (2, 3), (2, 4), (2, -1),
    ]  # fmt: skip
