"""The screen of waits, and the banner that tells of a silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix.conversation.exchange import CLIENT
from pix.protocol import operations as ops
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.status import Banner
from pix_inspect.ui.screens.waits import WaitingScreen
from tests.pix_inspect.waits.test_waits import cut
from tests.support.recording import growing
from tests.support.screens import browse, lines_of, live, opened, recorded, settled
from tests.support.words import PATH

SIZE = (120, 40)


async def shown(pilot: Pilot[Any]) -> WaitingScreen:
    """Open the screen of waits."""
    await settled(pilot)
    await pilot.press("H")
    for _ in range(1500):
        await pilot.pause(0.02)
        screen = pilot.app.screen
        if isinstance(screen, WaitingScreen) and screen.is_mounted and screen.told_at >= 0:
            await pilot.pause()
            return screen
    raise AssertionError("the screen of waits did not come")


async def test_waits_are_listed_told_and_led_to(tmp_path: Path) -> None:
    path = cut("two-clients", 0.3, tmp_path).path
    async with opened(path).run_test(size=SIZE) as pilot:
        screen = await shown(pilot)
        first, second = screen.list.rows
        assert (first.connection, second.connection) == (1, 2)
        said = "\n".join(lines_of(screen.detail))
        assert "the daemon has owed the reply to BuildPaths" in said
        assert "connection 2 seems to have" in " ".join(said.split())
        await pilot.press("j")
        await pilot.pause()
        assert "shared-1.0" in "\n".join(lines_of(screen.detail))
        await pilot.press("enter")
        await pilot.pause()
        main = browse(pilot)
        assert main.timeline.chosen == second.exchange - 1 if second.exchange else False


async def test_nobody_waits_in_a_finished_recording() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        screen = await shown(pilot)
        assert screen.list.rows == []
        assert "nobody waits" in "\n".join(lines_of(screen.list))
        await pilot.press("escape")
        await settled(pilot)


@pytest.mark.parametrize("silence", [10_000_000_000, 0])
async def test_a_silence_is_told_where_it_is_not_switched_off(tmp_path: Path, silence: int) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.say(CLIENT, ops.EnsurePath(path=PATH)).save()
    app = live(made)
    app.silence = silence
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        banner = browse(pilot).query_one(Banner)
        for _ in range(150):
            await pilot.pause(0.02)
            if banner.said:
                break
        said = " ".join(banner.said)
        assert ("The daemon owes the reply to EnsurePath." in said) is bool(silence)


def test_the_screen_of_waits(snap_compare: Any, tmp_path: Path) -> None:
    path = cut("two-clients", 0.3, tmp_path).path

    async def run(pilot: Pilot[Any]) -> None:
        await shown(pilot)

    app = Inspector(Session(path))
    assert snap_compare(app, terminal_size=SIZE, run_before=run)
