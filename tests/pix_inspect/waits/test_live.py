"""Waits of a relay that really runs: its clients, its daemon, and what they do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix_inspect.machine.running_relays import Running
from pix_inspect.session.session import Session
from pix_inspect.waits import live
from pix_inspect.waits.causes import Reason
from pix_inspect.waits.live import LiveWaits, relay_of
from pix_inspect.waits.waits import Wait
from tests.pix_inspect.machine.test_kernel_queues import told
from tests.support.processes import HELLO, recording
from tests.support.relaying import until

pytestmark = pytest.mark.skipif(not told(), reason="the kernel does not tell of its sockets")

CLIENT = """
import sys
from pathlib import Path
from pix_inspect.machine.relay_chain import sign_client
import socket
sock = socket.socket(socket.AF_UNIX)
if sys.argv[2:]:
    sign_client(sock, sys.argv[2])
sock.connect(sys.argv[1])
sock.sendall(bytes.fromhex(sys.stdin.readline()))
sys.stdin.readline()
"""


class Clients:
    """A relay, clients in processes of their own, and this process as their daemon."""

    def __init__(self, place: Path, relay: Running, daemon: socket.socket) -> None:
        self.place = place
        self.daemon = daemon
        self.served: list[socket.socket] = []
        self.relay = relay
        self.processes: list[subprocess.Popen[str]] = []

    def client(self, *words: str) -> subprocess.Popen[str]:
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(self.place / "s"), *words],
            stdin=subprocess.PIPE,
            text=True,
        )
        assert client.stdin is not None
        client.stdin.write(f"{HELLO.hex()}\n")
        client.stdin.flush()
        self.processes.append(client)
        self.served.append(self.daemon.accept()[0])
        return client

    def waits(self) -> list[Wait]:
        session = Session(self.place / "r.pcapng").read_all()
        try:
            return LiveWaits(session, self.relay).look()
        finally:
            session.close()


@contextmanager
def relayed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    with recording(place) as relay:
        until(lambda: relay_of(place / "r.pcapng") is not None)  # it listens before it is listed
        found = relay_of(place / "r.pcapng")
        assert found is not None
        assert found.pid == relay.process.pid
        clients = Clients(place, found, relay.daemon)
        try:
            yield clients
        finally:
            for client in clients.processes:
                client.kill()
                client.communicate()
            for served in clients.served:
                served.close()
        assert relay_of(place / "other.pcapng") is None


def is_stopped(wait: Wait) -> bool:
    return wait.why is not None and wait.why.reason is Reason.STOPPED


def test_both_ends_of_each_connection_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with relayed(tmp_path, monkeypatch) as clients:
        first, second = clients.client(), clients.client("repl")
        until(lambda: len(clients.waits()) == 2)
        for wait in clients.waits():
            assert wait.here is not None
            assert wait.here.client is not None
            assert wait.here.client.state == "running"
            assert wait.here.daemon is not None
            assert wait.here.daemon.pid == os.getpid()
            assert wait.here.unread.of_daemon in (0, len(HELLO))
        assert {wait.pid for wait in clients.waits()} == {first.pid, second.pid}

        second.send_signal(signal.SIGSTOP)
        os.waitpid(second.pid, os.WUNTRACED)
        found: list[Wait] = []

        def seen() -> bool:
            found[:] = filter(is_stopped, clients.waits())
            return bool(found)

        until(seen)
        (stopped,) = found
        assert (stopped.pid, stopped.command) == (second.pid, "pix-inspect repl")
        assert stopped.why is not None
        assert stopped.why.pid == second.pid
        assert f"`kill -CONT {second.pid}`" in " ".join(stopped.why.to_do)
        second.send_signal(signal.SIGCONT)


def test_a_daemon_that_this_user_may_not_look_into_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "holders", lambda inodes: {})
    with relayed(tmp_path, monkeypatch) as clients:
        clients.client()
        until(lambda: len(clients.waits()) == 1)
        (wait,) = clients.waits()
        assert wait.here is not None
        assert wait.here.daemon is None
        name = str(clients.relay.pid)
        with subprocess.Popen(["nix-daemon", name, "600"], executable="/bin/sleep") as child:
            try:
                until(lambda: all(wait.here and wait.here.daemon for wait in clients.waits()))
                (wait,) = clients.waits()
                assert wait.here is not None
                assert wait.here.daemon is not None
                assert wait.here.daemon.pid == child.pid
            finally:
                child.kill()
