"""Hangs made with real Nix, named while they last.

A builder that sleeps, a lock that another client holds, a client or a daemon that is stopped,
and a client whose log nobody reads.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.real_nix.daemons import Client, Daemon, running
from tests.real_nix.lab import Nix
from tests.real_nix.test_screen import Terminal
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix
PIX = [sys.executable, "-m", "pix_inspect"]
WAIT = 120.0

SLOW = """
derivation { name = "slow-1.0"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo begun; exec /bin/sleep 600" ]; }
"""


def derivation(name: str, script: str) -> str:
    return f"""
derivation {{ name = "{name}-1.0"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "{script}" ]; }}
"""


BUSY = derivation("busy", "echo begun; while :; do :; done")
FIFO = derivation("fifo", "/bin/mkfifo pipe; echo begun; /bin/cat pipe")

LOUD = """
derivation { name = "loud-1.0"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "while :; do echo much to say, and nobody who reads what is said; done" ]; }
"""


class Builds:
    """A relay in front of a daemon, and builds through it."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        self.path = folder / "relay"
        self.relay = subprocess.Popen(
            [
                *(*PIX, "record", "--listen", str(self.path), "--upstream", str(daemon.socket)),
                *("-o", str(folder / "r.pcapng")),
            ],
            stderr=subprocess.PIPE,
            env=self.environment,
        )
        assert self.relay.stderr is not None
        assert b"listening on" in self.relay.stderr.readline()
        self.running: list[subprocess.Popen[bytes]] = []

    def build(
        self, client: Client, what: str = SLOW, log: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a build that never ends."""
        file = self.folder / f"build-{len(self.running)}.nix"
        file.write_text(what)
        process = subprocess.Popen(
            ["nix-build", "--no-out-link", file],
            env=client.env,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=self.folder,
        )
        self.running.append(process)
        return process

    def waits(self) -> list[dict[str, Any]]:
        """What `pix-inspect status` says of the running relay."""
        done = subprocess.run(
            [*PIX, "status", "--json", str(self.path)],
            env=self.environment,
            capture_output=True,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def until(self, so: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Ask until something is so."""
        end = time.monotonic() + WAIT
        while True:
            found = self.waits()
            if so(found):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.1)


@contextmanager
def building(nix: Nix, folder: Path) -> Iterator[Builds]:
    with running(nix) as daemon:
        builds = Builds(daemon, folder)
        try:
            yield builds
        finally:
            for process in builds.running:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(WAIT)
            builds.relay.send_signal(signal.SIGINT)
            builds.relay.send_signal(signal.SIGINT)
            builds.relay.wait(WAIT)
            assert builds.relay.stderr is not None
            builds.relay.stderr.close()


