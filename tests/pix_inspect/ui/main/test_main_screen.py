"""The main screen, driven by keys: one selection, following, and nothing that moves by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recording import growing
from tests.support.screens import browse, focus, lines_of, live, opened, recorded, settled

SIZE = (120, 40)


async def test_a_finished_recording_begins_at_its_first_exchange() -> None:
    app = recorded("build-with-log")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        assert screen.timeline.lines.cursor == 0
        assert not screen.timeline.following
        assert screen.fields.count > 5
        assert screen.bytes.count > 5


@pytest.mark.parametrize("keys", [(), ("tab",), ("tab", "tab"), ("tab", "backslash")])
async def test_the_next_exchange_is_chosen_from_any_pane(keys: tuple[str, ...]) -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press(*keys)
        pane = focus(pilot)
        await pilot.press("ctrl+down", "ctrl+down", "ctrl+down", "ctrl+up")
        await settled(pilot)
        assert browse(pilot).side.index == 2
        assert focus(pilot) == pane


async def test_errors_slowest_and_marks_are_jumped_to() -> None:
    async with recorded("build-failure").run_test(size=SIZE) as pilot:
        await settled(pilot)
        timeline = browse(pilot).timeline
        await pilot.press("j", "m", "right_square_bracket")
        assert timeline.session.row(timeline.lines.cursor).state == "error"
        await pilot.press("g", "greater_than_sign")
        slowest = max(range(timeline.lines.count), key=lambda i: timeline.session.row(i).took or 0)
        assert timeline.lines.cursor == slowest
        await pilot.press("apostrophe")
        assert timeline.lines.cursor == 1
        assert lines_of(timeline.lines)[1].startswith("◆")


async def test_time_is_shown_in_four_ways() -> None:
    async with recorded("build-failure").run_test(size=SIZE) as pilot:
        await settled(pilot)
        timeline = browse(pilot).timeline
        await pilot.press("j", "m")
        seen = {lines_of(timeline.lines)[3][4:14]}
        for _ in range(3):
            await pilot.press("t")
            seen.add(lines_of(timeline.lines)[3][4:14])
        assert len(seen) == 4


async def test_before_the_first_connection_stands_what_to_paste(tmp_path: Path) -> None:
    async with live(growing(tmp_path / "r.pcapng")).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        text = "\n".join(lines_of(browse(pilot).timeline.lines))
        assert "NIX_REMOTE=unix:///run/pix.sock nix-build …" in text
    async with opened(tmp_path / "r.pcapng").run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "No client connected" in "\n".join(lines_of(browse(pilot).timeline.lines))


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (120, 40), (200, 60)])
async def test_every_size_works(size: tuple[int, int]) -> None:
    async with recorded("two-clients").run_test(size=size) as pilot:
        await settled(pilot)
        for key in ("e", "G", "tab", "G", "g", "tab", "G", "l", "tab", "j", "backslash", "escape"):
            await pilot.press(key)
        await pilot.resize_terminal(97, 31)
        await pilot.resize_terminal(*size)
        await settled(pilot)
