"""Lines to write in: what is typed is text, and no footer offers it as a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Paste
from textual.widgets import Input

from pix_inspect.ui.widgets.keys_footer import KeysFooter
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
        offered = [key.key for footer in screen.query(KeysFooter) for key in footer.keys]
        assert not {"slash", "question_mark"} & set(offered)
        await pilot.press(*"a/?+-\\=_@:", "space", *"q")
        await until(pilot, scene, lambda: line.value.endswith(" q"))
        assert line.value == "a/?+-\\=_@: q"
        assert pilot.app.screen is screen


@pytest.mark.parametrize(
    ("text", "written", "said"),
    [
        ("glibc\x1b[2J\ta", "glibc [2J a", ""),
        ("\n\none\ntwo\nthree\n", "one", "pasted the first of 3 lines"),
        ("x" * (1 << 20), "", "nothing was pasted: 1,048,576 characters"),
        ("", "", ""),
    ],
    ids=["control characters", "several lines", "a megabyte", "nothing"],
)
async def test_what_is_left_out_of_a_paste_is_said(
    text: str, written: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for scene in (scene for scene in SCENES if scene.name in ("filter", "repl")):
        told.clear()
        async with scene.app(tmp_path).run_test(size=SIZE) as pilot:
            monkeypatch.setattr(pilot.app, "notify", lambda message, **_: told.append(message))
            screen = await scene.reach(pilot)
            line = screen.focused
            assert isinstance(line, Input)
            before = line.value
            pilot.app.post_message(Paste(text))
            await pilot.pause()
            assert line.value == before + written
            assert "".join(told).startswith(said)
            assert bool(told) == bool(said)
