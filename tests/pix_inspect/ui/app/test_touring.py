"""Tours on the screen: every step shows what it means; one can wander off and come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from pix_inspect.teach import tours
from pix_inspect.ui.app.guide import Words
from pix_inspect.ui.app.touring import Touring
from pix_inspect.ui.main.main_screen import MainScreen

Compare = Callable[..., bool]


async def arrival(pilot: Pilot[Any]) -> MainScreen:
    """Wait until the step is shown."""
    app = pilot.app
    assert isinstance(app, Touring)
    for _ in range(1500):
        await pilot.pause(0.02)
        if app.arrived and isinstance(app.screen, MainScreen) and app.screen.settled:
            return app.screen
    raise AssertionError(f"step {app.number + 1} never came")


def said(screen: MainScreen) -> str:
    return str(screen.query_one(Words).render())


@pytest.mark.parametrize("name", tours.names())
async def test_every_step_selects_what_it_speaks_of(name: str) -> None:
    tour = tours.tour(name)
    app = Touring(tour)
    async with app.run_test(size=(140, 45)) as pilot:
        for number, step in enumerate(tour.steps):
            screen = await arrival(pilot)
            assert app.number == number
            assert screen.session.path.stem == step.recording
            row = screen.fields.row
            assert row is not None
            wanted = step.field[-1]
            assert wanted.lstrip("~") in f"{row.label} {row.value}" or wanted.isdigit()
            assert said(screen)[:40] in step.text.replace("{value}", row.value)
            await pilot.press("]")
        await arrival(pilot)
        assert app.number == len(tour.steps) - 1


async def test_one_can_wander_off_and_come_back() -> None:
    app = Touring(tours.tour("handshake"))
    async with app.run_test(size=(120, 40)) as pilot:
        await arrival(pilot)
        await pilot.press("escape", "G", "?")
        await pilot.pause()
        assert not isinstance(app.screen, MainScreen)
        await pilot.press("]")
        screen = await arrival(pilot)
        assert (app.number, screen.side.index) == (1, 0)
        await pilot.press("[")
        await arrival(pilot)
        await pilot.press("[")
        screen = await arrival(pilot)
        assert (app.number, screen.side.index) == (0, 0)


async def test_a_step_back_into_another_recording() -> None:
    app = Touring(tours.tour("handshake"))
    async with app.run_test(size=(80, 24)) as pilot:
        await arrival(pilot)
        for _ in range(5):
            await pilot.press("]")
            await arrival(pilot)
        assert app.recordings.session.path.stem == "old-client"
        await pilot.press("[")
        screen = await arrival(pilot)
        assert screen.session.path.stem == "queries"
        assert isinstance(screen.query_one(Words), Static)


def test_a_tour_looks_like_this(snap_compare: Compare) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        for _ in range(4):
            await arrival(pilot)
            await pilot.press("]")
        await arrival(pilot)

    go: Callable[[Pilot[Any]], Awaitable[None]] = run
    assert snap_compare(Touring(tours.tour("build")), terminal_size=(120, 40), run_before=go)
