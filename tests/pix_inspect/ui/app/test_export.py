"""Exporting from the screen: what is shown goes into a file that only the user can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.session.session import Session
from pix_inspect.ui.widgets.path_dialog import PathDialog
from tests.support.recording import growing
from tests.support.screens import browse, opened, recorded, settled

SIZE = (120, 40)


async def asked(pilot: Pilot[Any]) -> PathDialog:
    await settled(pilot)
    await pilot.press("X")
    for _ in range(3000):
        await pilot.pause(0.01)
        screen = pilot.app.screen
        if isinstance(screen, PathDialog) and screen.focused is not None:
            return screen
    raise AssertionError("no dialog came")


async def exported_to(pilot: Pilot[Any], path: Path) -> None:
    dialog = pilot.app.screen
    assert isinstance(dialog, PathDialog)
    dialog.line.value = str(path)
    await pilot.press("enter")
    for _ in range(3000):
        await pilot.pause(0.01)
        if pilot.app.screen is browse(pilot):
            return
    raise AssertionError("writing did not end")


async def test_all_exchanges_are_exported_as_json_lines(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    app = recorded("queries")
    async with app.run_test(size=SIZE) as pilot:
        dialog = await asked(pilot)
        assert dialog.line.value == "queries.jsonl"
        await exported_to(pilot, target)
        found = [json.loads(line) for line in target.read_text().splitlines()]
        assert [each["exchange"] for each in found] == list(
            range(1, len(app.recordings.session) + 1)
        )
        assert target.stat().st_mode & 0o7777 == 0o600
        assert any("30 exchanges" in note.message for note in app._notifications)


async def test_text_is_exported_too_and_other_endings_are_refused(tmp_path: Path) -> None:
    async with recorded("queries").run_test(size=(80, 24)) as pilot:
        dialog = await asked(pilot)
        dialog.line.value = str(tmp_path / "out.doc")
        await pilot.press("enter")
        await pilot.pause()
        assert "write .txt" in str(dialog.query_one("#path-trouble").render())
        await exported_to(pilot, tmp_path / "out.txt")
        assert "QueryPathInfo" in (tmp_path / "out.txt").read_text()


async def test_secrets_are_blanked_unless_switched_off(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    numbers = dict.fromkeys(
        ["keep_failed", "keep_going", "try_fallback", "verbosity", "max_build_jobs",
         "max_silent_time", "use_build_hook", "verbose_build", "log_type", "print_build_trace",
         "build_cores", "use_substitutes"], 0,
    )  # fmt: skip
    options = ops.SetOptions(**numbers, overrides={"access-tokens": "github.com=secret"})
    talk.trip(options, StderrLast()).save()
    async with opened(made.path).run_test(size=SIZE) as pilot:
        await asked(pilot)
        await exported_to(pilot, tmp_path / "blank.jsonl")
        assert "github.com=secret" not in (tmp_path / "blank.jsonl").read_text()
        await asked(pilot)
        await pilot.press("ctrl+r")
        await exported_to(pilot, tmp_path / "all.jsonl")
        assert "github.com=secret" in (tmp_path / "all.jsonl").read_text()


async def test_the_connections_of_what_is_shown_are_exported_as_a_recording(
    tmp_path: Path,
) -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        browse(pilot).filter.apply("conn = 2 and op = BuildPaths")
        dialog = await asked(pilot)
        assert "1 exchange of 30, conn = 2 and op = BuildPaths" in dialog._title
        await pilot.press("ctrl+r")
        await exported_to(pilot, tmp_path / "out.pcapng")
        found = Session(tmp_path / "out.pcapng").read_all()
        assert set(found.connections) == {2}
        assert len(found) == 15


async def test_a_recording_is_not_blanked(tmp_path: Path) -> None:
    app = recorded("queries")
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot)
        await exported_to(pilot, tmp_path / "out.pcapng")
        assert any("switch that off" in note.message for note in app._notifications)
        assert not (tmp_path / "out.pcapng").exists()
