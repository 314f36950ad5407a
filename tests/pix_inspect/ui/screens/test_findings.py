"""The screens of findings and differences, and what goes from them to the timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix_inspect.findings.kinds import KINDS
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.screens.findings import FindingsScreen
from tests.support.planted import DAEMON, Planted
from tests.support.recording import saved
from tests.support.screens import browse, lines_of, recorded, settled

SIZE = (120, 40)


async def looked(pilot: Pilot[Any]) -> FindingsScreen:
    """Open the findings and wait until all was looked at."""
    await settled(pilot)
    await pilot.press("F")
    for _ in range(1500):
        await pilot.pause(0.02)
        screen = pilot.app.screen
        if isinstance(screen, FindingsScreen) and screen.is_mounted and screen.settled:
            await pilot.pause()
            return screen
    raise AssertionError("the findings did not come to rest")


async def until(pilot: Pilot[Any], what: str, holds: Any) -> None:
    for _ in range(1500):
        if holds():
            return
        await pilot.pause(0.02)
    raise AssertionError(what)


async def test_findings_are_listed_explained_and_led_to() -> None:
    async with recorded("untrusted").run_test(size=SIZE) as pilot:
        screen = await looked(pilot)
        assert [finding.kind.name for finding in screen.list.rows] == [
            "ignored-setting", "unsigned", "restricted-setting",
        ]  # fmt: skip
        await pilot.press("j")
        await pilot.pause()
        said = "\n".join(lines_of(screen.detail))
        assert "unsigned" in said
        assert KINDS["unsigned"].advice[:20] in said
        await pilot.press("enter")
        main = browse(pilot)
        await until(pilot, "the place", lambda: main.timeline.chosen == 3)
        await until(
            pilot, "the field", lambda: main.fields.row is not None and main.fields.row.start == 128
        )


async def test_a_kind_as_a_filter() -> None:
    async with recorded("untrusted").run_test(size=SIZE) as pilot:
        await looked(pilot)
        await pilot.press("f")
        main = browse(pilot)
        await until(pilot, "the filter", lambda: list(main.filter.shown) == [5])
        assert main.filter.text == "finding = ignored-setting"


async def test_nothing_is_found_where_nothing_is() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        screen = await looked(pilot)
        assert "Nothing irregular was found." in "\n".join(lines_of(screen.list))
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is browse(pilot)


async def test_the_explanation_of_an_opaque_exchange_says_the_diagnosis(tmp_path: Path) -> None:
    planted = Planted("build-with-log")
    planted.change(DAEMON, *planted.reply("AddTempRoot"), b"")
    path = saved(planted, tmp_path).path
    async with Inspector(Session(path)).run_test(size=SIZE) as pilot:
        await looked(pilot)
        await pilot.press("enter")
        main = browse(pilot)
        await until(pilot, "the place", lambda: main.timeline.chosen == 6)
        await settled(pilot)
        assert any("missing one" in line for line in lines_of(main.fields))


async def test_two_exchanges_are_compared() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("D")
        await pilot.pause()
        assert pilot.app.screen is browse(pilot)
        await pilot.press("j", "j", "m", "j", "D")
        await until(pilot, "the screen", lambda: isinstance(pilot.app.screen, DifferencesScreen))
        screen = pilot.app.screen
        assert isinstance(screen, DifferencesScreen)
        await until(pilot, "the fields", lambda: screen.list.rows)
        paths = [change.path for change in screen.list.rows]
        assert "request.path" in paths
        masked = len(paths)
        first = screen.list.rows[0].first
        await pilot.press("s")
        await pilot.pause()
        assert screen.list.rows[0].second == first
        await pilot.press("a")
        await pilot.pause()
        assert len(screen.list.rows) >= masked


@pytest.mark.parametrize(("keys", "first", "last"), [("jE", 2, 2), ("jmjjE", 2, 4)])
async def test_an_excerpt_is_copied(
    keys: str, first: int, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with recorded("untrusted").run_test(size=SIZE) as pilot:
        monkeypatch.setattr(pilot.app, "copy_to_clipboard", copied.append)
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, "the copy", lambda: copied)
    assert f"#### {first}. " in copied[0]
    assert f"#### {last}. " in copied[0]
    assert f"#### {last + 1}. " not in copied[0]
