"""The main screen, driven by keys: one selection, following, and nothing that moves by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrError, StderrLast, StderrNext
from pix_inspect.ui.exchange.explanation import Explanation
from pix_inspect.ui.main.status import Banner
from tests.support.recording import Connection, Recording, growing
from tests.support.screens import browse, focus, lines_of, live, opened, recorded, settled
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


async def test_a_finished_recording_begins_at_its_first_exchange() -> None:
    app = recorded("build-with-log")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        assert screen.timeline.lines.cursor == 0
        assert not screen.timeline.following
        assert screen.fields.count > 5
        assert screen.bytes.count > 5


async def test_the_chosen_field_is_lit_in_the_bytes_and_named_with_its_path() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        for key in ("j", "j", "j", "enter", "j", "j"):  # QueryPathInfo › request › path
            await pilot.press(key)
        await settled(pilot)
        row = screen.fields.row
        assert row is not None
        assert row.label == "path"
        assert screen.bytes.lit == (CLIENT, row.start, row.end)
        assert f"request › path  [{row.start}, {row.end})" in str(screen.bytes.border_title)
        assert screen.side.view is not None
        ((_, data),) = screen.side.view.bytes(CLIENT, row.start, row.end)
        assert data is not None
        assert data[8:].startswith(b"/nix/store/")


async def test_every_byte_selects_the_innermost_field_around_it() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("j", "j", "j", "tab", "tab")
        assert focus(pilot) == "bytes"
        assert screen.side.view is not None
        seen = set()
        end = screen.side.view.span(DAEMON)[1]
        for _ in range(100):
            screen.bytes.action_beside(8)
            await pilot.pause()
            row = screen.fields.outline.row(screen.fields.path)
            assert row is not None
            assert screen.bytes.at is not None
            side, offset = screen.bytes.at
            if row.side is not None and screen.bytes.lit is not None:
                assert row.side == side
                assert row.start <= offset < row.end
                assert screen.bytes.lit == (row.side, row.start, row.end)
                seen.add(row.label)
            if screen.bytes.at == (DAEMON, end - 8):
                break
        assert {"path", "nar_hash", "nar_size", "ultimate", "ca"} <= seen
        await pilot.press("enter")
        assert focus(pilot) == "fields"


async def test_a_click_on_a_byte_selects_its_field() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.click(type(screen.bytes), offset=(10, 4))  # the third line: after the head
        await settled(pilot)
        assert screen.bytes.at == (CLIENT, 16)
        assert screen.fields.row is not None
        assert screen.fields.row.label == "features"


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
        for _ in range(100):
            await pilot.pause(0.02)
            if screen.side.view.row.state == "error":
                break
        assert screen.side.view.row.state == "error"
        assert len(screen.side.view.log) == 2
        assert screen.fields.outline.labels(screen.fields.path) == labels
        assert screen.fields.outline.shape() == shape
        assert any("error" in line for line in lines_of(screen.fields))


async def test_what_was_open_is_open_in_the_next_exchange_of_the_same_operation() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        rows = [screen.session.row(i) for i in range(len(screen.session))]
        same = [row.number - 1 for row in rows if row.operation == "QueryPathInfo"][:2]
        screen.timeline.lines.move_to(same[0])
        await settled(pilot)
        screen.fields.focus()
        await pilot.press("minus")
        assert screen.fields.count == 2
        screen.timeline.lines.move_to(same[1])
        await settled(pilot)
        assert screen.fields.count == 2


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


async def test_panes_are_hidden_maximised_and_given_back() -> None:
    async with recorded("build-failure").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("x")
        assert screen.bytes.size.height == 0
        await pilot.press("x", "e")
        assert screen.bytes.size.height > 0
        await pilot.press("backslash")
        await pilot.pause()
        assert screen.timeline.lines.size.width > SIZE[0] - 3
        await pilot.press("enter")
        await pilot.pause()
        assert focus(pilot) == "fields"
        assert screen.fields.size.width > SIZE[0] - 3
        await pilot.press("escape")
        await pilot.pause()
        assert screen.timeline.lines.size.width > 20
        assert app_running(pilot.app)
        await pilot.press("escape")
        assert focus(pilot) == "timeline"
        await pilot.press("q")
        await pilot.pause()
        assert not app_running(pilot.app)


def app_running(app: object) -> bool:
    return not getattr(app, "_exit", False)


async def test_the_explanation_follows_the_field() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("e", "tab", "G")
        await settled(pilot)
        pane = screen.query_one(Explanation)
        text = " ".join(lines_of(pane))
        assert "trusted" in text
        assert "since 1.35" in text


async def test_what_is_copied() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        app = pilot.app
        await pilot.press("j", "j", "j", "y")
        assert re.fullmatch(r'QueryPathInfo\(path="/nix/store/.*-greeting.txt"\)', app.clipboard)
        await pilot.press("Y")
        assert '"operation": "QueryPathInfo"' in app.clipboard
        await pilot.press("tab", "j", "j", "y")
        assert app.clipboard.startswith("/nix/store/")
        await pilot.press("ctrl+y")
        assert bytes.fromhex(app.clipboard)[8:].startswith(b"/nix/store/")
        await pilot.press("k", "k", "Y")
        assert app.clipboard.startswith('{"path": "/nix/store')


async def test_before_the_first_connection_stands_what_to_paste(tmp_path: Path) -> None:
    async with live(growing(tmp_path / "r.pcapng")).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        text = "\n".join(lines_of(browse(pilot).timeline.lines))
        assert "NIX_REMOTE=unix:///run/pix.sock nix-build …" in text
    async with opened(tmp_path / "r.pcapng").run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "No client connected" in "\n".join(lines_of(browse(pilot).timeline.lines))


async def test_what_was_cut_is_said(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    a_query(made, made.connect())
    with made.path.open("ab") as file:
        file.write(b"\x06\0\0\0\xff\0\0\0half")
    async with opened(made.path).run_test(size=SIZE) as pilot:
        await settled(pilot)
        banner = browse(pilot).query_one(Banner)
        assert banner.display
        assert "cut off" in banner.render_line(0).text
        await pilot.press("escape")
        assert not banner.display


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (120, 40), (200, 60)])
async def test_every_size_works(size: tuple[int, int]) -> None:
    async with recorded("two-clients").run_test(size=size) as pilot:
        await settled(pilot)
        for key in ("e", "G", "tab", "G", "g", "tab", "G", "l", "tab", "j", "backslash", "escape"):
            await pilot.press(key)
        await pilot.resize_terminal(97, 31)
        await pilot.resize_terminal(*size)
        await settled(pilot)
