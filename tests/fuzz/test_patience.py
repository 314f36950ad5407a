"""What takes too long is found out by its work, or by waiting; what stood still did neither."""

from __future__ import annotations

import time

import pytest

from tests.fuzz import patience
from tests.fuzz.patience import Hang, Patience


def work() -> None:
    while True:
        pass


def wait() -> None:
    while True:
        time.sleep(60)


def test_work_without_end() -> None:
    with pytest.raises(Hang), Patience(seconds=0.05, tick=0.01).bounded():
        work()


def test_a_wait_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_TICKS", 3)
    with pytest.raises(Hang), Patience(tick=0.01).bounded():
        wait()


def test_the_clock_alone_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes in which the process does not run: ticks that come together are one."""
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    begun = Patience(seconds=0.0, tick=0.01)
    with begun.bounded():
        while begun.ticks < 3:
            pass
