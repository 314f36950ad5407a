"""Lines to write in: what is typed is text, and no footer offers it as a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Footer, Input
from textual.widgets._footer import FooterKey

from tests.support.screens import SCENES, SIZE, Scene, until

LINES = {"filter", "search", "note", "repl", "opening"}


@pytest.mark.parametrize(
    "scene", [scene for scene in SCENES if scene.name in LINES], ids=lambda scene: scene.name
)
async def test_what_can_be_typed_is_typed(scene: Scene, tmp_path: Path) -> None:
    async with scene.app(tmp_path).run_test(size=SIZE) as pilot:
        screen = await scene.reach(pilot)
        line = screen.focused
        assert isinstance(line, Input)
        for key in screen.active_bindings:
            assert not line.check_consume_key(key, None), key
        offered = [key.key for footer in screen.query(Footer) for key in footer.query(FooterKey)]
        assert not {"slash", "question_mark"} & set(offered)
        await pilot.press(*"a/?+-\\=_@:", "space", *"q")
        await until(pilot, scene, lambda: line.value.endswith(" q"))
        assert line.value == "a/?+-\\=_@: q"
        assert pilot.app.screen is screen
