"""What is remembered of how the screen looked, and a settings file that makes no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pix_inspect.base.settings import Settings
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from tests.support.places import RECORDINGS
from tests.support.screens import browse, drag, region, settled, to_repl

SIZE = (120, 40)
WIDE = (200, 40)
"""With room for the waterfall."""


def remembering(path: Path, name: str = "queries") -> Inspector:
    return Inspector(Session(RECORDINGS / f"{name}.pcapng"), settings=Settings.read(path))


async def test_how_the_screen_looked_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    app = remembering(path)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        app.theme = "nord"
        await pilot.press("w", "e", "L", "t", "plus")
        await settled(pilot)
        width = region(pilot, "timeline-frame").width
        await pilot.press("q")
    assert json.loads(path.read_text())["theme"] == "nord"
    again = remembering(path, "two-clients")
    async with again.run_test(size=WIDE) as pilot:
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
