"""What the screen looks like: every pane and state, in three sizes, light, dark and without colour.

The pictures are in snapshots/; the README shows some of them. `pytest --snapshot-update` takes
them again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast, StderrNext
from pix.protocol.types import OF_VENDORS
from pix_inspect.ui.app.app import SIXTEEN, Inspector
from pix_inspect.ui.app.leaving import Leaving
from pix_inspect.ui.main.status import Banner
from tests.support import vendors
from tests.support.playbook import said
from tests.support.recording import V38, Connection, Recording, growing
from tests.support.screens import Relay, after, browse, live, opened, recorded, settled
from tests.support.vendors import declared
from tests.support.words import PATH

Compare = Callable[..., bool]

WIDE = (120, 40)
SMALL = (80, 24)
LARGE = (200, 60)


def at(operation: str, *keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Go to the first exchange of an operation that failed, or else to the first, then keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        screen = browse(pilot)
        rows = [screen.session.row(i) for i in range(len(screen.session))]
        found = [row for row in rows if row.operation == operation]
        failed = [row for row in found if row.state == "error"]
        screen.timeline.lines.move_to((failed or found)[0].number - 1)
        await settled(pilot)
        await after(*keys)(pilot)

    return run


def small_session(path: Path, queries: int = 3, **about: Any) -> tuple[Recording, Connection]:
    made = growing(path, **{"upstream": "/nix/var/nix/daemon-socket/socket", **about})
    talk = made.connect()
    for number in range(queries):
        asked = ops.IsValidPath(path=f"{PATH}-{number}")
        talk.trip(asked, StderrLast(), ops.IsValidPath.Reply(valid=number % 2 == 0))
    talk.save()
    return made, talk


def test_readme(snap_compare: Compare) -> None:
    keys = ("tab", *["j"] * 7, "e")
    assert snap_compare(
        recorded("build-with-log"), terminal_size=(132, 40), run_before=at("QueryPathInfo", *keys)
    )


@pytest.mark.parametrize("size", [SMALL, WIDE, LARGE], ids=["80x24", "120x40", "200x60"])
def test_sizes(snap_compare: Compare, size: tuple[int, int]) -> None:
    run = at("BuildPaths", "tab", "j", "j")
    assert snap_compare(recorded("two-clients"), terminal_size=size, run_before=run)


def test_error(snap_compare: Compare) -> None:
    run = at("BuildPaths", "tab", "G", "k", "k", "k", "e")
    assert snap_compare(recorded("build-failure"), terminal_size=WIDE, run_before=run)


def test_light(snap_compare: Compare) -> None:
    app = recorded("queries")
    app.theme = "textual-light"
    run = at("QueryPathInfo", "tab", "j", "j", "e")
    assert snap_compare(app, terminal_size=WIDE, run_before=run)


def test_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("textual.constants.DEFAULT_THEME", "ansi-dark")
    app = recorded("build-failure")
    assert app.theme == "textual-dark", "ansi themes are black on black without colour"
    run = at("BuildPaths", "tab", "j", "j")
    assert snap_compare(app, terminal_size=WIDE, run_before=run)


def test_sixteen_colours(snap_compare: Compare) -> None:
    app = recorded("build-failure")
    app.register_theme(SIXTEEN)
    app.theme = SIXTEEN.name
    run = at("BuildPaths", "tab", "j", "j")
    assert snap_compare(app, terminal_size=WIDE, run_before=run)


def test_log_frames(snap_compare: Compare) -> None:
    run = at("BuildPaths", "tab", "j", "j", "j", "j", "j", "enter", "j", "j", "enter")
    assert snap_compare(recorded("build-with-log"), terminal_size=WIDE, run_before=run)


def test_log(snap_compare: Compare) -> None:
    run = at("BuildPaths", "L", "tab", *["j"] * 8)
    assert snap_compare(recorded("build-with-log"), terminal_size=WIDE, run_before=run)


def test_log_of_a_failure(snap_compare: Compare) -> None:
    run = at("BuildPaths", "L", "tab")
    assert snap_compare(recorded("build-failure"), terminal_size=SMALL, run_before=run)


def test_bytes(snap_compare: Compare) -> None:
    run = at("AddToStore", "tab", "tab", *["j"] * 12, "l", "l", "backslash")
    assert snap_compare(recorded("add-tree"), terminal_size=WIDE, run_before=run)


def test_handshake(snap_compare: Compare) -> None:
    run = after("tab", "G", "e")
    assert snap_compare(recorded("old-client"), terminal_size=WIDE, run_before=run)


def test_waterfall(snap_compare: Compare) -> None:
    run = after("G", "backslash")
    assert snap_compare(recorded("two-clients"), terminal_size=(160, 36), run_before=run)


def test_help(snap_compare: Compare) -> None:
    run = after("question_mark")
    assert snap_compare(recorded("queries"), terminal_size=(100, 60), run_before=run)


def test_operation_of_a_vendor(snap_compare: Compare, tmp_path: Path) -> None:
    with declared():
        made = growing(tmp_path / "r.pcapng", upstream="/nix/var/nix/daemon-socket/socket")
        shades = Protocol(38, frozenset(["example-shades"]))
        talk = made.connect(shades)
        leaf = OF_VENDORS["Leaf"].kind(colour=7, weight=3, shade=5)  # type: ignore[attr-defined]
        talk.trip(vendors.request("QueryColour", path=PATH), StderrLast())
        talk << vendors.reply("QueryColour", colour=1)
        talk.trip(vendors.request("QueryLeaf", path=PATH, hint=leaf), StderrNext(text="looking\n"))
        talk << StderrLast() << vendors.reply("QueryLeaf", leaf=leaf, fallen=1_700_000_000)
        talk.trip(vendors.request("Paint", path=PATH, labels=("a",)), StderrLast())
        talk << vendors.reply("Paint")
        talk.save()
        run = at("QueryLeaf", "tab", *["j"] * 8, "e")
        assert snap_compare(opened(tmp_path / "r.pcapng"), terminal_size=WIDE, run_before=run)


def test_nobody_yet(snap_compare: Compare, tmp_path: Path) -> None:
    app = live(growing(tmp_path / "r.pcapng", upstream="/nix/var/nix/daemon-socket/socket"))
    assert snap_compare(app, terminal_size=SMALL, run_before=after())


def test_nobody_at_all(snap_compare: Compare, tmp_path: Path) -> None:
    app = opened(growing(tmp_path / "r.pcapng").path)
    assert snap_compare(app, terminal_size=SMALL, run_before=after())


def test_live(snap_compare: Compare, tmp_path: Path) -> None:
    made, talk = small_session(tmp_path / "r.pcapng", 12)
    frame = StderrNext(text="building…\n")
    talk.trip(ops.BuildPaths(paths=(f"{PATH}.drv!out",), mode=0), frame, frame).save()

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("k", "k", "k")
        other = made.connect()
        other.trip(ops.SyncWithGC()).save()
        await settled(pilot)
        banner = pilot.app.screen.query_one(Banner)
        while not banner.said:  # it is looked for once a second
            await pilot.pause(0.05)
        await settled(pilot)

    assert snap_compare(live(made), terminal_size=WIDE, run_before=run)


def test_leaving(snap_compare: Compare, tmp_path: Path) -> None:
    made, _ = small_session(tmp_path / "r.pcapng")

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Leaving)

    assert snap_compare(live(made), terminal_size=SMALL, run_before=run)


def test_trouble(snap_compare: Compare, tmp_path: Path) -> None:
    made, _ = small_session(tmp_path / "r.pcapng")
    relay = Relay()
    relay.words = ["connection 3: /nix/var/nix/daemon-socket/socket: connection refused"]
    relay.running = False
    assert snap_compare(live(made, relay), terminal_size=SMALL, run_before=after())


def test_elided(snap_compare: Compare, tmp_path: Path) -> None:
    made, talk = small_session(tmp_path / "r.pcapng", 1)
    size = 5_000_000
    request = ops.AddToStoreNar(
        path=PATH, deriver=None, nar_hash="0" * 64, references=frozenset(), registration_time=0,
        nar_size=size, ultimate=False, sigs=frozenset(), ca="", repair=False,
        dont_check_sigs=False, nar=b"",
    )  # fmt: skip
    talk.trip(said(request, V38)[:-8])  # without the frame that ends the payload
    talk >> (size.to_bytes(8, "little") + b"\r\0\0\0\0\0\0\0nix-archive-1\0\0\0")
    talk.wait(0.1).chunk(CLIENT, b"(" * 20, size - 24)
    talk >> bytes(8)
    talk.say(DAEMON, StderrLast()).save()
    run = at("AddToStoreNar", "tab", "G")
    assert snap_compare(opened(made.path), terminal_size=WIDE, run_before=run)


def test_not_understood(snap_compare: Compare, tmp_path: Path) -> None:
    made, talk = small_session(tmp_path / "r.pcapng", 1)
    talk.trip((7777).to_bytes(8, "little") + b"no operation has this number")
    talk << b"?" * 16
    talk.close().save()
    assert snap_compare(opened(made.path), terminal_size=WIDE, run_before=after("G", "tab"))


@pytest.mark.parametrize("size", [SMALL, WIDE, LARGE], ids=["80x24", "120x40", "200x60"])
def test_filter_being_written(snap_compare: Compare, size: tuple[int, int]) -> None:
    run = after("slash", *"op=query")
    assert snap_compare(recorded("two-clients"), terminal_size=size, run_before=run)


def in_force(filter_text: str, *keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Come to rest under a filter, then keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        browse(pilot).filter.apply(filter_text)
        await settled(pilot)
        await after(*keys)(pilot)

    return run


def test_filter_with_a_mistake(snap_compare: Compare) -> None:
    run = in_force("conn = 2", "slash", *"and request.pth~x", "enter")
    assert snap_compare(recorded("two-clients"), terminal_size=WIDE, run_before=run)


@pytest.mark.parametrize("size", [SMALL, WIDE, LARGE], ids=["80x24", "120x40", "200x60"])
def test_filtered(snap_compare: Compare, size: tuple[int, int]) -> None:
    run = in_force("op ~ query and took > 0.1ms", "j")
    assert snap_compare(recorded("two-clients"), terminal_size=size, run_before=run)


def test_nothing_passes_the_filter(snap_compare: Compare) -> None:
    run = in_force("error")
    assert snap_compare(recorded("two-clients"), terminal_size=WIDE, run_before=run)


def test_search_hit(snap_compare: Compare) -> None:
    run = after("ctrl+f", *"left-1", "enter", "n", "n")
    assert snap_compare(recorded("two-clients"), terminal_size=WIDE, run_before=run)


def test_sorted_by_duration(snap_compare: Compare) -> None:
    assert snap_compare(recorded("two-clients"), terminal_size=WIDE, run_before=after("s", "j"))


@pytest.mark.parametrize("size", [SMALL, WIDE, LARGE], ids=["80x24", "120x40", "200x60"])
def test_grouped_by_connection(snap_compare: Compare, size: tuple[int, int]) -> None:
    run = after("b", "g", "h", "j", "j")
    assert snap_compare(recorded("two-clients"), terminal_size=size, run_before=run)


def test_absent_fields(snap_compare: Compare) -> None:
    run = after("tab", "a", "j", "j")
    assert snap_compare(recorded("import-over-1-21"), terminal_size=WIDE, run_before=run)


def test_columns(snap_compare: Compare) -> None:
    run = after("m", "j", "M", *"seen twice", "enter", "c", "j")
    assert snap_compare(recorded("two-clients"), terminal_size=WIDE, run_before=run)


def test_a_thousand_exchanges(snap_compare: Compare, tmp_path: Path) -> None:
    made, _ = small_session(tmp_path / "r.pcapng", 1000)
    app: Inspector = opened(made.path)
    assert snap_compare(app, terminal_size=WIDE, run_before=after("G", "k", "k"))
