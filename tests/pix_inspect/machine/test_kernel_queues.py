"""What the kernel tells of sockets: our own, and those of a relay in the middle."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pix_inspect.machine.kernel_queues import Ends, Unread, ends, sockets
from pix_inspect.machine.processes import sockets_of
from pix_inspect.machine.running_relays import Running, relays

SECONDS = 60.0


def told() -> bool:
    """Whether this kernel tells of its sockets."""
    one, other = socket.socketpair()
    with one, other:
        return os.fstat(one.fileno()).st_ino in sockets()


pytestmark = pytest.mark.skipif(not told(), reason="the kernel does not tell of its sockets")


def eventually(done: Callable[[], bool]) -> bool:
    until = time.monotonic() + SECONDS
    while not (is_done := done()) and time.monotonic() < until:
        time.sleep(0.02)
    return is_done


def test_bytes_that_were_not_read_are_told() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(bytes(1234))
        mine, theirs = (os.fstat(end.fileno()).st_ino for end in (one, other))
        known = sockets()
        assert known[theirs].unread == 1234
        assert known[mine].unread == 0
        assert (known[mine].peer, known[theirs].peer) == (theirs, mine)
        assert {mine, theirs} <= set(sockets_of(os.getpid()))


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="pix-") as name:
        yield Path(name)


@pytest.fixture
def relay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, socket.socket]]:
    """A relay that runs, and the daemon's listening socket."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(folder / "d"))
        daemon.listen()
        daemon.settimeout(SECONDS)
        words = ["--quiet", "--listen", "r", "--upstream", "d", "-o", "o.pcapng"]
        command = [sys.executable, "-m", "pix_inspect", "record"]
        command += [word if word.startswith("-") else str(folder / word) for word in words]
        with subprocess.Popen(command) as child:
            try:
                assert eventually(lambda: any(each.pid == child.pid for each in relays()))
                yield next(each for each in relays() if each.pid == child.pid), daemon
            finally:
                child.kill()


def test_a_client_and_a_daemon_that_do_not_read(
    folder: Path, relay: tuple[Running, socket.socket]
) -> None:
    running, listening = relay
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "r"))
        daemon, _ = listening.accept()
        with daemon:
            client.sendall(bytes(1000))
            daemon.setblocking(False)
            sent = 0

            def stuck() -> bool:
                nonlocal sent
                try:
                    while True:
                        sent += daemon.send(bytes(100_000))
                except BlockingIOError:
                    pass
                found = ends(running, {1: os.getpid()})[1].unread
                return bool(found.of_client and found.from_daemon) and found.of_daemon == 1000

            assert eventually(stuck)
            found = ends(running, {1: os.getpid()})[1].unread
            assert found.of_client is not None
            assert found.from_daemon is not None
            assert 0 < found.of_client + found.from_daemon <= sent
            assert found.from_client == 0
            assert "the client has not read" in found.words()[0]


def test_what_cannot_be_told_apart_is_not_told(
    folder: Path, relay: tuple[Running, socket.socket]
) -> None:
    running, listening = relay
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "r"))
        daemon, _ = listening.accept()
        with daemon:
            own = os.getpid()
            found = ends(running, {1: own, 2: own})
            assert (found[1].client, found[2]) == (None, Ends())
            assert found[1].daemon is not None  # the way to the daemon has its connection's number
            assert ends(running, {1: None})[1].unread.of_client is None
            assert ends(running, {}) == {}
            assert Unread().words() == []
