"""`nix-daemon --stdio` behind a relay: whoever is killed, nothing of a build is left running."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pix_inspect.session.session import Session
from tests.real_nix.daemons import Daemon
from tests.real_nix.test_capture import SLOW, WAIT, begun
from tests.support.planted import found_in
from tests.support.processes import PIX, is_there, started_by
from tests.support.relaying import listens, until

FAILS = """
derivation { name = "fails-1.0"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo one; echo two; exit 1" ]; }
"""

pytestmark = pytest.mark.real_nix


@pytest.fixture
def command(daemon: Daemon) -> tuple[str, dict[str, str]]:
    """A command that serves the daemon's store instead of it, and the environment it needs."""
    daemon.process.terminate()
    daemon.process.wait(WAIT)
    settings = daemon.state.folder / "etc/daemon"
    words = f"{daemon.nix.programs}/nix-daemon --stdio"
    return words, daemon.state.environment(daemon.nix, settings)


TERMINAL = """
import os, pty, sys, termios, threading, tty
child, terminal = pty.fork()
if not child:
    tty.setraw(0)
    said = termios.tcgetattr(0)
    said[1] |= termios.OPOST | termios.ONLCR
    termios.tcsetattr(0, termios.TCSANOW, said)
    os.write(1, b"!")
    os.execvp(sys.argv[1], sys.argv[1:])
os.read(terminal, 1)

def pump(source, target):
    try:
        while data := os.read(source, 4096):
            os.write(target, data)
    except OSError:
        pass
    os._exit(0)

threading.Thread(target=pump, args=(0, terminal)).start()
pump(terminal, 1)
"""
"""A program in a terminal that takes every byte, and makes CR LF of the line feeds it says."""


def known_since_1970(daemon: Daemon, environment: dict[str, str]) -> None:
    """Add what is to be built, at a time without a line feed among its bytes."""
    local = daemon.client().env | environment | {"NIX_REMOTE": "local"}
    subprocess.run(["nix-instantiate", "-E", FAILS], env=local, check=True, capture_output=True)
    database = sqlite3.connect(daemon.state.folder / "var/nix/db/db.sqlite")
    with closing(database), database:
        assert database.execute("UPDATE ValidPaths SET registrationTime = 1").rowcount == 1


def test_a_terminal_in_between_is_named(
    daemon: Daemon, command: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    words, environment = command
    script, recording = tmp_path / "terminal.py", tmp_path / "r.pcapng"
    script.write_text(TERMINAL)
    known_since_1970(daemon, environment)
    relay: list[str | Path] = [*PIX, "record", "--listen", tmp_path / "relay", "-o", recording]
    behind = f"{sys.executable} {script} {words}"
    with started(*relay, "--upstream-command", behind, env=environment, cwd=tmp_path) as process:
        until(lambda: listens(tmp_path / "relay"))
        client = daemon.client(socket=tmp_path / "relay")
        done = client.run("nix-build", "--no-out-link", "-E", FAILS, check=False)
        assert done.returncode
        process.send_signal(signal.SIGINT)
        process.wait(WAIT)
    found = found_in(Session(recording).read_all())
    errors = {finding.kind.name for finding in found if finding.grade == "error"}
    assert errors - {"failed-build"} == {"line-ends"}, [
        (each.kind.name, each.said) for each in found
    ]


@contextmanager
def started(
    *words: str | Path, env: dict[str, str], cwd: Path
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [str(word) for word in words],
        env=env,
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def builders(relay: int) -> list[int]:
    """Return a relay's `nix-daemon --stdio` and all that it started."""
    found = [pid for pid in started_by(relay) if "nix-daemon" in _words(pid)]
    return [*found, *(each for pid in found for each in started_by(pid))]


def _words(pid: int) -> str:
    """Return a process's command line, nothing once it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def last_of(recording: Path) -> tuple[str | None, str]:
    """Return the last exchange's operation, and how it ended."""
    session = Session(recording).read_all()
    row = session.row(len(session) - 1)
    session.close()
    return row.operation, row.state


def how_it_ended(daemon: Daemon, victim: str) -> str:
    """Return how an exchange ended: asked to end, daemons say that they were interrupted."""
    if victim == "relay":
        return "open"
    return "cut" if daemon.nix.label == "2.34.8" else "error"


@pytest.mark.parametrize("victim", ["client", "relay"])
def test_a_build_ends_with_who_wanted_it(
    daemon: Daemon, command: tuple[str, dict[str, str]], tmp_path: Path, victim: str
) -> None:
    words, env = command
    path, recording = tmp_path / "relay", tmp_path / "r.pcapng"
    line: list[str | Path] = [
        *PIX,
        "record",
        "--listen",
        path,
        "--upstream-command",
        words,
        "-o",
        recording,
    ]
    with started(*line, env=env, cwd=tmp_path) as relay:
        until(lambda: listens(path))
        building = begun(daemon.client(socket=path), tmp_path)
        running = builders(relay.pid)
        assert len(running) >= 2
        until(lambda: last_of(recording)[0] == "BuildPaths")  # what is killed writes no more
        os.kill(building.pid if victim == "client" else relay.pid, signal.SIGKILL)
        until(lambda: not any(map(is_there, running)))
        building.communicate(timeout=WAIT)
        relay.terminate()
        relay.wait(WAIT)
    assert last_of(recording) == ("BuildPaths", how_it_ended(daemon, victim))


@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
@pytest.mark.parametrize("victim", ["client", "program"])
def test_as_the_remote_program_of_an_ssh_store(
    daemon: Daemon, command: tuple[str, dict[str, str]], tmp_path: Path, victim: str
) -> None:
    words, env = command
    program, recording = tmp_path / "program", tmp_path / "r.pcapng"
    (tmp_path / "slow.nix").write_text(SLOW)
    program.write_text(
        f"#!/bin/sh\nexec {' '.join(PIX)} stdio --upstream-command '{words}' -o {recording}\n"
    )
    program.chmod(0o755)
    store = f"ssh-ng://localhost?remote-program={program}"
    line = ["nix", "build", "--no-link", "-L", "--store", store, "--eval-store", "auto"]
    client = daemon.client().env | {"NIX_REMOTE": "local"}
    with started(*line, "-f", "slow.nix", env=client | env, cwd=tmp_path) as building:
        assert building.stderr is not None
        assert any(b"begun" in line for line in building.stderr)
        below = started_by(building.pid)
        stdio = [pid for pid in below if "stdio" in _words(pid) and "pix_inspect" in _words(pid)]
        killed = building.pid if victim == "client" else min(stdio)
        os.kill(killed, signal.SIGKILL)
        until(lambda: not any(map(is_there, below)))
    assert last_of(recording) == ("BuildPathsWithResults", how_it_ended(daemon, victim))
