"""The screen of two recordings: what differs, and the ways from it to either of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.compare.sessions import compare_sessions
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.screens import comparison
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.screens.recordings import RecordingsScreen
from pix_inspect.ui.widgets.path_dialog import PathDialog
from tests.pix_inspect.ui.test_gallery import WIDE, Compare
from tests.pix_inspect.ui.test_hostile import check, session_of
from tests.support.hostile import HOSTILE
from tests.support.places import RECORDINGS
from tests.support.recording import growing
from tests.support.screens import browse, lines_of, settled

STORE = "/nix/store/00000000000000000000000000000000-"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"  # type: ignore[return-value]


def played(path: Path, *asked: tuple[str, bool]) -> Session:
    """A recording in which the client asks whether paths are valid."""
    made = growing(path)
    talk = made.connect()
    for name, valid in asked:
        reply = ops.IsValidPath.Reply(valid=valid)
        talk.trip(ops.IsValidPath(path=STORE + name), StderrLast(), reply)
    talk.close().save()
    return Session(path)


def pair(folder: Path) -> list[Session]:
    """Two recordings that differ in each way there is but speed."""
    first = [("both", True), ("changed", True), ("often", True), *[("one", True)] * 3]
    second = [("both", True), ("changed", False), *[("often", True)] * 3, ("two", True)]
    return [played(folder / "one.pcapng", *first), played(folder / "two.pcapng", *second)]


async def until(pilot: Pilot[Any], what: str, holds: Callable[[], object]) -> None:
    for _ in range(1500):
        if holds():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError(what)


async def compared(pilot: Pilot[Any]) -> RecordingsScreen:
    """Wait until the differences stand there."""
    app = pilot.app
    await until(pilot, "no screen came", lambda: isinstance(app.screen, RecordingsScreen))
    screen = app.screen
    assert isinstance(screen, RecordingsScreen)
    await until(pilot, "the comparison did not end", lambda: screen.settled)
    return screen


async def asked_for(pilot: Pilot[Any]) -> PathDialog:
    app = pilot.app
    await until(
        pilot,
        "no dialog came",
        lambda: isinstance(app.screen, PathDialog) and app.screen.focused is not None,
    )
    assert isinstance(app.screen, PathDialog)
    return app.screen


def on_screen(pilot: Pilot[Any]) -> str:
    return browse(pilot).session.path.stem


async def test_the_largest_difference_is_first_and_each_is_told(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    app = Inspector(first, others=[second])
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        screen = await compared(pilot)
        assert [(row.kind, len(row.first), len(row.second)) for row in screen.list.rows] == [
            ("only first", 3, 0),
            ("more often", 1, 3),
            ("answered otherwise", 1, 1),
            ("only second", 0, 1),
        ]
        title = str(screen.list.border_title)
        for said in ("1 only in A", "1 only in B", "1 answered otherwise", "1 more often"):
            assert said in title
        assert "2 the same" in title  # the handshake, and `both`
        await pilot.press("j", "j")
        await pilot.pause()
        told = "\n".join(lines_of(screen.detail))
        assert "A #3 and B #3 differ" in told
        assert "reply.valid: true → false" in told
        await pilot.press("y")
        await until(pilot, "nothing was copied", lambda: "A #3" in app.clipboard)


async def test_the_way_to_what_only_the_other_has(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    async with Inspector(first, others=[second]).run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        await compared(pilot)
        await pilot.press("G", "enter")
        await until(pilot, "the other tab", lambda: on_screen(pilot) == "two")
        await until(pilot, "the exchange", lambda: browse(pilot).timeline.chosen == 6)


async def test_both_exchanges_are_compared_where_both_have_it(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    app = Inspector(first, others=[second])
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        screen = await compared(pilot)
        await pilot.press("j", "j", "enter")
        await until(pilot, "the fields", lambda: isinstance(app.screen, DifferencesScreen))
        shown = app.screen
        assert isinstance(shown, DifferencesScreen)
        await until(pilot, "the change", lambda: shown.list.rows)
        assert [change.path for change in shown.list.rows] == ["reply.valid"]
        await pilot.press("escape")
        await until(pilot, "the way back", lambda: app.screen is screen)
        await pilot.press("b")
        await until(pilot, "the other tab", lambda: on_screen(pilot) == "two")
        await until(pilot, "the exchange", lambda: browse(pilot).timeline.chosen == 2)


async def test_a_side_that_never_did_it_cannot_be_gone_to(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    app = Inspector(first, others=[second])
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        screen = await compared(pilot)
        await pilot.press("b")
        await until(pilot, "a word", lambda: list(app._notifications))
        assert app.screen is screen


async def test_an_operation_as_a_filter(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    async with Inspector(first, others=[second]).run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        await compared(pilot)
        await pilot.press("f")
        await until(pilot, "the filter", lambda: browse(pilot).filter.text == "op = IsValidPath")
        assert on_screen(pilot) == "one"


async def test_the_other_recording_is_asked_for_when_one_is_open(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    second.close()
    app = Inspector(first)
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        dialog = await asked_for(pilot)
        line = dialog.query_one(Input)
        line.value = str(first.path)
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is dialog  # it cannot be compared with itself
        line.value = str(tmp_path / "two.pcapng")
        await pilot.press("enter")
        screen = await compared(pilot)
        assert len(screen.list.rows) == 4
        assert [tab.title for tab in app.tabs] == ["one", "two"]
        await pilot.press("escape")
        await until(pilot, "the way back", lambda: app.screen is browse(pilot))
        assert on_screen(pilot) == "one"


async def test_a_third_recording_makes_it_a_choice(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    third = played(tmp_path / "three.pcapng", ("both", True))
    app = Inspector(first, others=[second, third])
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        await asked_for(pilot)
        await pilot.press("down", "down", "enter")
        screen = await compared(pilot)
        assert [tab.title for tab in screen.tabs] == ["one", "three"]


async def test_escape_stops_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = pair(tmp_path)
    entered, release = threading.Event(), threading.Event()
    real = compare_sessions

    def slow(*args: Any) -> Any:
        entered.set()
        release.wait(60)
        return real(*args)

    monkeypatch.setattr(comparison, "compare_sessions", slow)
    app = Inspector(first, others=[second])
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        await until(pilot, "it began", entered.is_set)
        screen = app.screen
        assert isinstance(screen, RecordingsScreen)
        await until(pilot, "progress", lambda: "esc stops" in "\n".join(lines_of(screen.list)))
        await pilot.press("escape")
        await until(pilot, "the way back", lambda: app.screen is browse(pilot))
        release.set()
        await until(pilot, "the thread's end", lambda: not screen.comparison.running)
        assert screen.found is None
        assert screen.comparison.sessions == ()


async def test_recordings_without_difference_and_one_that_is_gone(tmp_path: Path) -> None:
    first, second = (played(tmp_path / f"{name}.pcapng", ("both", True)) for name in ("one", "two"))
    app = Inspector(first, others=[second])
    async with app.run_test(size=WIDE) as pilot:
        await settled(pilot)
        await pilot.press("C")
        screen = await compared(pilot)
        assert "No difference" in "\n".join(lines_of(screen.list))
        await pilot.press("enter", "f", "a", "y", "escape")
        await until(pilot, "the way back", lambda: app.screen is browse(pilot))
        second.path.unlink()
        await pilot.press("C")
        screen = await compared(pilot)
        assert screen.found is None
        assert str(second.path.name) in "\n".join(lines_of(screen.list))


async def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    one = session_of(tmp_path / "[bold]\x1b[31mone.pcapng", HOSTILE[::2])
    two = session_of(tmp_path / "two\u202e.pcapng", HOSTILE[1::2])
    app = Inspector(Session(one.path), others=[Session(two.path)])
    async with app.run_test(size=(120, 60)) as pilot:
        await settled(pilot)
        await pilot.press("C")
        screen = await compared(pilot)
        assert screen.list.count > len(HOSTILE)
        check(pilot)
        for line in range(0, screen.list.count, 9):
            screen.list.move_to(line)
            await pilot.pause()
            check(pilot)


def test_picture(snap_compare: Compare) -> None:
    first, second = (Session(RECORDINGS / f"{name}.pcapng") for name in ("queries", "lookups"))

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("C")
        await compared(pilot)
        await pilot.press("j")
        await pilot.pause()

    app = Inspector(first, others=[second])
    assert snap_compare(app, terminal_size=WIDE, run_before=run)
