"""A command that stands for the daemon is told, ended with all of its group, heard to the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix_inspect.capture import command_group
from pix_inspect.capture.command_group import Guard, end_group
from pix_inspect.capture.relayed_connection import DAEMON, Connection
from pix_inspect.capture.upstream import CommandUpstream
from pix_inspect.recording.notes import Peer
from tests.support.processes import PIX, environment, is_there, started_by
from tests.support.relaying import WAIT, Notes, listens, until

GO_ON = "while :; do sleep 0.01; done"
READY = f"echo ready; {GO_ON}"
DEAF = f"trap '' TERM; {READY}"
BESIDE = "trap '' TERM; (trap '' TERM; sleep 600) & echo $!; wait"
"""Prints the number of a child that, like itself, takes no notice of SIGTERM."""


Patience = Callable[[float, float], None]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """Soon asked and soon killed; or as the test says, for what ends by itself has to be let."""

    def so_long(polite: float, stern: float) -> None:
        monkeypatch.setattr(command_group, "POLITE", polite)
        monkeypatch.setattr(command_group, "STERN", stern)

    so_long(0.3, 0.3)
    return so_long


@contextmanager
def command(script: str) -> Iterator[tuple[socket.socket, Connection, Notes, threading.Thread]]:
    """A connection to a shell script, its client's end and what was noted."""
    ours, theirs = socket.socketpair()
    ours.settimeout(WAIT)
    daemon, process = CommandUpstream(("sh", "-c", script)).connect()
    assert process is not None
    notes = Notes(Peer())
    connection = Connection(theirs, daemon, process, notes)
    thread = threading.Thread(target=connection.run)
    thread.start()
    try:
        yield ours, connection, notes, thread
    finally:
        ours.close()
        thread.join(WAIT)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("script", "took"),
    [("cat; echo end", 0), (f"trap 'exit 3' TERM; {READY}", 15), (DEAF, 9)],
    ids=["told", "asked", "killed"],
)
def test_no_more_than_is_needed(script: str, took: int, patience: Patience) -> None:
    patience(0.3 if took else WAIT, 0.3 if took == 9 else WAIT)
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        ["sh", "-c", script], stdin=theirs.fileno(), stdout=theirs.fileno(), start_new_session=True
    )
    theirs.close()
    if took:
        assert ours.recv(10) == b"ready\n"
    ours.shutdown(socket.SHUT_WR)
    assert end_group(process.pid, process.poll) == took
    assert process.returncode == {0: 0, 15: 3, 9: -9}[took]
    ours.close()


def test_last_words_are_recorded_though_nobody_takes_them(patience: Patience) -> None:
    """Also those of whoever finishes its work when asked to."""
    patience(0.3, WAIT)
    script = f"trap 'head -c 300000 /dev/zero; printf done; exit 0' TERM; cat; {GO_ON}"
    with command(script) as (client, connection, notes, _):
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        client.close()
        assert notes.over.wait(WAIT)
        assert bytes(notes.sides[DAEMON]) == b"hello" + bytes(300_000) + b"done"
        assert connection.process is not None
        assert connection.process.returncode == 0
        assert notes.events[-1] == ("closed",)
        assert not [event for event in notes.events if "command ended" in str(event)]


@pytest.mark.parametrize(
    ("script", "told"), [("exit 0", 1), ("exit 3", 1), ("echo hello", 0), ("echo hello; exit 3", 1)]
)
def test_how_it_ended_is_told_where_it_failed_or_said_nothing(script: str, told: int) -> None:
    with command(script) as (_, _, notes, _thread):
        assert notes.over.wait(WAIT)
        ended = [event for event in notes.events if "command ended" in str(event)]
        assert len(ended) == told


def test_what_a_command_started_ends_with_it() -> None:
    with command(BESIDE) as (client, connection, notes, _):
        child = int(client.recv(20))
        client.close()
        assert notes.over.wait(WAIT)
        assert not is_there(child)
        assert connection.was_ended


def test_what_it_left_behind_ends_too() -> None:
    """The command itself is over at once; its child holds its streams."""
    with command("sleep 600 & echo $!") as (client, _, notes, _thread):
        child = int(client.recv(20))
        assert is_there(child)
        client.close()
        assert notes.over.wait(WAIT)
        assert not is_there(child)


def test_a_stranger_that_holds_the_streams_keeps_nobody_waiting() -> None:
    with command("setsid sleep 600 & echo $!") as (client, _, notes, _thread):
        child = int(client.recv(20))
        until(lambda: os.getpgid(child) == child)
        client.close()
        assert notes.over.wait(WAIT)
        os.kill(child, signal.SIGKILL)


def test_one_that_is_hung_up_on_is_asked_at_once(patience: Patience) -> None:
    patience(1000, WAIT)
    with command(f"trap 'printf bye; exit' TERM; {READY}") as (client, connection, notes, thread):
        assert client.recv(6) == b"ready\n"
        connection.hang_up("enough")
        thread.join(WAIT)
        assert not thread.is_alive()
        assert bytes(notes.sides[DAEMON]) == b"ready\nbye"


def test_a_client_that_only_sends_no_more_is_still_answered() -> None:
    with command("cat >/dev/null; sleep 1; printf late") as (client, _, _notes, _thread):
        client.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b"late"


@pytest.mark.parametrize("how", ["record", "stdio"])
def test_a_relay_that_is_killed_leaves_nothing_running(tmp_path: Path, how: str) -> None:
    """SIGKILL, of which the relay itself learns nothing."""
    with relay_of_command(tmp_path, how, BESIDE) as (relay, said):
        child = int(said)
        assert is_there(child)
        os.kill(relay, signal.SIGKILL)
        until(lambda: not is_there(child))


@contextmanager
def relay_of_command(place: Path, how: str, script: str) -> Iterator[tuple[int, bytes]]:
    """Run a relay with a script behind it; give its number, and what the script says first."""
    ours, theirs = socket.socketpair()
    ours.settimeout(WAIT)
    (place / "script").write_text(script)
    words = ["--listen", "s", "--quiet"] if how == "record" else []
    process = subprocess.Popen(
        [*PIX, how, "--upstream-command", "sh script", "-o", "r.pcapng", *words],
        cwd=place,
        env=environment(place),
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    client = ours
    try:
        if how == "record":
            until(lambda: listens(place / "s"))
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(WAIT)
            client.connect(str(place / "s"))
        said = client.recv(100)
        pid = process.pid
        if how == "stdio":
            pid = started_by(pid)[0]
        yield pid, said
    finally:
        process.kill()
        process.wait()
        client.close()
        ours.close()


def test_the_guard_ends_only_what_is_left(tmp_path: Path) -> None:
    """A group that it was told to forget may be somebody else's by now."""
    sleeping = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(2)]
    guard = subprocess.Popen(
        [sys.executable, "-IS", command_group.__file__], stdin=subprocess.PIPE, cwd=tmp_path
    )
    told = "".join(f"+{process.pid}\n" for process in sleeping) + f"-{sleeping[0].pid}\n"
    guard.communicate(told.encode(), timeout=WAIT)
    assert sleeping[1].wait(WAIT) == -signal.SIGTERM
    assert sleeping[0].poll() is None
    sleeping[0].kill()
    sleeping[0].wait()


def test_a_guard_that_is_gone_does_not_matter() -> None:
    guard = Guard()
    guard.watch(1 << 22)
    assert guard._process is not None
    guard._process.kill()
    guard._process.wait()
    guard.forget(1 << 22)
    assert guard._process.stdin is not None
    guard._process.stdin.close()
