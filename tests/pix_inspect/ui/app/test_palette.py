"""The palette: every action of what is on the screen is in it, and none does harm."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.pilot import Pilot

from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.help import Help, HelpText
from pix_inspect.ui.app.keys import keys_of, panes_of
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.widgets.lines import Lines
from tests.pix_inspect.ui.screens.test_statistics import counted
from tests.support.screens import lines_of, recorded, settled

SIZE = (120, 40)


def offered(app: App[Any]) -> set[tuple[str, str]]:
    """The palette's entries: what is said and the key."""
    return {(each.title, each.help) for each in app.get_system_commands(app.screen)}


def places(pilot: Pilot[Any]) -> list[type[DOMNode]]:
    screen = pilot.app.screen
    return [type(screen), Inspector, Lines, *(type(pane) for pane in panes_of(screen))]


def check_all_offered(pilot: Pilot[Any]) -> int:
    found = offered(pilot.app)
    declared = 0
    for place in places(pilot):
        for pressed, said, name in keys_of(place, pilot.app):
            if name == "app.palette":
                continue
            declared += 1
            there = any(title.endswith(said) and key == pressed for title, key in found)
            assert there, (place, name)
    return declared


async def test_every_action_of_the_main_screen_is_offered() -> None:
    async with recorded("add-tree").run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert check_all_offered(pilot) > 50
        titles = {title for title, _ in offered(pilot.app)}
        for said in ("Statistics", "Open a recording", "Export what is shown", "Next recording"):
            assert said in titles


async def test_every_action_of_the_statistics_is_offered_and_those_of_the_main_screen_are_not() -> (
    None
):
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await counted(pilot)
        assert check_all_offered(pilot) > 20
        titles = {title for title, _ in offered(pilot.app)}
        assert "By operation: Sort" in titles
        assert "Export what is shown" not in titles


def test_no_two_places_share_a_name() -> None:
    names: dict[str, type[Any]] = {}
    for place in (StatisticsScreen, Inspector, Lines):
        for binding in Binding.make_bindings(place.__dict__["BINDINGS"]):
            assert binding.id, binding
            assert names.setdefault(binding.id, place) is place


LEAVES = ("Quit", "Close the recording", "Theme", "Save a picture of the screen")
"""Entries that end the screen, or belong to Textual."""


@pytest.mark.parametrize("where", ["browse", "statistics"])
async def test_every_entry_can_be_chosen(where: str) -> None:
    async with recorded("add-tree").run_test(size=SIZE) as pilot:
        await settled(pilot)
        if where == "statistics":
            await counted(pilot)
        app = pilot.app
        for command in list(app.get_system_commands(app.screen)):
            if command.title.endswith(LEAVES) or command.help in ("ctrl+p", "^p", ":"):
                continue
            found = command.callback()
            if found is not None:
                await found
            await pilot.pause()
            while len(app.screen_stack) > 1 and not (
                where == "statistics" and isinstance(app.screen, StatisticsScreen)
            ):
                app.pop_screen()
                await pilot.pause()
            if where == "statistics" and not isinstance(app.screen, StatisticsScreen):
                await counted(pilot)


async def test_a_chosen_entry_is_done() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+p")
        palette = await shown_palette(pilot, "statist")
        assert palette is not None
        await pilot.press("enter")
        for _ in range(3000):
            await pilot.pause(0.01)
            if isinstance(pilot.app.screen, StatisticsScreen):
                return
        raise AssertionError("the statistics did not come")


async def test_the_help_of_the_statistics_has_its_keys() -> None:
    async with recorded("queries").run_test(size=(120, 70)) as pilot:
        await counted(pilot)
        await pilot.press("question_mark")
        for _ in range(3000):
            await pilot.pause(0.01)
            if isinstance(pilot.app.screen, Help):
                break
        text = "\n".join(lines_of(pilot.app.screen.query_one(HelpText)))
        for said in ("Sort", "Show these exchanges", "Later", "Statistics", "Next line"):
            assert said in text
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, StatisticsScreen)


async def shown_palette(pilot: Pilot[Any], text: str = "") -> CommandPalette:
    """Wait until the palette has found all there is for a text."""
    from textual.command import CommandInput, CommandList

    for _ in range(3000):
        await pilot.pause(0.01)
        if isinstance(pilot.app.screen, CommandPalette):
            break
    palette = pilot.app.screen
    assert isinstance(palette, CommandPalette)
    line = palette.query_one(CommandInput)
    line.cursor_blink = False
    for char in text:
        await pilot.press(char)
    quiet = 0
    for _ in range(2000):
        await pilot.pause(0.01)
        working = any(worker.is_running for worker in pilot.app.workers)
        ready = palette.query_one(CommandList).option_count > 0 and not palette._show_busy
        quiet = quiet + 1 if ready and not working else 0
        if quiet > 5:
            return palette
    raise AssertionError("the palette did not come to rest")


async def test_the_main_screen_is_left_alone_by_what_needs_it() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await counted(pilot)
        await pilot.press("X")
        await pilot.pause()
        assert isinstance(pilot.app.screen, StatisticsScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert len(pilot.app.screen_stack) == 1
