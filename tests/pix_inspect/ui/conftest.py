"""Screens keep marks and settings in a folder of the test's own, and are waited for as they work.

Textual's pilot takes a screen to be idle when the process used little time in 20 ms: with each
key, two such waits, and on a busy machine a screen that had no processor seems to be idle too.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot

PATIENCE = 300.0
"""Seconds that a screen may take for a key."""

DRAWN_EVERY = 0.002
"""Seconds between two drawings of a screen that changes; 60 a second by default."""


async def drawn(least: float = 0) -> None:
    """Wait until a change can have been drawn and the event loop has nothing to do but wait.

    It calls what is due in order of time: what a screen asked for before comes before this.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(2 * DRAWN_EVERY)
    idle = 0
    while idle < 2:  # sockets, threads and timers are asked once in between
        await asyncio.sleep(0)
        idle = 0 if loop._ready else idle + 1  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def no_settling_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", DRAWN_EVERY)
    for module in ("app", "pilot"):
        monkeypatch.setattr(f"textual.{module}.wait_for_idle", drawn)
    # else the parts of a screen have 30 s for what they have to do
    monkeypatch.setattr(Pilot._wait_for_screen, "__defaults__", (PATIENCE,))


@pytest.fixture(autouse=True)
def what_is_said_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for after other waits, which may take long."""
    monkeypatch.setattr("textual.app.App.NOTIFICATION_TIMEOUT", 600)


@pytest.fixture(autouse=True)
def state_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder
