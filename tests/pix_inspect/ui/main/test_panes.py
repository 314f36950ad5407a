"""Panes: their sizes by key and by mouse, and what is remembered of how the screen looked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix_inspect.base.settings import Settings
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.dividers import Shares
from tests.support.places import RECORDINGS
from tests.support.screens import browse, recorded, settled

SIZE = (120, 40)


def remembering(path: Path, name: str = "queries") -> Inspector:
    return Inspector(Session(RECORDINGS / f"{name}.pcapng"), settings=Settings.read(path))


def region(pilot: Pilot[Any], name: str) -> Any:
    return browse(pilot).query_one(f"#{name}").region


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


async def drag(pilot: Pilot[Any], start: tuple[int, int], end: tuple[int, int]) -> None:
    await pilot.mouse_down(offset=start)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await pilot.pause()


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
        assert region(pilot, "side").x == before, "that was no border"


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


async def test_how_the_screen_looked_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    app = remembering(path)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        app.theme = "nord"
        await pilot.press("e", "L", "t", "w", "plus")
        await settled(pilot)
        width = region(pilot, "timeline-frame").width
        await pilot.press("q")
    assert json.loads(path.read_text())["theme"] == "nord"
    again = remembering(path, "two-clients")
    async with again.run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        assert again.theme == "nord"
        assert screen.has_class("-explaining")
        assert screen.side.log_pane.display
        assert screen.timeline.painter.clock == "delta"
        assert "lane" in screen.timeline.painter.hidden
        assert region(pilot, "timeline-frame").width == width
        await pilot.press("P")
        await pilot.press("q")
    async with remembering(path, "add-tree").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("j", "j")
        await settled(pilot)
        assert browse(pilot).side.payload_pane.count > 5


async def to_repl(pilot: Pilot[Any]) -> None:
    await pilot.press("colon")
    for _ in range(1500):
        await pilot.pause(0.02)
        if browse(pilot).query("#repl") and region(pilot, "repl").height:
            return
    raise AssertionError("the REPL did not come")


async def test_the_height_of_the_repl_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    async with remembering(path).run_test(size=SIZE) as pilot:
        await settled(pilot)
        await to_repl(pilot)
        usual = region(pilot, "repl").height
        await pilot.press("ctrl+up", "ctrl+up", "ctrl+up", "ctrl+down")
        await pilot.pause()
        await pilot.pause()
        taller = region(pilot, "repl").height
        assert taller > usual
        top = region(pilot, "repl").y
        await drag(pilot, (20, top), (20, top - 5))
        dragged = region(pilot, "repl").height
        assert abs(dragged - taller - 5) <= 1
        await pilot.press("escape", "q")
    async with remembering(path, "two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await to_repl(pilot)
        assert region(pilot, "repl").height == dragged
        await pilot.click(offset=(3, region(pilot, "repl").y), times=2)
        await pilot.pause()
        await pilot.pause()
        assert region(pilot, "repl").height > 30
        await pilot.press("escape")
        await pilot.press("0")
        await pilot.pause()
        await pilot.pause()
        assert region(pilot, "repl").height == usual


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


@pytest.mark.parametrize(
    "known",
    [
        {"theme": "no such theme"},
        {"theme": 3, "explain": "yes", "bytes": None, "side": [], "clock": {}, "sizes": 7},
        {"hidden columns": ["nothing"], "side": "elsewhere", "clock": "marked"},
        {"sizes": {"across": 1000, "top": "x", "other": 3}},
        {"unknown": True},
    ],
    ids=range(5),
)
async def test_settings_that_make_no_sense_are_left_out(
    tmp_path: Path, known: dict[str, Any]
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(known))
    app = remembering(path)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert app.theme == "textual-dark"
        assert not browse(pilot).has_class("-explaining")
        await pilot.press("q")
    assert set(json.loads(path.read_text())) > {"theme", "sizes"}


async def test_a_broken_file_is_said_on_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{")
    app = remembering(path)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert any("settings are left out" in note.message for note in app._notifications)
