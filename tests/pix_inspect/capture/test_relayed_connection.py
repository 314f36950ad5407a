"""A connection whose daemon does not read: who waits, who is told, and what is lost."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
from pathlib import Path

import pytest

from pix_inspect.capture.relayed_connection import _SO_SNDBUFFORCE, CLIENT, Connection
from tests.support.relaying import WAIT, received, staged, until


def stuffed(sock: socket.socket) -> int:
    """Send until nothing more goes; return the bytes that did."""
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    sent = 0
    while poll.poll(200):
        sent += sock.send(bytes(65536))
    return sent


def hangs_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(WAIT * 1000))


def _send_or_fail(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)


@pytest.mark.parametrize("too", [False, True], ids=["client stuck", "both stuck"])
@pytest.mark.parametrize("length", [300_000, None], ids=["some", "all that goes"])
def test_a_daemon_that_does_not_read_gets_all_and_learns_that_its_client_is_gone(
    tmp_path: Path, too: bool, length: int | None
) -> None:
    """As without a relay, where the hang-up shows at once behind what was not read."""
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        if length is None:
            length = stuffed(client)
        else:
            client.sendall(bytes(length))
        if too:
            stuffed(daemon)
        client.close()
        if length == 300_000 or _may_make_room():
            assert hangs_up(daemon)
            assert stage.taps[0].over.wait(WAIT)
        daemon.setblocking(True)
        daemon.settimeout(WAIT)
        assert len(received(daemon)) == length == len(stage.taps[0].sides[CLIENT])
        daemon.close()
        assert stage.taps[0].over.wait(WAIT)


def _may_make_room() -> bool:
    """Whether this user may have sockets hold more than the system's `wmem_max`."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 2 << 20)
        except OSError:
            return False
    return True


def test_a_client_that_is_there_may_wait_for_its_daemon_as_long_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.capture.relayed_connection.GLANCE", 1000)
    data = random.Random(1).randbytes(2_000_000)
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        sending = threading.Thread(target=_send_or_fail, args=(client, data))
        sending.start()
        sending.join(0.3)  # hundreds of glances
        assert sending.is_alive()
        until(lambda: bool(stage.taps[0].events))
        got = bytearray()
        while len(got) < len(data) // 2:
            got += daemon.recv(1000)
        assert bytes(got) == data[: len(got)]
        notes = [note for _, note in stage.taps[0].events]
        assert notes, "that it waits is noted"
        assert all({"does not read", "reads again"} & note.keys() for note in notes)
        assert 0 < notes[0]["held"] <= len(data)
        daemon.close()
        sending.join(WAIT)
        client.close()


def test_a_slow_daemon_gets_all_of_what_a_client_left_behind(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(400_000)
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(data)
        client.close()
        got = bytearray()
        while piece := daemon.recv(10_000):
            got += piece
            select.select([], [], [], 0.01)
        assert bytes(got) == data
        daemon.close()


def test_bytes_are_the_same_while_buffers_grow_and_shrink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.capture.relayed_connection.CALM", 3)
    rng = random.Random(3)
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        sent = bytearray()
        for size in (10, 500_000, 1, 2, 3, 4, 5, 4096, 1, 300_000, 7, 4095, 4097, 8, 9, 10, 70_000):
            data = rng.randbytes(size)
            sent += data
            sending = threading.Thread(target=client.sendall, args=(data,))
            sending.start()
            got = bytearray()
            while len(got) < size:
                got += daemon.recv(size - len(got))
            sending.join(WAIT)
            assert got == data
            daemon.sendall(got[:1000])
            assert client.recv(1000) == got[:1000]
        client.close()
        assert bytes(stage.taps[0].sides[CLIENT]) == sent
        daemon.close()


class Starved(socket.socket):
    """A socket for whose next bytes there is no memory of their own."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        raise MemoryError


def test_without_memory_for_what_is_received_the_bytes_go_on() -> None:
    data = random.Random(1).randbytes(20_000)
    (client, near), (far, daemon) = socket.socketpair(), socket.socketpair()
    starved = Starved(fileno=near.detach())
    connection = Connection(starved, far, None, None)
    passing = threading.Thread(target=connection.run)
    passing.start()
    with client, daemon:
        daemon.sendall(b"hello")
        client.settimeout(WAIT)
        assert client.recv(100) == b"hello"
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert received(daemon) == data
    passing.join(WAIT)
    assert not passing.is_alive()
