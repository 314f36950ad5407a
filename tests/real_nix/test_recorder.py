"""The recorder that judges the relay: both streams, and each kind of end."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.real_nix.recorder import Recorder

Serve = Callable[[socket.socket], None]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, for sockets."""
    with TemporaryDirectory(prefix="rec-") as name:
        yield Path(name)


def _once(path: Path, serve: Serve) -> threading.Thread:
    """Serve one connection at `path`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(path))
    listener.listen()

    def run() -> None:
        with listener, listener.accept()[0] as connection:
            serve(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_keeps_both_streams_past_a_half_close(place: Path) -> None:
    def echo_at_the_end(connection: socket.socket) -> None:
        heard = b""
        while data := connection.recv(4096):
            heard += data
        connection.sendall(heard[::-1])

    _once(place / "up", echo_at_the_end)
    sent = os.urandom(300_000)
    with (
        Recorder(place / "rec", place / "up") as recorder,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(os.fspath(place / "rec"))
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        back = b""
        while data := client.recv(4096):
            back += data
    assert back == sent[::-1]
    [streams] = recorder.connections
    assert streams.c2s == sent
    assert streams.s2c == back
    assert not recorder.path.exists()


def test_passes_on_a_hang_up(place: Path) -> None:
    ends: list[bytes] = []
    ended = threading.Event()

    def wait_for_the_end(connection: socket.socket) -> None:
        ends.extend([connection.recv(1), connection.recv(1)])
        with pytest.raises(OSError):  # noqa: PT011 (EPIPE or ECONNRESET)
            connection.sendall(b"x" * 1_000_000)
        ended.set()

    _once(place / "up", wait_for_the_end)
    with Recorder(place / "rec", place / "up"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(os.fspath(place / "rec"))
        client.sendall(b"a")
        client.close()
        assert ended.wait(60)
    assert ends == [b"a", b""]
