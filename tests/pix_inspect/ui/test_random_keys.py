"""Random keys in bursts: whatever they open, leave and click, the screen goes on and answers.

`KEYS_SEED` chooses the first seed, `KEYS_RUNS` how many there are; a failure names its seed.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from textual.app import App

from pix_inspect.session.session import Session
from pix_inspect.teach import tours
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.help import Help
from pix_inspect.ui.app.touring import Touring
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.widgets.writing import Writing
from tests.support.places import RECORDINGS
from tests.support.random_keys import burst, messages
from tests.support.screens import settled
from tests.support.surroundings import complete

FIRST = int(os.environ.get("KEYS_SEED", "1"))
RUNS = int(os.environ.get("KEYS_RUNS", "2" if complete() else "1"))
BURSTS = 80
SIZES = [(80, 24), (120, 40), (200, 60)]
NAMES = ["build-failure", "two-clients", "add-tree", "queries"]
PATIENCE = 120.0


@pytest.fixture(autouse=True)
def stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The application does not end, and its files go elsewhere."""
    monkeypatch.setattr(Inspector, "exit", lambda app, result=None, **_: None)
    monkeypatch.setattr(Inspector, "action_suspend_process", lambda app: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def app_of(random: Random) -> Inspector:
    if random.random() < 0.2:
        return Touring(tours.tour(random.choice(tours.names())))
    names = random.sample(NAMES, random.choice([1, 1, 2]))
    first, *others = (Session(RECORDINGS / f"{name}.pcapng") for name in names)
    return Inspector(first, others=others)


def type_in(app: App[Any], tokens: list[str]) -> None:
    assert app._driver is not None
    for message in messages(tokens):
        app._driver.process_message(message)


async def taken(app: Inspector) -> None:
    """Wait until what was typed has been taken, however slow the machine is."""
    until = time.monotonic() + PATIENCE
    quiet = 0
    while quiet < 3 and app._exception is None:
        assert time.monotonic() < until, app.screen_stack
        await asyncio.sleep(0.01)
        pumps = [app, *(each for each in app.screen.walk_children(with_self=True))]
        busy = not app.inputs.done or any(pump._message_queue.qsize() for pump in pumps)
        quiet = 0 if busy else quiet + 1


async def answers(app: Inspector) -> bool:
    """Whether the help comes, once all else was left."""
    for _ in range(100):
        if isinstance(app.screen, Help) or app._exception is not None:
            return True  # what went wrong is raised as the application ends
        type_in(app, ["\x1b"] if not isinstance(app.screen, MainScreen) else ["\x1b", "\x1bOP"])
        await taken(app)
        await asyncio.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
async def test_random_keys(seed: int) -> None:
    print(f"KEYS_SEED={seed} KEYS_RUNS=1")
    random = Random(seed)
    app, size = app_of(random), random.choice(SIZES)
    async with app.run_test(size=size) as pilot:
        if not isinstance(app, Touring):
            await settled(pilot)
        for _ in range(BURSTS):
            type_in(app, burst(random, size))
            if random.random() < 0.05:
                size = random.choice(SIZES)
                await pilot.resize_terminal(*size)
            await asyncio.sleep(random.choice([0, 0.01, 0.05]))
            if random.random() < 0.5:
                await taken(app)
            if app._exception is not None:
                break
        assert await answers(app), (seed, app.screen_stack, app.focused)
        for screen in app.screen_stack:
            if isinstance(screen, Writing):
                screen.pace.stop()