def in_build(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [wait for wait in found if wait["operation"] == "BuildPaths"]


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_hangs_are_named_while_they_last(nix: Nix, tmp_path: Path) -> None:
    with building(nix, tmp_path) as builds:
        client = builds.daemon.client(socket=builds.path)

        # a builder that sleeps
        first = builds.build(client)
        found = builds.until(lambda waits: any(wait["building"] for wait in in_build(waits)))
        (wait,) = in_build(found)
        builds.until(lambda waits: (in_build(waits)[0]["last_word"] or "").endswith("begun"))
        assert wait["debtor"] == "daemon"
        assert wait["owes"] == "the reply to BuildPaths"
        assert wait["building"] == ["slow-1.0"]
        assert (wait["client"]["pid"], wait["client"]["state"]) == (first.pid, "running")
        assert wait["daemon"]["state"] == "running"
        assert wait["daemon"]["pid"] != first.pid

        # a build that waits for the lock that the first one holds
        second = builds.build(client)
        found = builds.until(lambda waits: any(wait["waits_for_lock"] for wait in in_build(waits)))
        waiting = next(wait for wait in in_build(found) if wait["waits_for_lock"])
        holder = next(wait for wait in in_build(found) if not wait["waits_for_lock"])
        assert waiting["pid"] == second.pid
        assert waiting["waits_for_lock"].endswith("-slow-1.0")
        assert waiting["held_by_connections"] == [holder["connection"]]
        assert waiting["held_surely"]
        assert waiting["held_by_processes"] == [holder["daemon"]["pid"]]
        assert f"which connection {holder['connection']} has" in waiting["says"]

        # a client that is stopped
        first.send_signal(signal.SIGSTOP)
        found = builds.until(
            lambda waits: any(wait["client"]["state"] == "stopped" for wait in waits)
        )
        stopped = [wait for wait in found if wait["client"]["state"] == "stopped"]
        assert [wait["pid"] for wait in stopped] == [first.pid]
        assert f"the client (pid {first.pid}) is stopped" in stopped[0]["says"]

        # a daemon that is stopped
        daemon = waiting["daemon"]["pid"]
        os.kill(daemon, signal.SIGSTOP)
        try:
            found = builds.until(
                lambda waits: any(wait["daemon"]["state"] == "stopped" for wait in waits)
            )
            stopped = [wait for wait in found if wait["daemon"]["state"] == "stopped"]
            assert [wait["connection"] for wait in stopped] == [waiting["connection"]]
            assert stopped[0]["debtor"] == "daemon"
            assert stopped[0]["says"].startswith(f"The daemon (pid {daemon}) is stopped.")
            assert stopped[0]["to_do"] == [f"`kill -CONT {daemon}` lets it go on."]
        finally:
            os.kill(daemon, signal.SIGCONT)


def told(waits: list[dict[str, Any]], client: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What is said of a client's connection, nothing while it is not there."""
    return next((wait for wait in waits if wait["pid"] == client.pid), {})


def test_the_process_that_matters_is_named(nix: Nix, tmp_path: Path) -> None:
    with building(nix, tmp_path) as builds:
        client = builds.daemon.client(socket=builds.path)
        begun = []
        for what, name in ((SLOW, "slow-1.0"), (BUSY, "busy-1.0"), (FIFO, "fifo-1.0")):
            begun.append(builds.build(client, what))  # several at once find the database busy
            builds.until(lambda waits, name=name: told(waits, begun[-1]).get("building") == [name])  # type: ignore[misc]
        sleeps, computes, opens = begun
        locked = builds.build(client, SLOW)
        expected = ((sleeps, "sleeps"), (computes, "computes"), (opens, "waits"), (locked, "lock"))
        found = builds.until(
            lambda waits: all(told(waits, each).get("cause") == cause for each, cause in expected)
        )
        sleep, sh, cat, waiting = (told(found, each) for each, _ in expected)
        assert sleep["cause_says"] == f"The builder's sleep (pid {sleep['cause_pid']}) sleeps"
        assert (sh["at_work"], sh["cause_says"].split()[-1]) == (True, "computes")
        assert cat["cause_says"].startswith("The builder's cat")
        assert cat["evidence"][0].startswith("the named pipe is /")
        assert cat["evidence"][0].endswith("/pipe")
        assert waiting["held_by_connections"] == [sleep["connection"]]
        assert waiting["cause_pid"] == sleep["daemon"]["pid"]
        for wait in (sleep, sh, cat):
            matters = next(each for each in wait["processes"] if each["pid"] == wait["cause_pid"])
            assert wait["processes"][0]["pid"] == wait["daemon"]["pid"]
            assert matters["age"] < 600

        # the same on the screen, of each connection
        with terminal(tmp_path, *PIX, "attach", str(builds.relay.pid)) as shown:
            shown.wait_for("● live")
            shown.press("H")
            shown.wait_for("The daemon's processes")
            for wait in (sleep, sh, cat, waiting):
                shown.press("Home", *("j" * (wait["connection"] - min(map(number, found)))))
                shows(shown, f"{wait['cause_says']}.")

        # a daemon that is stopped, then the one that listens
        daemon = sleep["daemon"]["pid"]
        listener = builds.daemon.process.pid
        os.kill(daemon, signal.SIGSTOP)
        os.kill(listener, signal.SIGSTOP)
        try:
            late = builds.build(client, SLOW)
            found = builds.until(
                lambda waits: (
                    told(waits, late).get("cause") == told(waits, sleeps)["cause"] == "stopped"
                )
            )
            assert told(found, sleeps)["to_do"] == [f"`kill -CONT {daemon}` lets it go on."]
            stopped = told(found, late)
            assert stopped["cause_says"] == f"The daemon that listens (pid {listener}) is stopped"
            assert stopped["to_do"] == [f"`kill -CONT {listener}` lets it go on."]
            assert not stopped["listener"]["has_accepted"]
        finally:
            os.kill(listener, signal.SIGCONT)
            os.kill(daemon, signal.SIGCONT)


def shows(shown: Terminal, sentence: str) -> None:
    """Wait until a sentence stands on the screen, wherever its lines end."""
    end = time.monotonic() + WAIT
    while sentence not in " ".join((screen := shown.shown()).split()):
        assert time.monotonic() < end, f"no {sentence!r} on the screen:\n{screen}"
        time.sleep(0.05)


def number(wait: dict[str, Any]) -> int:
    connection: int = wait["connection"]
    return connection


@contextmanager
def terminal(folder: Path, *command: str) -> Iterator[Terminal]:
    """A program in tmux, with the relays of this folder."""
    if shutil.which("tmux") is None:
        lacking("tmux is not installed")
    place = folder / "screen"
    place.mkdir()
    (place / "state").symlink_to(folder / "state")
    shown = Terminal(place, *command)
    try:
        yield shown
    finally:
        shown.press("q", "q", "q")
        shown.kill()


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_a_client_whose_log_nobody_reads(nix: Nix, tmp_path: Path) -> None:
    with building(nix, tmp_path) as builds:
        client = builds.daemon.client(socket=builds.path)
        build = builds.build(client, LOUD, log=subprocess.PIPE)

        def so(waits: list[dict[str, Any]]) -> bool:
            """Whether all is full, from the client's log back to the relay."""
            return any(
                wait["debtor"] == "client"
                and "writing" in wait["client"]["doing"]
                and wait["relay_holds_bytes"]
                and (wait["unread_bytes"] or {}).get("from_daemon")
                for wait in in_build(waits)
            )

        (wait,) = in_build(builds.until(so))
        assert wait["owes"] == "what the daemon says to BuildPaths"
        assert wait["says"].startswith("The client does not read what the other side says")
        assert "The client has not read what the daemon says to BuildPaths" in wait["says"]
        assert "is writing to" in wait["says"]
        assert wait["relay_holds_bytes"] > 0
        assert wait["unread_bytes"]["of_client"] > 0
        assert wait["unread_bytes"]["from_daemon"] > 0
        assert wait["pid"] == build.pid

        # as soon as somebody reads, it is nobody's fault any more
        assert build.stderr is not None
        with subprocess.Popen(["cat"], stdin=build.stderr, stdout=subprocess.DEVNULL) as reader:
            builds.until(lambda waits: in_build(waits)[0]["debtor"] == "daemon")
            build.kill()
            reader.kill()
        build.stderr.close()
    recording = str(tmp_path / "r.pcapng")
    done = subprocess.run([*PIX, "analyse", recording], capture_output=True, text=True, check=True)
    assert "the client did not read for" in done.stdout
