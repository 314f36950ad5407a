"""Pictures of the other screens: statistics, payload, dialogs, tabs and the palette.

They are in snapshots/, like those of the main screen; `pytest --snapshot-update` takes them
again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix.protocol.types import UnkeyedValidPathInfo
from pix_inspect.repl.values import Answer
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.widgets.path_dialog import Offer, PathDialog
from pix_inspect.ui.widgets.writing import Pace, Writing
from tests.pix_inspect.ui.app.test_palette import shown_palette
from tests.pix_inspect.ui.screens.test_statistics import counted
from tests.pix_inspect.ui.test_gallery import LARGE, SMALL, WIDE, Compare, at
from tests.support.payloads import with_archive
from tests.support.places import RECORDINGS
from tests.support.recording import V38, growing
from tests.support.screens import browse, live, opened, recorded, settled

Run = Callable[[Pilot[Any]], Awaitable[None]]


def in_statistics(*keys: str) -> Run:
    async def run(pilot: Pilot[Any]) -> None:
        await counted(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await counted(pilot)

    return run


def in_payload(operation: str, *keys: str) -> Run:
    async def run(pilot: Pilot[Any]) -> None:
        await at(operation, "P", "tab", *keys)(pilot)
        while not browse(pilot).side.payload_pane.settled:
            await pilot.pause(0.01)
        await pilot.pause()

    return run


@pytest.mark.parametrize("size", [SMALL, WIDE, LARGE], ids=["80x24", "120x40", "200x60"])
def test_statistics(snap_compare: Compare, size: tuple[int, int]) -> None:
    run = in_statistics("j", "j")
    assert snap_compare(recorded("two-clients"), terminal_size=size, run_before=run)


def test_statistics_of_a_failure(snap_compare: Compare) -> None:
    run = in_statistics("s", "tab", "j", "tab", "tab", *["l"] * 6)
    assert snap_compare(recorded("build-failure"), terminal_size=WIDE, run_before=run)


def test_statistics_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run = in_statistics("j", "tab", "tab", "j")
    assert snap_compare(recorded("build-failure"), terminal_size=SMALL, run_before=run)


def test_statistics_light(snap_compare: Compare) -> None:
    app = recorded("two-clients")
    app.theme = "textual-light"
    assert snap_compare(app, terminal_size=WIDE, run_before=in_statistics("backslash"))


def test_payload(snap_compare: Compare) -> None:
    run = in_payload("AddToStore", *["j"] * 3)
    assert snap_compare(recorded("add-tree"), terminal_size=WIDE, run_before=run)


def test_payload_of_several_paths(snap_compare: Compare) -> None:
    run = in_payload("AddMultipleToStore", "j")
    assert snap_compare(recorded("copy"), terminal_size=SMALL, run_before=run)


def test_payload_that_was_not_kept(snap_compare: Compare, tmp_path: Path) -> None:
    app = opened(with_archive(tmp_path, keep=700))
    run = in_payload("AddToStoreNar", "j", "j")
    assert snap_compare(app, terminal_size=WIDE, run_before=run)


def test_no_payload(snap_compare: Compare) -> None:
    assert snap_compare(
        recorded("queries"), terminal_size=SMALL, run_before=in_payload("QueryPathInfo")
    )


def test_tabs(snap_compare: Compare) -> None:
    names = ["queries", "two-clients", "build-failure", "add-tree"]
    first, *others = (Session(RECORDINGS / f"{name}.pcapng") for name in names)

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("right_curly_bracket", "right_curly_bracket")
        await settled(pilot)

    app = Inspector(first, others=others)
    assert snap_compare(app, terminal_size=SMALL, run_before=run)


def asking(dialog: PathDialog, *keys: str) -> Run:
    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        pilot.app.push_screen(dialog)
        while not dialog.is_mounted or dialog.focused is None:
            await pilot.pause(0.01)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    return run


def test_opening(snap_compare: Compare) -> None:
    offers = [
        Offer("/home/me/.local/state/pix-inspect/recordings/live.pcapng", "● /tmp/pix.sock"),
        Offer("/home/me/.local/state/pix-inspect/recordings/run.pcapng", "2026-11-21 07:31"),
    ]
    dialog = PathDialog("Open a recording", "", lambda path, replace: None, offers=offers)
    run = asking(dialog, "down", "down")
    assert snap_compare(recorded("queries"), terminal_size=WIDE, run_before=run)


def test_saving_over_something(
    snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pix_inspect.ui.app.export import Export

    monkeypatch.chdir(tmp_path)
    for name in ("folder/x", "out.jsonl", "out.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    dialog = PathDialog(
        "Export 30 exchanges  (.txt or .jsonl)", "out.jsonl", Export.check, new=True,
        switch="blank secrets", switched=True,
    )  # fmt: skip
    run = asking(dialog, "enter")
    assert snap_compare(recorded("queries"), terminal_size=SMALL, run_before=run)


def test_writing(snap_compare: Compare) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        def write(pace: Pace) -> str:
            while True:
                pace.say("12,384 of 1,000,000")
                time.sleep(0.01)

        await settled(pilot)
        pilot.app.push_screen(Writing("writing all.jsonl", write))
        while not isinstance(pilot.app.screen, Writing) or not pilot.app.screen.query("#pace"):
            await pilot.pause(0.01)
        while "12,384" not in str(pilot.app.screen.query_one("#pace").render()):
            await pilot.pause(0.01)

    assert snap_compare(recorded("queries"), terminal_size=SMALL, run_before=run)


def test_palette(snap_compare: Compare) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("ctrl+p")
        await shown_palette(pilot, "copy")

    assert snap_compare(recorded("queries"), terminal_size=WIDE, run_before=run)


HELLO = "/nix/store/4jr55fcx6w1f3k4jgh3vlr5klsj6h3k9-hello-2.12.1"
GLIBC = "/nix/store/7jwvyc19h96iwm7ad9kqkbq4xz1fvnj3-glibc-2.39-52"


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x40"])
def test_repl(snap_compare: Compare, tmp_path: Path, size: tuple[int, int]) -> None:
    made = growing(tmp_path / "r.pcapng", upstream="/nix/var/nix/daemon-socket/socket")
    talk = made.connect(peer={"pid": 4211, "command": "nix build nixpkgs#hello"})
    for path in (HELLO, GLIBC):
        valid = ops.IsValidPath.Reply(valid=True)
        talk.trip(ops.IsValidPath(path=path), StderrLast(), valid)
    made.save()
    own = made.connect(peer={"pid": 4300, "command": "pix-inspect repl"})
    request = ops.QueryPathInfo(path=HELLO)
    info = UnkeyedValidPathInfo(
        deriver=None, nar_hash="0f3a" * 16, references=frozenset({HELLO, GLIBC}),
        registration_time=1714000000, nar_size=226_560, ultimate=False,
        sigs=frozenset({"cache.nixos.org-1:bWFkZSBmb3IgYSBwaWN0dXJlLCBub3QgYnkgYSBjYWNoZQ=="}),
        ca=None,
    )  # fmt: skip
    reply = ops.QueryPathInfo.Reply(info=info)

    def answered(line: str) -> Answer:
        """What the relay would have recorded and the daemon said, at times of our own."""
        own.trip(request, StderrLast(), reply).save()
        return Answer("QueryPathInfo", V38, request, reply, took=0.000385)

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("colon")
        while (pane := browse(pilot).repl.pane) is None or not pane.line.has_focus:
            await pilot.pause(0.01)
        pane.talk.session.run = answered  # type: ignore[method-assign]
        pane.put_line(f'QueryPathInfo(path="{HELLO}")')
        await pilot.press("enter")
        while pane.talk.busy or len(browse(pilot).session) < 5:
            await pilot.pause(0.01)
        pane.put_line(f'QueryMissing(paths=["{HELLO}"]')
        await settled(pilot)
        await settled(pilot)

    assert snap_compare(live(made), terminal_size=size, run_before=run)


def test_help_of_the_statistics(snap_compare: Compare) -> None:
    run = in_statistics_help
    assert snap_compare(recorded("queries"), terminal_size=(100, 50), run_before=run)


async def in_statistics_help(pilot: Pilot[Any]) -> None:
    await counted(pilot)
    await pilot.press("question_mark")
    await pilot.pause()
    await pilot.pause()
