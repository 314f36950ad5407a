"""The REPL typed with real keys in a real terminal (tmux): the program, and the pane."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real_nix.daemons import Daemon
from tests.real_nix.test_screen import Terminal
from tests.support.surroundings import lacking

pytestmark = [
    pytest.mark.real_nix,
    pytest.mark.parametrize("nix", ["2.34.8"], indirect=True),
]

Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    if shutil.which("tmux") is None:
        lacking("tmux is not installed")
    made: list[Terminal] = []

    def opened(*words: str) -> Terminal:
        made.append(Terminal(tmp_path, sys.executable, "-m", "pix_inspect", *words))
        return made[-1]

    yield opened
    for each in made:
        each.close()


def test_the_program(daemon: Daemon, terminal: Open, tmp_path: Path) -> None:
    shown = terminal("repl", "--upstream", str(daemon.socket), "-o", str(tmp_path / "r.pcapng"))
    shown.wait_for("Tab completes")
    shown.press('p = AddToStore(name="greeting", method="text:sha256", dump=b"hi")', "Enter")
    shown.wait_for("Nix 2.34.8")
    shown.press("QueryPathI", "Tab", "(", '"', "Tab")  # its only field needs no name
    shown.wait_for("-greeting")
    shown.press(")", "Enter")
    shown.wait_for("nar_size: 120")
    shown.press("raw(u64(26), wait=1000)", "Enter")
    shown.wait_for("wait=1000")
    shown.press("C-c")
    shown.wait_for("interrupted")
    shown.press("IsValidPath(path=p.reply.path)", "Enter")
    shown.wait_for("valid: true")
    shown.press("IsValidPath(path=5)", "Enter")
    shown.wait_for("expected StorePath, got int 5")
    shown.press("C-d")
    shown.wait_for_end()
    assert (tmp_path / "r.pcapng").stat().st_size > 1000


def test_the_pane(daemon: Daemon, terminal: Open, tmp_path: Path) -> None:
    shown = terminal("--listen", str(tmp_path / "relay"), "--upstream", str(daemon.socket))
    shown.wait_for("NIX_REMOTE=unix://")
    shown.press(":")
    shown.wait_for("Ctrl-C interrupts")
    shown.press('AddToStore(name="greeting", method="text:sha256", dump=b"hi")', "Enter")
    shown.wait_for("AddToStore: done")
    shown.wait_for("AddToStore (7)")  # the timeline has it, and its fields are shown
    shown.press("QueryAllV", "Tab", ")", "Enter")
    shown.wait_for("QueryAllValidPaths: done")
    shown.press("raw(u64(26), wait=1000)", "Enter")
    shown.wait_for("waiting for the daemon")
    shown.press("C-c")
    shown.wait_for("interrupted")
    shown.press("Escape")
    shown.wait_for("e Explain")  # the keys of the timeline are offered again
    shown.press("g", "j", "r")
    shown.wait_for('dump=b"hi")')
    shown.press("Enter")
    shown.wait_for("AddToStore: done")
    shown.press("C-q")
    shown.wait_for_end()
