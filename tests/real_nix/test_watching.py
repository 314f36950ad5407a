"""The screen in a real terminal: a build through `--listen` is seen, looked into, and untouched.

Driven in tmux, with keys and what stands on the screen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pix_inspect.session.session import Session
from tests.real_nix.daemons import Daemon
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix

SECONDS = 120.0
BUILD = """
derivation {
  name = "greeting"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo one; echo two >&2
    until [ -e GO ]; do /bin/sleep 0.1; done; echo hello >$out" ];
}
"""


class Terminal:
    """A terminal of 120×40 in a tmux of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0

    def _tmux(self, *words: str) -> str:
        socket = self._folder / f"tmux-{self._started}"  # a server that ends keeps its own
        command = ["tmux", "-S", str(socket), "-f", os.devnull, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start(self, command: list[str]) -> None:
        self._started += 1
        # the terminal's own size counts, and nobody's settings
        own = [f"XDG_{name}_HOME={self._folder / name}" for name in ("STATE", "CONFIG")]
        sized = ["env", "-u", "COLUMNS", "-u", "LINES", *own, *command]
        self._tmux("new-session", "-d", "-x", "120", "-y", "40", *sized)
        self._tmux("set-option", "remain-on-exit", "on")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def shown(self) -> str:
        """What stands there, and what was pushed out above: "Pane is dead" pushes a line."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def wait_for(self, *words: str) -> str:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            shown = self.shown()
            if all(word in shown for word in words):
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{words} did not come to stand on the screen:\n{self.shown()}")

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it may have ended by itself
            self._tmux("kill-server")


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="pix-") as name:  # short, for sockets
        yield Path(name)


@pytest.fixture
def terminal(folder: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        lacking("no tmux here: the screen cannot be driven")
    terminal = Terminal(folder)
    yield terminal
    terminal.close()


def ended(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def eventually(done: Callable[[], bool]) -> bool:
    until = time.monotonic() + SECONDS
    while not done() and time.monotonic() < until:
        time.sleep(0.05)
    return done()


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_a_build_is_watched_and_not_disturbed_by_quitting(
    daemon: Daemon, folder: Path, terminal: Terminal
) -> None:
    socket, recording = folder / "s", folder / "r.pcapng"
    command = ["--listen", socket, "--upstream", daemon.socket, "-o", recording]
    terminal.start([sys.executable, "-m", "pix_inspect", *map(str, command)])
    terminal.wait_for("● live", f"NIX_REMOTE=unix://{socket}")
    terminal.press("L")
    client = daemon.client(socket=socket)
    (folder / "greeting.nix").write_text(BUILD.replace("GO", str(folder / "go")))
    build = subprocess.Popen(
        ["nix-build", str(folder / "greeting.nix")],
        env=client.env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        terminal.wait_for("handshake", "BuildPaths", "1 conn (1 open)")
        terminal.wait_for("│ two")
        terminal.press("L", "g")
        terminal.wait_for("Fields  #1 handshake")
        terminal.press("Tab", "j", "e")
        terminal.wait_for("request › magic", "Explanation")
        terminal.press("Escape")
        terminal.wait_for("⏎ Fields")
        terminal.press("/")
        terminal.wait_for("for example")
        terminal.press(*"op=buildp", "Tab", "Enter")
        terminal.wait_for("/ op=BuildPaths", "1 of ", "BuildPaths (9)")
        terminal.press("Enter")
        terminal.wait_for("greeting.drv", "operation  BuildPaths (9)")
        terminal.press("Escape")
        terminal.wait_for("⏎ Fields")
        terminal.press("Escape")
        terminal.wait_for("handshake", "AddToStore")
        terminal.press("q")
        terminal.wait_for("1 client is connected")
        terminal.press("s")
        terminal.wait_for("the relay ends when its last client is done")
        (folder / "go").touch()
        out, said = build.communicate(timeout=SECONDS)
    finally:
        build.kill()
        build.communicate()
    assert build.returncode == 0, said
    assert Path(out.decode().strip()).read_text() == "hello\n"
    session = Session(recording).read_all()
    about = session.about["about"]
    assert eventually(lambda: ended(about["pid"]))
    assert session.errors == 0
    assert not socket.exists()


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_a_relay_outlives_its_terminal(daemon: Daemon, folder: Path, terminal: Terminal) -> None:
    socket, recording = folder / "s", folder / "r.pcapng"
    command = ["--listen", socket, "--upstream", daemon.socket, "-o", recording]
    terminal.start([sys.executable, "-m", "pix_inspect", *map(str, command)])
    terminal.wait_for("● live")
    relay = Session(recording).about["about"]["pid"]
    terminal.close()
    terminal.start(["cat"])
    try:
        assert not ended(relay)
        client = daemon.client(socket=socket)
        (folder / "file").write_text("x")
        client.run("nix-store", "--add", folder / "file")
        terminal.close()
        terminal.start([sys.executable, "-m", "pix_inspect", "open", str(recording)])
        terminal.wait_for("● live", "AddToStore")
        terminal.press("q")
        assert not ended(relay)
    finally:
        os.kill(relay, 2)
    assert eventually(lambda: ended(relay))
