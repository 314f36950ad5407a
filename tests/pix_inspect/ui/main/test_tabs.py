"""Several recordings: opened, gone to and closed, each as it was left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix_inspect.machine.running_relays import registered
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.tabs import TabBar, at_hand, is_recording
from pix_inspect.ui.widgets.path_dialog import PathDialog
from tests.support.places import RECORDINGS
from tests.support.recording import growing
from tests.support.screens import Relay, browse, live, recorded, settled

SIZE = (120, 40)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"  # type: ignore[return-value]


def several(*names: str) -> Inspector:
    first, *others = (Session(RECORDINGS / f"{name}.pcapng") for name in names)
    return Inspector(first, others=others)


def on_screen(pilot: Pilot[Any]) -> str:
    return browse(pilot).session.path.stem


async def dialog_of(pilot: Pilot[Any]) -> PathDialog:
    for _ in range(3000):
        await pilot.pause(0.01)
        screen = pilot.app.screen
        if isinstance(screen, PathDialog) and screen.is_mounted and screen.focused is not None:
            return screen
    raise AssertionError("no dialog came")


async def test_each_recording_keeps_its_state() -> None:
    app = several("queries", "two-clients", "add-tree")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert [tab.title for tab in app.tabs] == ["queries", "two-clients", "add-tree"]
        await pilot.press("j", "j", "tab", "L")
        await settled(pilot)
        cursor = browse(pilot).timeline.lines.cursor
        await pilot.press("right_curly_bracket")
        await settled(pilot)
        assert on_screen(pilot) == "two-clients"
        assert app.recordings.session is browse(pilot).session
        assert browse(pilot).timeline.lines.cursor == 0
        assert not browse(pilot).has_class("-logging")
        await pilot.press("left_curly_bracket")
        await settled(pilot)
        assert on_screen(pilot) == "queries"
        assert browse(pilot).timeline.lines.cursor == cursor == 2
        assert browse(pilot).has_class("-logging")
        await pilot.press("ctrl+pageup")
        await settled(pilot)
        assert on_screen(pilot) == "add-tree"
        await pilot.press("ctrl+pagedown")
        assert on_screen(pilot) == "queries"


async def test_a_recording_is_opened_from_the_screen(tmp_path: Path) -> None:
    app = recorded("queries")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert not browse(pilot).query_one(TabBar).display
        await pilot.press("ctrl+o")
        dialog = await dialog_of(pilot)
        dialog.line.value = str(RECORDINGS / "add-tree.pcapng")
        await pilot.press("enter")
        await settled(pilot)
        assert on_screen(pilot) == "add-tree"
        bar = browse(pilot).query_one(TabBar)
        assert bar.display
        assert " 1 queries × │ 2 add-tree × " in bar.render_line(0).text
        await pilot.press("ctrl+o")
        (await dialog_of(pilot)).line.value = str(RECORDINGS / "queries.pcapng")
        await pilot.press("enter")
        await settled(pilot)
        assert on_screen(pilot) == "queries", "it was open"
        assert len(app.tabs) == 2


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"no recording at all" * 9, "pcapng")]
)
async def test_what_is_no_recording_is_said_in_the_dialog(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "x.pcapng"
    if content is not None:
        path.write_bytes(content)
    async with recorded("queries").run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+o")
        dialog = await dialog_of(pilot)
        dialog.line.value = str(path)
        await pilot.press("enter")
        await pilot.pause()
        assert why in str(dialog.query_one("#path-trouble").render())
        await pilot.press("escape")
        await settled(pilot)


async def test_running_relays_and_recent_recordings_are_offered(
    tmp_path: Path, state: Path
) -> None:
    kept = state / "pix-inspect/recordings"
    kept.mkdir(parents=True)
    growing(kept / "2026-11-21-live-1.pcapng")
    made = growing(tmp_path / "made.pcapng")
    near = growing(tmp_path / "near.pcapng")
    with registered(Path("/run/pix.sock"), "/nix/socket", made.path):
        assert [Path(offer.path).name for offer in at_hand(near.path)] == [
            "made.pcapng",
            "2026-11-21-live-1.pcapng",
        ]
        offers = at_hand(tmp_path / "shown.pcapng")
        assert [Path(offer.path).name for offer in offers] == [
            "made.pcapng",
            "2026-11-21-live-1.pcapng",
            "near.pcapng",
        ]
        assert offers[0].said == "● /run/pix.sock"
        async with recorded("queries").run_test(size=SIZE) as pilot:
            await settled(pilot)
            await pilot.press("ctrl+o")
            dialog = await dialog_of(pilot)
            assert [offer.path for offer in dialog.offered[:2]] == [o.path for o in offers[:2]]
            assert any(offer.path.endswith("/copy.pcapng") for offer in dialog.offered)
            await pilot.press("down", "enter")
            await settled(pilot)
            assert on_screen(pilot) == "made"


async def test_tabs_are_closed_by_key_and_by_mouse() -> None:
    app = several("queries", "two-clients", "add-tree")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+w")
        await settled(pilot)
        assert on_screen(pilot) == "two-clients"
        bar = browse(pilot).query_one(TabBar)
        text = bar.render_line(0).text
        assert "queries" not in text
        await pilot.click(TabBar, offset=(text.index("add-tree"), 0))
        await settled(pilot)
        assert on_screen(pilot) == "add-tree"
        await pilot.click(TabBar, offset=(text.index("×"), 0))
        await settled(pilot)
        assert [tab.title for tab in app.tabs] == ["add-tree"]
        assert on_screen(pilot) == "add-tree"
        assert not browse(pilot).query_one(TabBar).display
        await pilot.press("right_curly_bracket")
        await pilot.press("ctrl+w")
        await pilot.pause()
    assert app.return_value == "stop"


async def test_the_recording_that_is_being_made_for_the_screen_is_not_closed(
    tmp_path: Path,
) -> None:
    made = growing(tmp_path / "r.pcapng")
    app = live(made, Relay())
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        app.recordings.go_to(app.recordings.open(RECORDINGS / "queries.pcapng"))
        await settled(pilot)
        assert on_screen(pilot) == "queries"
        assert "●" in browse(pilot).query_one(TabBar).render_line(0).text
        await pilot.press("left_curly_bracket", "ctrl+w")
        await settled(pilot)
        assert len(app.tabs) == 2
        await pilot.press("right_curly_bracket", "ctrl+w")
        await settled(pilot)
        assert len(app.tabs) == 1


async def test_many_tabs_leave_the_current_one_in_sight() -> None:
    names = [
        "queries",
        "two-clients",
        "add-tree",
        "copy",
        "build-failure",
        "old-client",
        "untrusted",
    ]
    app = several(*names)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for name in names:
            text = browse(pilot).query_one(TabBar).render_line(0).text
            assert name in text
            assert len(text) == 80
            await pilot.press("right_curly_bracket")
            await pilot.pause()


def test_recordings_are_known_by_their_names() -> None:
    assert is_recording("x.pcapng")
    assert is_recording("x.pcapng.zst")
    assert not is_recording("x.txt")
