"""The filter on the screen: written with help, applied, shown at work, given up; = and !."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import AppBlur, AppFocus
from textual.pilot import Pilot

from pix.conversation.exchange import DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.ui.widgets.bar_lines import BarOffers, InForce, Remarks
from pix_inspect.ui.widgets.choices import Choice
from tests.support.recording import growing
from tests.support.screens import browse, focus, lines_of, live, recorded, settled
from tests.support.words import PATH

SIZE = (120, 40)


async def write(pilot: Pilot[Any], text: str) -> None:
    """Write something, as one pastes it."""
    line = browse(pilot).bar.line
    line.value = text
    line.cursor_position = len(text)
    await pilot.pause()


def in_force(pilot: Pilot[Any], what: str = "filter") -> str:
    shown = browse(pilot).query_one(f"InForce.{what}", InForce)
    return shown.render_line(0).text.rstrip() if shown.display else ""


def offered(pilot: Pilot[Any]) -> list[str]:
    offers = browse(pilot).query_one(BarOffers)
    return [each.value for each in offers.options if isinstance(each, Choice)]


async def test_a_filter_is_written_applied_and_cleared() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        assert in_force(pilot) == ""
        await pilot.press("slash", *"op~path")
        await pilot.press("enter")
        await settled(pilot)
        assert focus(pilot) == "timeline"
        assert screen.filter.text == "op~path"
        rows = [screen.session.row(i) for i in screen.filter.shown]
        assert rows
        assert all("path" in (row.operation or "").lower() for row in rows)
        assert in_force(pilot).endswith(f"{len(rows)} of {len(screen.session)}")
        assert screen.timeline.lines.count == len(rows)
        assert screen.side.index == screen.filter.shown[0]
        await pilot.press("escape")
        await settled(pilot)
        assert screen.filter.text == ""
        assert in_force(pilot) == ""
        assert screen.timeline.lines.count == len(screen.session)
        assert screen.side.index == rows[0].number - 1, "the cursor stays on its exchange"


async def test_a_mistake_has_a_caret_and_the_last_good_filter_stays() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("conn = 2")
        await settled(pilot)
        count = screen.timeline.lines.count
        await pilot.press("slash")
        await write(pilot, "conn = 2 and opp = Quit")
        remarks = screen.query_one(Remarks).render_line(0).text
        assert remarks.index("^^^") == len(" / conn = 2 and ")
        assert "no field 'opp'; did you mean op?" in remarks
        await pilot.press("enter")
        await settled(pilot)
        assert focus(pilot) == "writing-input", "it is not applied"
        assert screen.filter.text == "conn = 2"
        assert screen.timeline.lines.count == count
        await pilot.press("escape")
        await settled(pilot)
        assert focus(pilot) == "timeline"
        assert screen.filter.text == "conn = 2"
        assert in_force(pilot).startswith(" / conn = 2")


async def test_what_is_not_finished_is_no_mistake() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"op = ")
        remarks = browse(pilot).query_one(Remarks)
        assert "^" not in remarks.render_line(0).text
        await pilot.press("enter")
        assert "^ a value is missing" in remarks.render_line(0).text


async def test_fields_operators_and_seen_values_are_completed() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        line = screen.bar.line
        await pilot.press("slash")
        assert "took" in offered(pilot)
        await pilot.press("o")
        assert offered(pilot)[0] == "op"
        await pilot.press("tab")
        assert line.value == "op "
        assert "=" in offered(pilot)
        await pilot.press("tab")
        assert line.value == "op = "
        names = offered(pilot)
        assert names.index("QueryMissing") < names.index("CollectGarbage"), "what was seen is first"
        await pilot.press(*"buildp", "down", "up", "tab")
        assert line.value == "op = BuildPaths "
        assert offered(pilot) == ["and", "or"]
        await pilot.press("tab")
        await write(pilot, line.value + "request.paths ~ ")
        assert any("/nix/store/" in name for name in offered(pilot))
        await pilot.press("escape")


async def test_values_are_those_in_sight() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("slash")
        await write(pilot, "request.path = /nix/store/")
        names = offered(pilot)
        assert len(names) > 3
        assert all("/nix/store/" in name for name in names)
        await write(pilot, "state = ")
        assert "error" in offered(pilot)
        await write(pilot, "conn = ")
        assert offered(pilot) == ["1", "2"]
        browse(pilot).filter.apply("conn = 2")


async def test_no_hits_are_said_and_escape_clears() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("j", "j")
        screen.filter.apply("error")
        await settled(pilot)
        assert in_force(pilot).endswith(f"0 of {len(screen.session)}, esc clears")
        assert "Esc clears it" in "\n".join(lines_of(screen.timeline.lines))
        assert screen.side.view is None
        await pilot.press("j", "enter", "m", "greater_than_sign", "right_square_bracket", "y", "=")
        await pilot.press("escape", "escape")
        await settled(pilot)
        assert screen.side.index == 2


@pytest.mark.parametrize("text", ["greeting", "log ~ building", "request.path ~ greeting"])
async def test_deep_filters_find_what_they_mean(text: str) -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply(text)
        await settled(pilot)
        chosen = compile_filter(text)
        session = screen.session
        expected = [i for i in range(len(session)) if chosen.matches(session, i)]
        assert list(screen.filter.shown) == expected
        assert expected


async def test_a_deep_filter_is_stopped_and_what_it_found_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pix_inspect.ui.main.filtering.SLICE", 0.0)
    monkeypatch.setattr("pix_inspect.ui.main.filtering.PATIENCE", 1)
    monkeypatch.setattr("pix_inspect.ui.main.filtering.PAUSE", 3600.0)
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("greeting")
        await pilot.pause()
        assert not screen.filter.settled
        assert "so far" in in_force(pilot)
        assert "esc stops" in in_force(pilot)
        await pilot.press("escape")
        assert screen.filter.settled
        assert "stopped at" in in_force(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert screen.filter.text == ""


async def test_what_arrives_is_filtered_and_moves_nothing(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()

    def ask(count: int, valid: bool) -> None:
        reply = ops.IsValidPath.Reply(valid=valid)
        for _ in range(count):
            talk.trip(ops.IsValidPath(path=PATH), StderrLast(), reply)
        made.save()

    ask(60, True)
    ask(5, False)
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("reply.valid = true")
        await settled(pilot)
        timeline = screen.timeline
        assert timeline.lines.count == 60
        await pilot.press("g", "j", "j")
        await settled(pilot)
        before = (
            timeline.lines.cursor,
            timeline.lines.scroll_y,
            screen.side.index,
            lines_of(timeline.lines),
        )
        ask(20, False)
        ask(7, True)
        await settled(pilot)
        assert timeline.lines.count == 67
        assert (
            timeline.lines.cursor,
            timeline.lines.scroll_y,
            screen.side.index,
            lines_of(timeline.lines),
        ) == before
        assert "▼ 7 new" in str(timeline.border_title)
        await pilot.press("G")
        assert timeline.following
        ask(3, True)
        await settled(pilot)
        assert timeline.lines.cursor == 69
        assert in_force(pilot).endswith(f"70 of {len(screen.session)}")


async def test_what_no_longer_passes_leaves_and_the_cursor_stays(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talks = [made.connect() for _ in range(3)]
    for talk in talks:
        talk.trip(ops.BuildPaths(paths=(PATH,), mode=0))
    made.save()
    async with live(made).run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("open")
        await settled(pilot)
        assert list(screen.filter.shown) == [3, 4, 5]
        await pilot.press("g", "j")
        await settled(pilot)
        assert screen.side.index == 4
        talks[0] << StderrLast()
        talks[0].say(DAEMON, ops.BuildPaths.Reply(done=1)).save()
        for _ in range(3000):
            await pilot.pause(0.02)
            if len(screen.filter.shown) == 2:
                break
        await settled(pilot)
        assert list(screen.filter.shown) == [4, 5]
        assert screen.timeline.chosen == 4
        assert screen.timeline.lines.cursor == 0


async def test_equal_and_not_equal_to_what_is_under_the_cursor() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.timeline.lines.move_to(4)
        await settled(pilot)
        name = screen.session.row(4).operation
        await pilot.press("=")
        await settled(pilot)
        assert screen.filter.text == f"op = {name}"
        await pilot.press("escape", "enter", "j", "j")
        await settled(pilot)
        assert screen.fields.row is not None
        assert screen.fields.row.label == "path"
        path = screen.fields.row.value
        await pilot.press("=")
        await settled(pilot)
        assert screen.filter.text == f"request.path = {path}"
        assert len(screen.filter.shown) < 10
        await pilot.press("escape", "escape", "!")
        await settled(pilot)
        assert screen.filter.text == f"op != {name}"


async def test_filters_written_before_are_offered() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("conn = 2")
        await pilot.press("escape", "slash")
        assert offered(pilot)[0] == "conn = 2"
        await pilot.press("tab", "enter")
        await settled(pilot)
        assert screen.filter.text == "conn = 2"


async def test_filters_of_earlier_sessions_come_back() -> None:
    for text in ("conn = 2", "error"):
        async with recorded("queries").run_test(size=SIZE) as pilot:
            await settled(pilot)
            browse(pilot).filter.apply(text)
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        line = browse(pilot).bar.line
        await pilot.press("slash")
        assert offered(pilot)[:2] == ["error", "conn = 2"]
        await pilot.press("o", "up")
        assert line.value == "error"
        await pilot.press("up", "up")
        assert line.value == "conn = 2"
        await pilot.press("down", "down")
        assert line.value == "o"
        names = offered(pilot)
        await pilot.press("down", "tab")
        assert line.value == f"{names[1]} "
        await pilot.press("escape", "ctrl+f", "up")
        assert line.value == "", "a search has a history of its own"


async def test_the_line_closes_when_the_mouse_goes_on_elsewhere() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        for key in ("slash", "ctrl+f"):
            await pilot.press(key, "o")
            assert screen.bar.purpose is not None
            await pilot.click("#timeline", offset=(20, 25))
            await settled(pilot)
            assert screen.bar.purpose is None
            assert offered(pilot) == []
            assert focus(pilot) == "timeline"
            assert screen.filter.text == ""
        await pilot.press("slash", "o")
        pilot.app.post_message(AppBlur())
        await pilot.pause()
        pilot.app.post_message(AppFocus())
        await pilot.pause()
        assert screen.bar.purpose is not None, "it was the terminal that lost the focus"
        assert focus(pilot) == "writing-input"


async def test_offers_and_the_filter_in_force_can_be_clicked() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("conn = 2")
        await settled(pilot)
        await pilot.click("InForce.filter")
        assert focus(pilot) == "writing-input"
        await write(pilot, "stat")
        await pilot.click(BarOffers, offset=(3, 0))
        assert screen.bar.line.value == "state "


async def test_a_filter_with_a_mistake_from_elsewhere_can_be_mended() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("conn = two")
        await pilot.pause()
        assert focus(pilot) == "writing-input"
        assert screen.bar.line.value == "conn = two"
        assert screen.filter.text == ""
