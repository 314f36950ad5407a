"""The help of every screen: it lists the keys that work there, all of them, and no others."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import Screen

from pix_inspect import ui
from pix_inspect.ui.app.help import WRITTEN, HelpText
from pix_inspect.ui.app.keys import sections
from pix_inspect.ui.main.main_screen import MainScreen
from tests.support.screens import SCENES, SIZE, Scene, lines_of, until

Names = set[tuple[str, str]]
"""Bindings by name, with how one of their keys is written."""


def listed(screen: Screen[Any]) -> Names:
    found = [key for _, keys in sections(screen) for key in keys]
    return {(name, key) for pressed, _, name in found for key in pressed.split()}


def active(screen: Screen[Any]) -> Names:
    """What works now, of our own."""
    found = {key: each.binding for key, each in screen.active_bindings.items()}
    for key, (binding, *_) in screen.app._bindings.key_to_bindings.items():
        if binding.priority:
            found[key] = binding
    bindings = list(found.values())
    display = screen.app.get_key_display
    return {(each.id, display(each)) for each in bindings if each.id and each.description}


async def told(scene: Scene, folder: Path) -> tuple[Names, Names]:
    """Return what the help lists, and what works in any pane that can be seen."""
    app = scene.app(folder)
    async with app.run_test(size=SIZE) as pilot:
        screen = await scene.reach(pilot)
        await help_of(screen, pilot, scene)
        names, works = listed(screen), active(screen)
        there = screen.focused
        for pane in screen.focus_chain:
            screen.set_focus(pane)
            await until(pilot, scene, lambda: screen.focused is not None)
            works |= active(screen)
            assert active(screen) <= listed(screen), (scene.name, pane)
        screen.set_focus(there)
        return names, works


ON_THE_MAIN_SCREEN = {("S", "Statistics"), ("X", "Export what is shown"), ("f", "Follow")}


async def help_of(screen: Screen[Any], pilot: Pilot[Any], scene: Scene) -> None:
    """See that the help shows what is listed, as far down as it can be scrolled."""
    await pilot.press("f1")
    await until(pilot, scene, lambda: bool(pilot.app.screen.query(HelpText)))
    text = pilot.app.screen.query_one(HelpText)
    lines = ["".join(part.text for part in text.segments(y, 80)) for y in range(text.count)]
    shown = {(line[: WRITTEN + 2].strip(), line[WRITTEN + 2 :].strip()) for line in lines}
    top = lines_of(text)
    assert [line.strip(" │") for line in top if line.strip(" │")], scene.name
    await pilot.press("escape")
    await until(pilot, scene, lambda: pilot.app.screen is screen)
    for _, keys in sections(screen):
        assert shown >= {(pressed, said) for pressed, said, _ in keys}, scene.name
    whole = ON_THE_MAIN_SCREEN if scene.screen is MainScreen else set()
    assert shown & ON_THE_MAIN_SCREEN == whole, scene.name


@pytest.mark.slow
async def test_what_is_listed_works_and_what_works_is_listed(tmp_path: Path) -> None:
    names: dict[type[Any], Names] = {}
    works: dict[type[Any], Names] = {}
    for number, scene in enumerate(SCENES):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        told_names, told_works = await told(scene, folder)
        names.setdefault(scene.screen, set()).update(told_names)
        works.setdefault(scene.screen, set()).update(told_works)
    for screen, found in names.items():
        assert found == works[screen], screen
    everything = {name for found in names.values() for name, _ in found}
    assert declared() - everything == {"help.back"}, "a key without a place in any help"


def declared() -> set[str]:
    """The names of all bindings there are."""
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    classes: list[type[Any]] = [DOMNode]
    for cls in classes:
        classes += cls.__subclasses__()
    ours = [cls for cls in classes if cls.__module__.startswith(ui.__name__)]
    found = [
        binding
        for cls in ours
        for binding in Binding.make_bindings(cls.__dict__.get("BINDINGS", ()))
    ]
    assert all(binding.id and binding.description for binding in found)
    return {binding.id for binding in found if binding.id}
