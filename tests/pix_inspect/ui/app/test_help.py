"""Keys: every one has a name, is in help and palette, can be changed, and does something."""

from __future__ import annotations

from typing import Any

from textual.binding import Binding

from pix_inspect.ui.app.help import Help, HelpText
from pix_inspect.ui.app.keys import keys_of
from pix_inspect.ui.app.leaving import Leaving
from pix_inspect.ui.exchange.bytes_pane import Bytes
from pix_inspect.ui.exchange.fields_pane import Fields
from pix_inspect.ui.exchange.log_pane import Log
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.lines import Lines
from tests.support.screens import browse, lines_of, recorded, settled

PLACES: list[type[Any]] = [Lines, Timeline, Fields, Log, Bytes, MainScreen, Help, Leaving]


def bindings() -> list[tuple[type[Any], Binding]]:
    return [
        (place, binding)
        for place in PLACES
        for binding in Binding.make_bindings(place.__dict__.get("BINDINGS", ()))
    ]


def test_every_key_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names: dict[str, tuple[type[Any], str]] = {}
    for place, binding in bindings():
        assert binding.id, binding
        assert binding.description, binding
        assert names.setdefault(binding.id, (place, binding.action)) == (place, binding.action)


def test_no_pane_gives_one_key_two_meanings() -> None:
    for place in PLACES:
        keys = [binding.key for where, binding in bindings() if where is place]
        assert len(keys) == len(set(keys)), place


def test_every_action_exists() -> None:
    for place, binding in bindings():
        action = binding.action.partition("(")[0]
        namespace, _, name = action.rpartition(".")
        owner = {"": place, "screen": MainScreen, "app": None}[namespace]
        if owner is None:
            from pix_inspect.ui.app.app import Inspector

            owner = Inspector
        assert hasattr(owner, f"action_{name}"), binding


async def test_the_help_lists_every_key_of_every_pane() -> None:
    async with recorded("queries").run_test(size=(120, 200)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        text = "\n".join(lines_of(pilot.app.screen.query_one(HelpText)))
        for place in (Lines, Timeline, Fields, Log, Bytes, MainScreen):
            for pressed, said, _ in keys_of(place, pilot.app):
                assert any(
                    line.split("  ")[0:3] and pressed in line and said in line
                    for line in text.splitlines()
                ), (pressed, said)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, MainScreen)


async def test_the_palette_has_every_action() -> None:
    async with recorded("queries").run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        offered = {command.title for command in pilot.app.get_system_commands(browse(pilot))}
        for place in (Timeline, Fields, Log, Bytes, MainScreen):
            for _, said, _ in keys_of(place, pilot.app):
                assert any(title.endswith(said) for title in offered), said


async def test_a_command_of_the_palette_does_what_its_key_does() -> None:
    async with recorded("queries").run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        commands = {c.title: c for c in pilot.app.get_system_commands(browse(pilot))}
        found = commands["Explain"].callback()
        if found is not None:
            await found
        assert browse(pilot).has_class("-explaining")
        await pilot.press("ctrl+p")
        await pilot.pause()
        assert pilot.app.screen is not browse(pilot)


async def test_a_key_that_was_changed_works_and_is_shown() -> None:
    app = recorded("queries")
    async with app.run_test(size=(120, 200)) as pilot:
        await settled(pilot)
        app.update_keymap({"view.explain": "z"})
        await pilot.press("z")
        assert browse(pilot).has_class("-explaining")
        assert ("z", "Explain", "view.explain") in keys_of(MainScreen, app)
