"""Following a recording that grows: nothing that arrives moves what somebody looks at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix.conversation.exchange import DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrError, StderrLast, StderrNext
from pix_inspect.ui.main.status import Banner
from tests.support.recording import Connection, Recording, growing
from tests.support.screens import browse, lines_of, live, opened, settled
from tests.support.words import PATH

SIZE = (120, 40)


def a_query(made: Recording, talk: Connection, count: int = 1) -> None:
    for _ in range(count):
        talk.trip(
            ops.IsValidPath(path=PATH),
            StderrLast(),
            ops.IsValidPath.Reply(valid=True),
        )
    made.save()


async def test_all_lines_stand_in_the_same_columns_when_time_grows(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    for _ in range(60):
        a_query(made, talk)
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        for wait in (100_000, 1_000_000):
            made.wait(wait)
            a_query(made, talk)
            await settled(pilot)
            strips = pilot.app.screen._compositor.render_strips()
            lines = [strip.text for strip in strips if " 1 ✓ " in strip.text]
            assert len(lines) > 5
            assert len({line.index(" ✓ ") for line in lines}) == 1, "\n".join(lines)


async def test_following_goes_on_while_the_cursor_is_on_the_last_row(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    a_query(made, talk)
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        timeline = browse(pilot).timeline
        assert timeline.following
        a_query(made, talk, 100)
        await settled(pilot)
        assert timeline.lines.cursor == len(timeline.session) - 1
        assert browse(pilot).side.index == timeline.lines.cursor
        last = lines_of(timeline.lines)[-1]
        assert last.startswith(f"▸{len(timeline.session)} ")


async def test_nothing_that_arrives_moves_what_the_user_put_somewhere(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    a_query(made, talk, 60)
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("k", "k", "k", "tab", "j", "space", "j", "j")
        await settled(pilot)
        timeline = screen.timeline

        def state() -> tuple[object, ...]:
            return (
                timeline.lines.cursor, timeline.lines.scroll_y, screen.side.index, screen.focused,
                screen.fields.cursor, screen.fields.scroll_y, screen.fields.outline.shape(),
                screen.bytes.lit, screen.bytes.at, screen.bytes.scroll_y, lines_of(timeline.lines),
                lines_of(screen.fields), lines_of(screen.bytes),
            )  # fmt: skip

        before = state()
        assert not timeline.following
        a_query(made, talk, 312)
        await settled(pilot)
        assert state() == before
        assert "▼ 312 new" in str(timeline.border_title)
        await pilot.press("shift+tab", "f")
        await settled(pilot)
        assert timeline.following
        assert timeline.lines.cursor == len(timeline.session) - 1
        assert "new" not in str(timeline.border_title)


@pytest.mark.parametrize("key", ["G", "end", "f"])
async def test_these_keys_resume_following(tmp_path: Path, key: str) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    a_query(made, talk, 5)
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        timeline = browse(pilot).timeline
        await pilot.press("g")
        assert not timeline.following
        a_query(made, talk, 5)
        await settled(pilot)
        await pilot.press(key)
        assert timeline.following
        assert timeline.lines.cursor == timeline.lines.count - 1


async def test_an_exchange_that_goes_on_grows_under_the_cursor(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.trip(ops.BuildPaths(paths=(PATH,), mode=0), StderrNext(text="one\n")).save()
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        assert screen.side.view is not None
        assert len(screen.side.view.log) == 1
        await pilot.press("tab")
        while screen.fields.row is None or screen.fields.row.label != "paths":
            await pilot.press("j")
        await pilot.press("minus")
        await pilot.press("space")
        await settled(pilot)
        labels = screen.fields.outline.labels(screen.fields.path)
        shape = screen.fields.outline.shape()
        talk << StderrNext(text="two\n")
        talk.say(DAEMON, StderrError(message="three")).save()
        for _ in range(3000):
            await pilot.pause(0.02)
            if screen.side.view.row.state == "error":
                break
        assert screen.side.view.row.state == "error"
        assert len(screen.side.view.log) == 2
        assert screen.fields.outline.labels(screen.fields.path) == labels
        assert screen.fields.outline.shape() == shape
        assert any("error" in line for line in lines_of(screen.fields))


async def test_the_screen_stays_when_bytes_are_gone(tmp_path: Path) -> None:
    """As after a rotation, or when somebody cut the file."""
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    a_query(made, talk, 2000)
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        os.truncate(made.path, made.path.stat().st_size // 2)
        screen = browse(pilot)
        for exchange in (1990, 1500, 1001, 500):
            screen.timeline.lines.move_to(exchange)
            await settled(pilot)
            await pilot.press("y", "Y", "tab", "j", "y", "tab", "y", "tab", "e", "L", "P", "E")
            await settled(pilot)
        assert browse(pilot) is screen


async def test_what_somebody_cuts_off_while_it_is_looked_at_is_said(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    a_query(made, made.connect(), 3)
    async with opened(made.path).run_test(size=SIZE) as pilot:
        await settled(pilot)
        banner = browse(pilot).query_one(Banner)
        assert not banner.shown
        os.truncate(made.path, made.path.stat().st_size // 2)
        while not banner.shown:
            await pilot.pause(0.01)
        assert "cut off or written over" in banner.shown[0]
        made.path.unlink()
        while "deleted" not in banner.shown[0]:
            await pilot.pause(0.01)
