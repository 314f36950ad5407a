"""The REPL's pane: through the relay into the timeline, with completion, history, interrupts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix_inspect.base.line_history import LineHistory
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.asking import SOMEWHERE, nowhere
from pix_inspect.ui.repl.repl_pane import ReplPane
from pix_store import EmbeddedDaemon
from tests.support.recording import growing
from tests.support.screens import Relay, browse, focus, recorded, settled

SIZE = (110, 36)
WAIT = 60.0


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Inspector]:
    """The screen over what a relay records, before an embedded daemon."""
    with EmbeddedDaemon(tmp_path / "daemon") as daemon:
        own = OwnRelay(tmp_path / "r.pcapng", always=True)
        socket = own.through(daemon.path)
        yield Inspector(Session(tmp_path / "r.pcapng"), Relay(str(socket)))
        own.close()


def pane(pilot: Pilot[Any]) -> ReplPane:
    found = browse(pilot).repl.pane
    assert found is not None
    return found


def said(pilot: Pilot[Any]) -> str:
    return "\n".join(text for text, _ in pane(pilot).output._said)


async def until(pilot: Pilot[Any], text: str) -> str:
    end = time.monotonic() + WAIT
    while text not in said(pilot) or pane(pilot).talk.busy:
        assert time.monotonic() < end, said(pilot)
        await pilot.pause(0.01)
    return said(pilot)


async def write(pilot: Pilot[Any], text: str) -> None:
    """Write at the cursor; a newline at the end is the enter key."""
    pane(pilot).line.insert_text_at_cursor(text.removesuffix("\n"))
    await pilot.pause()
    if text.endswith("\n"):
        await pilot.press("enter")


async def opened(pilot: Pilot[Any]) -> None:
    await pilot.press("colon")
    for _ in range(3000):
        await pilot.pause(0.01)
        if focus(pilot) == "repl-line":
            return
    raise AssertionError(focus(pilot))


async def test_what_is_sent_appears_in_the_timeline(app: Inspector) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await write(pilot, 'a = AddToStore(name="a", method="text:sha256", dump=b"hi")\n')
        await until(pilot, "protocol 1.38")
        await write(pilot, "IsValidPath(path=a.reply.path)\n")
        await until(pilot, "IsValidPath: done")
        await pilot.press("escape")
        assert focus(pilot) == "timeline"
        while len(browse(pilot).session) < 3:
            await pilot.pause(0.01)
        (row,) = browse(pilot).session.connections.values()
        assert row.peer.command == "pix-inspect repl"
        await settled(pilot)
        await pilot.press("G", "r")
        await pilot.pause(0.1)
        while not pane(pilot).line.value:
            await pilot.pause(0.01)
        assert pane(pilot).line.value.startswith('IsValidPath(path="/nix/store/')
        assert focus(pilot) == "repl-line"
        await pilot.press("enter")
        while said(pilot).count("IsValidPath: done") < 2:
            await pilot.pause(0.01)


async def test_completion_history_and_mistakes(app: Inspector) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await write(pilot, "QueryAllV")
        await pilot.press("tab")
        assert pane(pilot).line.value == "QueryAllValidPaths("
        await write(pilot, "5)\n")
        await until(pilot, "fields are named")
        await pilot.press("up")
        assert pane(pilot).line.value == "QueryAllValidPaths(5)"
        await pilot.press("down")
        assert pane(pilot).line.value == ""
        await write(pilot, "Query")
        await pilot.press("tab")
        assert pane(pilot).ways.option_count > 10
        await pilot.press("down", "escape")
        assert pane(pilot).ways.option_count == 0
        await write(pilot, "Deriver")
        await pilot.press("tab", "ctrl+c")
        assert pane(pilot).line.value == ""
        assert LineHistory("history").lines == ["QueryAllValidPaths(5)"]
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert not browse(pilot).has_class("-repl")


async def test_a_wait_is_interrupted_and_the_screen_goes_on(app: Inspector) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await write(pilot, "raw(u64(26), wait=1000)\n")
        while pane(pilot).talk.session._hang_up is None or len(browse(pilot).session) < 2:
            await pilot.pause(0.01)
        await write(pilot, "1 + 1\n")
        assert "still at the line before" in said(pilot)
        await pilot.press("ctrl+c")
        await until(pilot, "interrupted")
        await pilot.press("ctrl+c")
        await write(pilot, "QueryAllValidPaths()\n")
        await until(pilot, "QueryAllValidPaths: done")


async def test_deleting_is_asked_about(app: Inspector) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await write(pilot, 'CollectGarbage(action="DeleteDead")\n')
        while not pane(pilot).talk.asks:
            await pilot.pause(0.01)
        await write(pilot, "no\n")
        await until(pilot, "not sent")


async def test_a_recording_without_a_daemon_says_how_to_give_one(tmp_path: Path) -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await opened(pilot)
        await write(pilot, "QueryAllValidPaths()\n")
        await until(pilot, 'no daemon: connect("/nix/var/nix/daemon-socket/socket") gives one')
        await write(pilot, "help(raw)\n")
        await until(pilot, "send bytes on a connection of their own")
        with EmbeddedDaemon(tmp_path / "daemon") as daemon:
            await write(pilot, f'connect("{daemon.path}")\n')
            await until(pilot, "protocol 1.38")
            assert "what is sent is recorded in" in said(pilot)
            await write(pilot, "close()\n")
            await until(pilot, ">>> close()")


@pytest.mark.parametrize(
    "upstream",
    ["ssh-ng://there", '/a") + ("', "/a\x1b[2J", "/a\n", "relative", 7, None, "/" + "a" * 300],
)
def test_a_strange_path_is_not_offered(tmp_path: Path, upstream: object) -> None:
    session = Session(growing(tmp_path / "r.pcapng", upstream=upstream).path).read_all()
    assert nowhere(session).startswith(f'this recording has no daemon: connect("{SOMEWHERE}")')


async def test_hostile_text_is_shown_and_long_answers_begin_at_the_top(app: Inspector) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        pane(pilot).put_line('raw("\\x1b[2J[bold]", wait=0.1)')
        await pilot.press("enter")
        await until(pilot, "sent ")
        pane(pilot).put_line("help(AddToStoreNar)")
        await pilot.press("enter")
        await until(pilot, "AddToStoreNar (operation)")
        assert "\x1b" not in said(pilot)
        await pilot.pause()
        shown = pane(pilot).output
        top = shown.render_line(0).text
        assert top.startswith(">>> help(AddToStoreNar)")
        before = shown.scroll_target_y
        await pilot.press("pagedown")
        assert shown.scroll_target_y > before
        height = pane(pilot).outer_size.height
        await pilot.press("ctrl+up")
        await pilot.pause()
        assert pane(pilot).outer_size.height in (height + 1, height + 2)
        await pilot.press("f11")
        await pilot.pause()
        assert not browse(pilot).query_one("#body").display
        await pilot.press("escape")
        await pilot.pause()
        assert browse(pilot).query_one("#body").display


async def test_paths_of_the_timeline_are_completed() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await opened(pilot)
        await write(pilot, 'QueryPathInfo("git')
        await pilot.press("tab", "tab")
        written = pane(pilot).line.value
        assert re.fullmatch(r'QueryPathInfo\("/nix/store/[0-9a-z]{32}-git-2.44.1(.drv)?"', written)
