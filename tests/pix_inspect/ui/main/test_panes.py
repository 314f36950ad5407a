"""Which panes are shown, and which has the whole screen."""

from __future__ import annotations

from tests.support.screens import (
    browse,
    focus,
    recorded,
    region,
    settled,
)

SIZE = (120, 40)


async def test_a_double_click_on_a_title_maximises_and_takes_back() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        for name in ("fields", "bytes"):
            place = region(pilot, name)
            await pilot.click(offset=(place.x + 4, place.y), times=2)
            await pilot.pause()
            await pilot.pause()
            assert region(pilot, "timeline-frame").width == 0, name
            place = region(pilot, name)
            assert place.width == 120 or place.width == 119
            await pilot.click(offset=(place.x + 4, place.y), times=2)
            await pilot.pause()
            await pilot.pause()
            assert region(pilot, "timeline-frame").width > 40


def app_running(app: object) -> bool:
    return not getattr(app, "_exit", False)


async def test_panes_are_hidden_maximised_and_given_back() -> None:
    async with recorded("build-failure").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("x")
        assert screen.bytes.size.height == 0
        await pilot.press("x", "e")
        assert screen.bytes.size.height > 0
        await pilot.press("backslash")
        await pilot.pause()
        assert screen.timeline.lines.size.width > SIZE[0] - 3
        await pilot.press("enter")
        await pilot.pause()
        assert focus(pilot) == "fields"
        assert screen.fields.size.width > SIZE[0] - 3
        await pilot.press("escape")
        await pilot.pause()
        assert screen.timeline.lines.size.width > 20
        assert app_running(pilot.app)
        await pilot.press("escape")
        assert focus(pilot) == "timeline"
        await pilot.press("q")
        await pilot.pause()
        assert not app_running(pilot.app)
