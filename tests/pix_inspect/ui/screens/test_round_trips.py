"""The screen of round trips: the report, other distances, and leaving while it is read."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from pix_inspect.ui.screens.round_trips import AnalysisScreen
from tests.support.screens import browse, lines_of, recorded, settled

SIZE = (140, 40)


async def reported(pilot: Pilot[Any]) -> AnalysisScreen:
    """Wait for the report."""
    for _ in range(1500):
        await pilot.pause(0.02)
        screen = pilot.app.screen
        if isinstance(screen, AnalysisScreen) and screen.is_mounted and screen.settled:
            await pilot.pause()
            return screen
    raise AssertionError("the report did not come")


async def test_the_report_and_other_distances() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("T")
        screen = await reported(pilot)
        said = "\n".join(lines_of(screen.list))
        assert "round trips" in said
        assert "QueryPathInfo" in said
        assert "with a round trip of" not in said
        await pilot.press("d")
        screen = await reported(pilot)
        assert "with a round trip of 1 ms" in "\n".join(lines_of(screen.list))
        for _ in range(3):
            await pilot.press("d")
        screen = await reported(pilot)
        assert "with a round trip of 200 ms" in "\n".join(lines_of(screen.list))


async def test_leaving_while_it_is_read() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("T", "escape")
        await pilot.pause()
        assert pilot.app.screen is browse(pilot)
