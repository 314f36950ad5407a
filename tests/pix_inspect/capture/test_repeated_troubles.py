"""Troubles: each said when it is news, counted when it is not."""

from __future__ import annotations

from pix_inspect.capture.repeated_troubles import LONG, MOST, SOON, Troubles


class Scene:
    """Troubles, a clock that the test winds, and what was said."""

    def __init__(self) -> None:
        self.time = 100.0
        self.said: list[str] = []
        self.troubles = Troubles(self.said.append, lambda: self.time)


def test_two_that_alternate_are_said_once_each() -> None:
    scene = Scene()
    for _ in range(100):
        scene.troubles.report("cannot accept")
        scene.troubles.report("cannot reach")
        scene.troubles.over()
        scene.time += 0.01
    assert scene.said == ["cannot accept", "cannot reach"]


def test_what_comes_back_is_news() -> None:
    scene = Scene()
    scene.troubles.report("no daemon")
    scene.troubles.over()
    scene.time += SOON
    scene.troubles.report("no daemon")
    assert scene.said == ["no daemon", "no daemon"]


def test_what_lasts_is_said_again_with_its_count() -> None:
    scene = Scene()
    for _ in range(11):
        scene.troubles.report("no daemon")
        scene.time += LONG / 10
    assert scene.said == ["no daemon", "no daemon (10 times since)"]


def test_what_is_remembered_is_bounded() -> None:
    scene = Scene()
    for number in range(MOST + 1):
        scene.troubles.report(f"trouble {number}")
    scene.troubles.report("trouble 0")
    assert len(scene.said) == MOST + 2
