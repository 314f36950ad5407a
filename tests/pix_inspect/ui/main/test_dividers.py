"""Panes of any size, by keys and by the mouse."""

from __future__ import annotations

import pytest

from pix_inspect.ui.main.dividers import Shares
from tests.support.screens import browse, drag, recorded, region, settled, to_repl

SIZE = (120, 40)


async def test_keys_give_the_focused_pane_more_room_and_less() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        before = region(pilot, "timeline-frame").width
        await pilot.press("plus", "plus")
        await pilot.pause()
        assert region(pilot, "timeline-frame").width > before
        await pilot.press("minus", "minus", "minus")
        await pilot.pause()
        assert region(pilot, "timeline-frame").width < before
        await pilot.press("tab")
        before = region(pilot, "fields").height
        await pilot.press("plus")
        await pilot.pause()
        assert region(pilot, "fields").height > before
        await pilot.press("tab", "plus", "plus")
        await pilot.pause()
        assert region(pilot, "fields").height < before
        for _ in range(30):
            await pilot.press("plus")
        await pilot.pause()
        assert region(pilot, "fields").height >= 3
        await pilot.press("0")
        await pilot.pause()
        assert browse(pilot).dividers.shares == Shares()
        assert region(pilot, "fields").height == before


async def test_a_pane_alone_on_its_side_grows_sideways() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("x", "tab")
        before = region(pilot, "fields").width
        await pilot.press("plus")
        await pilot.pause()
        assert region(pilot, "fields").width > before


async def test_borders_are_dragged_by_the_mouse() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        edge = region(pilot, "side").x
        await drag(pilot, (edge, 10), (40, 10))
        assert abs(region(pilot, "side").x - 40) <= 1
        edge = region(pilot, "bytes").y
        await drag(pilot, (80, edge), (80, 12))
        assert abs(region(pilot, "bytes").y - 12) <= 1
        await drag(pilot, (40, 10), (119, 10))
        assert region(pilot, "side").width >= 10
        before = region(pilot, "side").x
        await drag(pilot, (5, 5), (50, 20))
        assert region(pilot, "side").x == before, "that was not a border"


async def test_a_narrow_screen_has_a_share_of_its_own() -> None:
    async with recorded("queries").run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        edge = region(pilot, "fields").y
        await drag(pilot, (20, edge), (20, 15))
        assert abs(region(pilot, "fields").y - 15) <= 1
        assert region(pilot, "timeline-frame").width == 80
        await pilot.resize_terminal(*SIZE)
        await settled(pilot)
        assert region(pilot, "timeline-frame").height == region(pilot, "body").height
        assert 60 <= region(pilot, "timeline-frame").width <= 75


@pytest.mark.parametrize("size", [(80, 24), (60, 14)])
async def test_neither_the_repl_nor_the_panes_can_be_pushed_away(size: tuple[int, int]) -> None:
    async with recorded("queries").run_test(size=size) as pilot:
        await settled(pilot)
        await to_repl(pilot)
        for key, other in (("ctrl+up", "body"), ("ctrl+down", "repl")):
            await pilot.press(*[key] * 20)
            await pilot.pause()
            await pilot.pause()
            assert region(pilot, other).height >= 5
            assert region(pilot, "repl").bottom <= size[1]


async def test_on_a_tiny_screen_the_line_of_the_repl_is_seen() -> None:
    async with recorded("queries").run_test(size=(40, 10)) as pilot:
        await settled(pilot)
        await to_repl(pilot)
        await pilot.pause()
        assert region(pilot, "body").height >= 3
        assert region(pilot, "repl-line").bottom < 10
