"""Every key of every screen and pane is pressed once, elsewhere than in CI one in three; whatever
it does, the screen goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen

from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.help import Help
from pix_inspect.ui.widgets.writing import Writing
from tests.support.screens import SCENES, SIZE, Scene, at_rest, until
from tests.support.surroundings import one_in


@pytest.fixture(autouse=True)
def stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The application does not end, and its files go elsewhere."""
    monkeypatch.setattr(Inspector, "exit", lambda app, result=None, **_: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)


FIRST = {scene.screen: scene.name for scene in reversed(SCENES)}
"""The scene of each screen in which its own keys are pressed, besides those of the pane."""


def keys_of(scene: Scene, screen: Screen[Any]) -> list[str]:
    """The keys to press: those of the pane, and once for each screen all others that work."""
    whole = screen.is_modal or FIRST[scene.screen] == scene.name
    found = {
        key: None
        for key, each in screen.active_bindings.items()
        if each.binding.id and (whole or each.node not in (screen, screen.app))
    }
    return [*found, *(screen.app._bindings.key_to_bindings if whole else ())]


async def rest(pilot: Pilot[Any], scene: Scene, key: str) -> None:
    """Wait until a key has had its effect."""
    app = pilot.app
    await pilot.pause()
    assert app._exception is None, (scene.name, key, app._exception)
    await until(pilot, scene, lambda: app.screen.is_mounted and at_rest(app.screen))
    assert app._exception is None, (scene.name, key, app._exception)


async def answers(pilot: Pilot[Any], scene: Scene, key: str) -> None:
    """The keys can be shown, and go away again."""
    app = pilot.app
    if isinstance(app.screen, CommandPalette | Help):
        await pilot.press("escape")
        await until(pilot, scene, lambda: not isinstance(app.screen, CommandPalette | Help))
    below = app.screen
    await pilot.press("f1")
    await until(pilot, scene, lambda: isinstance(app.screen, Help))
    await pilot.press("escape")
    await until(pilot, scene, lambda: app.screen is below)
    await rest(pilot, scene, key)


async def go_back(pilot: Pilot[Any], scene: Scene, screen: Screen[Any], key: str) -> bool:
    """Leave what a key led to; return whether the scene is still as it was."""
    app = pilot.app
    for _ in range(6):
        if screen not in app.screen_stack:
            return False
        if app.screen is screen:
            break
        await pilot.press("escape")
        await rest(pilot, scene, key)
    pane = next(iter(screen.query(f"#{scene.pane}")), None) if scene.pane else screen.focused
    if pane is None or not pane.focusable:
        return scene.pane is None
    screen.set_focus(pane)
    await rest(pilot, scene, key)
    return screen.focused is pane


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_every_key(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    todo: list[str] | None = None
    number = 0
    while todo is None or todo:
        number += 1
        folder = tmp_path / f"{number}"
        folder.mkdir()
        monkeypatch.setenv("XDG_STATE_HOME", str(folder))
        app = scene.app(folder)
        async with app.run_test(size=SIZE) as pilot:
            screen = await scene.reach(pilot)
            if todo is None:
                todo = keys_of(scene, screen)[:: one_in(3)]
                assert todo
            while todo:
                key = todo.pop(0)
                await pilot.press(key)
                await rest(pilot, scene, key)
                if app.screen is not screen or not todo:
                    await answers(pilot, scene, key)
                if not await go_back(pilot, scene, screen, key):
                    break
            for left in app.screen_stack:
                if isinstance(left, Writing):
                    left.pace.stop()
