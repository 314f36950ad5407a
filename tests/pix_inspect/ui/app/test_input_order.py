"""Keys that come together mean what they mean one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.widgets.path_dialog import PathDialog
from tests.support.places import RECORDINGS
from tests.support.screens import browse, focus, recorded, settled
from tests.support.terminal import COMMAND, Terminal

SIZE = (120, 40)
NAMES = {"\r": "enter", "\x7f": "backspace", "\x1b": "escape", "\x06": "ctrl+f", "\x0f": "ctrl+o",
         "\x04": "ctrl+d", "\t": "tab"}  # fmt: skip


async def burst(pilot: Pilot[Any], text: str) -> None:
    """Press keys faster than the screen can do what they mean."""
    app = pilot.app
    assert isinstance(app, Inspector)
    for character in text:
        key = NAMES.get(character) or _character_to_key(character)
        app.post_message(events.Key(key, character if character.isprintable() else None))
    for _ in range(6000):
        await pilot.pause(0.01)
        if app.inputs.done:
            break
    if isinstance(app.screen, MainScreen):
        await settled(pilot)


async def test_a_filter_and_a_search_are_written_in_one_go() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await burst(pilot, "/op = QueryPathInfo\r")
        assert screen.filter.text == "op = QueryPathInfo"
        assert focus(pilot) == "timeline"
        before = screen.timeline.lines.cursor
        await burst(pilot, "\x06abc\r\x06\x7f\x7f\x7fhello\rjj")
        assert screen.search.text == "hello"
        assert screen.timeline.lines.cursor == before + 2
        await burst(pilot, "M=q!\r/\x1b\x1b\x1b")
        assert list(screen.timeline.marks.notes.values()) == ["=q!"]
        assert screen.filter.text == ""


async def test_lines_of_the_repl_and_of_dialogs() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await burst(pilot, ":qq\x7f\x7f'a' + 'b'\r:=\x1bj")
        pane = browse(pilot).repl.pane
        assert pane is not None
        assert pane.line.value == ":="
        assert focus(pilot) == "timeline"
        assert browse(pilot).timeline.lines.cursor == 1
        await burst(pilot, "\x0fx/q")
        dialog = pilot.app.screen
        assert isinstance(dialog, PathDialog)
        assert dialog.line.value.endswith("x/q")


async def test_keys_belong_to_the_screen_that_the_one_before_opened_or_left() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await burst(pilot, "Sq" * 3 + "j")
        assert isinstance(pilot.app.screen, MainScreen)
        assert browse(pilot).timeline.lines.cursor == 1
        await burst(pilot, "Sjj")
        assert isinstance(pilot.app.screen, StatisticsScreen)
        assert pilot.app.screen.focused is not None
        assert browse(pilot).timeline.lines.cursor == 1


@pytest.mark.parametrize("times", [1, 40])
async def test_no_key_is_lost(times: int) -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await burst(pilot, "jk" * times + "\t\x1bjj")
        assert browse(pilot).timeline.lines.cursor == 2


def test_in_a_terminal_and_from_the_session_before(tmp_path: Path) -> None:
    for keys in (b"/op = QueryPathInfo\r", b"/\x1b[A\r"):
        screen = Terminal(*COMMAND, "open", str(RECORDINGS / "queries.pcapng"), folder=tmp_path)
        try:
            screen.wait_for(b"SetOptions")
            screen.send(keys)
            screen.wait_for(b"14 of 30")
            screen.send(b"q")
            assert screen.ended() == 0
        finally:
            screen.close()
