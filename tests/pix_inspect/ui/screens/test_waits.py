"""The screen of waits, and the banner that tells of a silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix.conversation.exchange import CLIENT
from pix.protocol import operations as ops
from pix_inspect.machine.doings import Deed, Doing
from pix_inspect.machine.process_tree import Relative, Tree
from pix_inspect.machine.processes import Process
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.status import Banner
from pix_inspect.ui.screens.waits import WaitingScreen
from pix_inspect.waits.waits import Here, Listener, Wait
from tests.pix_inspect.waits.test_waits import cut
from tests.support.recording import growing
from tests.support.screens import browse, lines_of, live, opened, recorded, settled
from tests.support.words import PATH

SIZE = (120, 40)


async def shown(pilot: Pilot[Any]) -> WaitingScreen:
    """Open the screen of waits."""
    await settled(pilot)
    await pilot.press("H")
    for _ in range(1500):
        await pilot.pause(0.02)
        screen = pilot.app.screen
        if isinstance(screen, WaitingScreen) and screen.is_mounted and screen.told_at >= 0:
            await pilot.pause()
            return screen
    raise AssertionError("the screen of waits did not come")


async def test_waits_are_listed_told_and_led_to(tmp_path: Path) -> None:
    path = cut("two-clients", 0.3, tmp_path).path
    async with opened(path).run_test(size=SIZE) as pilot:
        screen = await shown(pilot)
        first, second = screen.list.rows
        assert (first.connection, second.connection) == (1, 2)
        said = "\n".join(lines_of(screen.detail))
        assert "the daemon has owed the reply to BuildPaths" in said
        assert "connection 2 seems to have" in " ".join(said.split())
        await pilot.press("j")
        await pilot.pause()
        assert "shared-1.0" in "\n".join(lines_of(screen.detail))
        await pilot.press("enter")
        await pilot.pause()
        main = browse(pilot)
        assert main.timeline.chosen == second.exchange - 1 if second.exchange else False


async def test_nobody_waits_in_a_finished_recording() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        screen = await shown(pilot)
        assert screen.list.rows == []
        assert "nobody waits" in "\n".join(lines_of(screen.list))
        await pilot.press("escape")
        await settled(pilot)


@pytest.mark.parametrize("silence", [10_000_000_000, 0])
async def test_a_silence_is_told_where_it_is_not_switched_off(tmp_path: Path, silence: int) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.say(CLIENT, ops.EnsurePath(path=PATH)).save()
    app = live(made)
    app.silence = silence
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        banner = browse(pilot).query_one(Banner)
        for _ in range(3000 if silence else 150):
            await pilot.pause(0.02)
            if banner.said:
                break
        said = " ".join(banner.said)
        assert ("The daemon owes the reply to EnsurePath." in said) is bool(silence)


def test_the_screen_of_waits(snap_compare: Any, tmp_path: Path) -> None:
    path = cut("two-clients", 0.3, tmp_path).path

    async def run(pilot: Pilot[Any]) -> None:
        await shown(pilot)

    app = Inspector(Session(path))
    assert snap_compare(app, terminal_size=SIZE, run_before=run)


def of_builders(*below: Relative) -> Tree:
    """A daemon's process and those below it, at work for a minute."""
    return Tree([
        relative(11_500, 1, 0, "/nix/store/00000000000000000000000000000000-nix/bin/nix-daemon 42"),
        *below,
    ])  # fmt: skip


def relative(pid: int, parent: int, depth: int, command: str, **more: Any) -> Relative:
    about = {"state": "asleep", "born": 1, "age": 61 * SECOND, "used": SECOND // 5, "share": 0.0}
    return Relative(pid, parent, depth, command, **{**about, **more})


SECOND = 10**9
SHELL = Doing(Deed.AWAITS)
DRV = "/nix/store/00000000000000000000000000000000-hello-2.12.1.drv"
FIFO = "/tmp/nix-build-hello-2.12.1.drv-0/a-rather-long-name-of-a-folder/to/be/wrapped/pipe"
BUILDER = relative(
    11_601, 11_500, 1, "bash -e /nix/store/00000000000000000000000000000000-source-stdenv.sh",
    doing=SHELL,
)  # fmt: skip
STOPPED = Process(11_450, "stopped")
SCENES = {
    "sleeps": Here(tree=of_builders(
        BUILDER, relative(11_602, 11_601, 2, "sleep 600", doing=Doing(Deed.SLEEPS)))),
    "computes": Here(tree=of_builders(
        BUILDER, relative(11_602, 11_601, 2, "cc1plus -O2 very_large.cc", state="running",
                          used=58 * SECOND, share=0.98, doing=Doing(Deed.COMPUTES)))),
    "named-pipe": Here(tree=of_builders(
        BUILDER, relative(11_602, 11_601, 2, "cat pipe", doing=Doing(Deed.OPENS, None, FIFO)))),
    "stopped-daemon": Here(daemon=Process(11_500, "stopped"), tree=of_builders(
        BUILDER, relative(11_602, 11_601, 2, "sleep 600", doing=Doing(Deed.SLEEPS)))),
    "stopped-listener": Here(listener=Listener(STOPPED, has_accepted=False, waiting=3)),
    "hidden": Here(tree=of_builders(relative(11_601, 11_500, 1, "bash", hidden=True))),
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES)
def test_hangs(snap_compare: Any, tmp_path: Path, scene: str) -> None:
    path = cut("two-clients", 0.3, tmp_path).path

    def waits(session: Session) -> list[Wait]:
        now = session.last
        wait = Wait(
            1, "daemon", "the reply to BuildPaths", now - 61 * SECOND, "BuildPaths", 7,
            "gcc -c main.c", now - 58 * SECOND, (DRV,), ("hello-2.12.1",), (DRV,), pid=4242,
            command="nix build .#hello", here=SCENES[scene],
        )  # fmt: skip
        locked = Wait(
            2, "daemon", "the reply to BuildPaths", now - 12 * SECOND, "BuildPaths", 9,
            lock=f"{DRV.removesuffix('.drv')}", holders=(1,), surely=True, pid=4243,
            command="nix build .#hello --no-link", here=Here(),
        )  # fmt: skip
        return [wait, locked]

    async def run(pilot: Pilot[Any]) -> None:
        await shown(pilot)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pix_inspect.ui.screens.waits.waits", waits)
        assert snap_compare(Inspector(Session(path)), terminal_size=(80, 24), run_before=run)
