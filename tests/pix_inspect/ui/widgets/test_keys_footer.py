"""The line of keys: whole where there is room, else it says that there are more."""

from __future__ import annotations

import pytest

from pix_inspect.ui.screens.findings import FindingsScreen
from pix_inspect.ui.widgets.keys_footer import KeysFooter
from tests.support.screens import browse, recorded, settled


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
async def test_keys_are_named_as_far_as_there_is_room(width: int) -> None:
    async with recorded("queries").run_test(size=(width, 24)) as pilot:
        await settled(pilot)
        footer = browse(pilot).query_one(KeysFooter)
        assert max(key.end for key in footer.keys) <= width
        others = [key for key in footer.keys if key.key in "SFHT"]
        assert footer.cut == (len(others) < 4) == (width < 80)
        assert footer.cut == ("…" in footer.render_line(0).text)
        assert bool(others and all(key.does for key in others)) == (width >= 120)


async def test_a_key_that_is_clicked_is_pressed() -> None:
    async with recorded("queries").run_test(size=(120, 24)) as pilot:
        await settled(pilot)
        footer = browse(pilot).query_one(KeysFooter)
        before = next(key.end for key in footer.keys if key.key == "F")
        findings = footer.render_line(0).text[:before].rstrip()
        assert findings.endswith("Findings")
        await pilot.hover(KeysFooter, offset=(before - 2, 0))
        hovered = {segment.style.bgcolor for segment in footer.render_line(0) if segment.style}
        assert len(hovered) == 2
        await pilot.click(KeysFooter, offset=(before - 2, 0))
        await pilot.pause()
        assert isinstance(pilot.app.screen, FindingsScreen)


@pytest.mark.parametrize(("name", "idle"), [("lookups", True), ("untrusted", False)])
async def test_keys_without_anything_to_do_are_dimmed(name: str, idle: bool) -> None:
    async with recorded(name).run_test(size=(120, 24)) as pilot:
        await settled(pilot)
        await pilot.press("F")
        screen = pilot.app.screen
        footer = screen.query_one(KeysFooter)
        for _ in range(1500):
            await pilot.pause(0.02)
            if isinstance(screen, FindingsScreen) and screen.list.empty != "looking …":
                break
        await pilot.pause()
        assert [key.idle for key in footer.keys] == [idle, idle, False, False]
        first = next(iter(footer.render_line(0))).style
        assert first is not None
        assert (first.color == footer.tone("dim").color) == idle


async def test_a_key_says_all_that_it_does_when_the_mouse_is_on_it() -> None:
    async with recorded("queries").run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        footer = browse(pilot).query_one(KeysFooter)
        waits = next(key for key in footer.keys if key.key == "H")
        await pilot.hover(KeysFooter, offset=(waits.end - 1, 0))
        assert footer.tooltip == "H  Waits: who waits for whom"
        await pilot.hover(KeysFooter, offset=(footer.keys[-1].end + 1, 0))
        assert footer.tooltip is None
