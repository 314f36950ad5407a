"""Troubles: each said when it is news, counted when it is not."""

from __future__ import annotations

from pix_inspect.capture.repeated_troubles import LONG, MOST, SOON, Troubles


class Told:
    """Troubles, a clock that the test winds, and what was said."""

    def __init__(self) -> None:
        self.time = 100.0
        self.said: list[str] = []
        self.troubles = Troubles(self.said.append, lambda: self.time)


def test_two_that_alternate_are_said_once_each() -> None:
    told = Told()
    for _ in range(100):
        told.troubles.report("cannot accept")
        told.troubles.report("cannot reach")
        told.troubles.over()
        told.time += 0.01
    assert told.said == ["cannot accept", "cannot reach"]


def test_what_comes_back_is_news() -> None:
    told = Told()
    told.troubles.report("no daemon")
    told.troubles.over()
    told.time += SOON
    told.troubles.report("no daemon")
    assert told.said == ["no daemon", "no daemon"]


def test_what_lasts_is_said_again_with_its_count() -> None:
    told = Told()
    for _ in range(11):
        told.troubles.report("no daemon")
        told.time += LONG / 10
    assert told.said == ["no daemon", "no daemon (10 times since)"]


def test_what_is_remembered_is_bounded() -> None:
    told = Told()
    for number in range(MOST + 1):
        told.troubles.report(f"trouble {number}")
    told.troubles.report("trouble 0")
    assert len(told.said) == MOST + 2
