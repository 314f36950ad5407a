"""Capture with real Nix: daemons that die, remote programs, run around a build."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pix_inspect.session.session import Session
from tests.real_nix.daemons import Client, Daemon, running
from tests.real_nix.lab import Nix
from tests.support.processes import started_by

pytestmark = pytest.mark.real_nix
PIX = [sys.executable, "-m", "pix_inspect"]
WAIT = 120.0

SLOW = """
derivation { name = "slow"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo begun; exec /bin/sleep 600" ]; }
"""


def relayed(daemon: Daemon, folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a relay in front of a daemon and wait until it listens."""
    path = folder / "relay"
    relay = subprocess.Popen(
        [*PIX, "record", "--listen", path, "--upstream", daemon.socket, "-o", folder / "r.pcapng"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
    )
    assert relay.stderr is not None
    assert "listening on" in relay.stderr.readline()
    return relay, path


def begun(client: Client, folder: Path) -> subprocess.Popen[bytes]:
    """Start a build that never ends, and wait until it has begun."""
    (folder / "slow.nix").write_text(SLOW)
    process = subprocess.Popen(
        ["nix-build", "--no-out-link", folder / "slow.nix"],
        env=client.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip() == b"begun":
            break
    return process


@pytest.mark.parametrize("nix", ["2.3.7", "2.8.0", "2.34.8"], indirect=True)
def test_a_daemon_that_is_killed_looks_the_same_through_the_relay(nix: Nix, tmp_path: Path) -> None:
    said = []
    for through in (False, True):
        folder = tmp_path / str(through)
        folder.mkdir()
        with running(nix) as daemon:
            relay, path = relayed(daemon, folder) if through else (None, daemon.socket)
            process = begun(daemon.client(socket=path), folder)
            group = [daemon.process.pid, *started_by(daemon.process.pid)]
            for pid in group:
                with contextlib.suppress(ProcessLookupError):  # some go with those above them
                    os.kill(pid, signal.SIGKILL)
            out, err = process.communicate(timeout=WAIT)
            said.append((process.returncode, out, err))
            if relay is not None:
                relay.send_signal(signal.SIGTERM)
                relay.communicate(timeout=WAIT)
    assert said[0] == said[1]
    assert said[0][0] != 0
    session = Session(tmp_path / "True" / "r.pcapng").read_all()
    last = session.row(len(session) - 1)
    assert (last.operation, last.state) == ("BuildPaths", "cut")


def hung_up(recording: Path) -> bool:
    """Whether every connection of a recording is over."""
    session = Session(recording).read_all()
    over = all(row.closed is not None for row in session.connections.values())
    session.close()
    return over


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_a_client_that_is_killed_stops_its_build(daemon: Daemon, tmp_path: Path) -> None:
    relay, path = relayed(daemon, tmp_path)
    process = begun(daemon.client(socket=path), tmp_path)
    assert started_by(daemon.process.pid)
    process.kill()
    process.communicate(timeout=WAIT)
    # the relay's part: it has hung up on the daemon
    until = time.monotonic() + WAIT
    while not hung_up(tmp_path / "r.pcapng") and time.monotonic() < until:
        time.sleep(0.05)
    assert hung_up(tmp_path / "r.pcapng")
    if daemon.nix.label == "2.34.8":
        # once in some 80 this daemon's build goes on, under load and without a relay as well: the
        # thread that watches the client ends, and its main thread waits on; that an interrupted
        # client stops its build is tested in test_relay_transparent
        relay.send_signal(signal.SIGTERM)
        relay.communicate(timeout=WAIT)
        return
    until = time.monotonic() + WAIT
    while started_by(daemon.process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not started_by(daemon.process.pid), "the build goes on without its client"
    relay.send_signal(signal.SIGTERM)
    relay.communicate(timeout=WAIT)


def test_run_records_a_build_and_passes_its_status_on(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "x.nix").write_text(
        'derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh";'
        ' args = [ "-c" "echo hello; echo $out > $out" ]; }'
    )
    env = daemon.client().env | {"XDG_STATE_HOME": str(tmp_path / "state")}
    words = [*PIX, "run", "--upstream", str(daemon.socket), "-o", str(tmp_path / "r.pcapng"), "--"]
    if daemon.nix.label == "2.3.7":  # knows no variable for the socket: run sets NIX_REMOTE, too
        env.pop("NIX_DAEMON_SOCKET_PATH", None)
    done = subprocess.run(
        [*words, "nix-build", "--no-out-link", "x.nix"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_text() == done.stdout
    assert "BuildPaths" in done.stderr
    failed = subprocess.run(
        [*PIX, "run", "--upstream", str(daemon.socket), "-o", str(tmp_path / "f.pcapng"), "--",
         "nix-store", "-r", f"{daemon.state.store}/{'a' * 32}-none"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    direct = daemon.client().run(
        "nix-store", "-r", f"{daemon.state.store}/{'a' * 32}-none", check=False
    )
    assert failed.returncode == direct.returncode
    assert direct.stderr.decode().strip() in failed.stderr
    session = Session(tmp_path / "f.pcapng").read_all()
    assert session.errors >= 1


def recorded_in(folder: Path) -> set[str | None]:
    """Return the operations in all recordings of a folder."""
    names: set[str | None] = set()
    for recording in folder.glob("*.pcapng"):
        session = Session(recording).read_all()
        names |= {session.row(i).operation for i in range(len(session))}
        session.close()
    return names


@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
def test_stdio_is_the_remote_program_of_an_ssh_store(daemon: Daemon, tmp_path: Path) -> None:
    client = daemon.client()
    (tmp_path / "file").write_text("over there")
    path = client.run("nix-store", "--add", tmp_path / "file").stdout.decode().strip()
    program = tmp_path / "program"
    program.write_text(
        f"#!/bin/sh\nexec {' '.join(PIX)} stdio --upstream {daemon.socket}"
        f' -o {tmp_path}/$$.pcapng "$@"\n'
    )
    program.chmod(0o755)
    store = f"ssh-ng://localhost?remote-program={program}"
    found = client.run("nix", "path-info", "--store", store, path)
    assert found.stdout.decode().strip() == path
    until = time.monotonic() + WAIT  # the client kills its program: the recording ends by itself
    while "QueryPathInfo" not in recorded_in(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert "QueryPathInfo" in recorded_in(tmp_path)


def test_forwarding_goes_on_when_the_recording_cannot(daemon: Daemon, tmp_path: Path) -> None:
    """A file size limit stands for a full disk: the bytes go on, the end says what is missing."""
    limit = "import resource, sys, os; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536));"
    limit += " os.execv(sys.executable, [sys.executable, '-m', 'pix_inspect', *sys.argv[1:]])"
    path = tmp_path / "relay"
    relay = subprocess.Popen(
        [sys.executable, "-c", limit, "record", "--listen", path, "--upstream", daemon.socket,
         "--payload", "full", "-o", tmp_path / "r.pcapng"],
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
    )  # fmt: skip
    assert relay.stderr is not None
    assert "listening on" in relay.stderr.readline()
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.extend(relay.stderr or ()))
    reading.start()
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 << 20))
    through = daemon.client(socket=path).run("nix-store", "--add", big)
    assert through.stdout == daemon.client().run("nix-store", "--add", big).stdout
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(WAIT) == 0
    reading.join(WAIT)
    relay.stderr.close()
    assert any("incomplete" in line or "not recorded" in line for line in lines), lines
    session = Session(tmp_path / "r.pcapng").read_all()
    assert len(session) > 0
    assert (tmp_path / "r.pcapng").stat().st_size <= 65536
