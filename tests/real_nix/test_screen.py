"""The screen in a real terminal (tmux), in front of a real daemon: watched, filtered, quit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_nix.daemons import Daemon
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix
WAIT = 120.0

HELLO = """
derivation { name = "hello"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo greetings from the builder; echo done > $out" ]; }
"""


class Terminal:
    """A program in a tmux session of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.socket = folder / "tmux"
        self.state = folder / "state"
        self._tmux(
            "new-session", "-d", "-x", "120", "-y", "40", "-s", "t", *command,
            env={
                **os.environ,
                "XDG_STATE_HOME": str(self.state),
                "XDG_CONFIG_HOME": str(self.state),
                "TERM": "xterm-256color",
            },
        )  # fmt: skip

    def _tmux(self, *words: str, env: dict[str, str] | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words],
            capture_output=True, text=True, env=env, check=check,
        )  # fmt: skip
        return done.stdout

    def shown(self) -> str:
        """Return what is on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "t", check=False)

    def press(self, *keys: str) -> None:
        """Press keys."""
        self._tmux("send-keys", "-t", "t", *keys)

    def wait_for(self, text: str, *, gone: bool = False) -> str:
        """Return the screen once it shows `text`, or no longer does."""
        until = time.monotonic() + WAIT
        while (text in (screen := self.shown())) is gone:
            assert time.monotonic() < until, f"{text!r} is {'' if gone else 'not '}there:\n{screen}"
            time.sleep(0.05)
        return screen

    def wait_for_end(self) -> None:
        """Return once the program has ended."""
        until = time.monotonic() + WAIT
        while self._tmux("list-sessions", check=False).strip():
            assert time.monotonic() < until, f"it goes on:\n{self.shown()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._tmux("kill-server", check=False)

    def close(self) -> None:
        """End it, whatever it does, and relays that it left running."""
        self.kill()
        for registration in (self.state / "pix-inspect" / "running").glob("*.json"):
            for _ in range(2):  # once lets clients finish
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(registration.stem), signal.SIGTERM)


@pytest.fixture
def terminal(daemon: Daemon, tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        lacking("tmux is not installed")
    made = Terminal(
        tmp_path, sys.executable, "-m", "pix_inspect", "--listen", str(tmp_path / "relay"),
        "--upstream", str(daemon.socket),
    )  # fmt: skip
    yield made
    made.close()


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_a_build_is_watched_and_is_none_the_worse(
    daemon: Daemon, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.wait_for("NIX_REMOTE=unix://")  # an empty screen teaches
    (tmp_path / "hello.nix").write_text(HELLO)
    client = daemon.client(socket=tmp_path / "relay")
    done = client.run("nix-build", "--no-out-link", tmp_path / "hello.nix")
    out = Path(done.stdout.decode().strip())
    assert out.read_text() == "done\n"
    assert b"greetings from the builder" in done.stderr
    for word in ("BuildPaths", "hello.drv"):
        terminal.wait_for(word)
    terminal.press("g")
    for word in ("magic", "AddToStore"):  # the handshake's fields, and what followed it
        terminal.wait_for(word)
    terminal.wait_for(" open)", gone=True)  # it would ask what becomes of the client
    terminal.press("q")
    terminal.wait_for_end()
    direct = daemon.client().run("nix-build", "--no-out-link", tmp_path / "hello.nix")
    assert direct.stdout == done.stdout
