"""A relay between a client and a daemon that the test plays itself."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix.sockets import connect, listen
from pix_inspect.capture.relay import Relay
from pix_inspect.capture.relayed_connection import Tap
from pix_inspect.capture.upstream import SocketUpstream
from pix_inspect.machine.listeners import listening
from pix_inspect.recording.notes import Comment, Peer

WAIT = 120.0
"""Seconds after which a test gives up waiting for what must happen."""


@dataclass
class Notes:
    """A tap that keeps everything."""

    peer: Peer
    sides: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    events: list[tuple[Any, ...]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        self.sides[side].extend(data)

    def half_close(self, side: int, time: int) -> None:
        self.events.append(("half-close", side))

    def reset(self, side: int, time: int) -> None:
        self.events.append(("reset", side))

    def closed(self, time: int) -> None:
        self.events.append(("closed",))
        self.over.set()

    def note(self, note: Comment, time: int) -> None:
        self.events.append(("note", note.json()))


@dataclass
class Stage:
    """A running relay, where it listens, and what it said and noted."""

    relay: Relay
    path: Path
    daemon: socket.socket | None
    taps: list[Any]
    said: list[str]
    thread: threading.Thread

    def client(self) -> socket.socket:
        """Connect a client."""
        sock = connect(self.path)
        sock.settimeout(WAIT)
        return sock

    def accept(self) -> socket.socket:
        """Take the connection that the relay made for a client."""
        assert self.daemon is not None
        sock, _ = self.daemon.accept()
        sock.settimeout(WAIT)
        return sock

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a relayed connection: the client's and the daemon's."""
        client = self.client()
        return client, self.accept()


@contextmanager
def staged(
    folder: Path,
    tap: Any = Notes,
    *,
    daemon: bool = True,
    allowed: frozenset[int] | None = None,
) -> Iterator[Stage]:
    """Run a relay with a daemon's socket behind it; hang up on everybody at the end."""
    upstream = folder / "daemon"
    accepting: socket.socket | None = None
    if daemon:
        accepting = listen(upstream).sock
        accepting.settimeout(WAIT)
    taps: list[Any] = []
    said: list[str] = []

    def open_tap(peer: Peer) -> Tap | None:
        made = tap(peer)
        taps.append(made)
        return made  # type: ignore[no-any-return]  # whatever the test wants to try

    listener = listen(folder / "relay")
    relay = Relay(listener, SocketUpstream(upstream), open_tap, allowed=allowed, say=said.append)
    thread = threading.Thread(target=relay.serve)
    thread.start()
    try:
        yield Stage(relay, folder / "relay", accepting, taps, said, thread)
    finally:
        relay.stop()
        relay.stop()
        thread.join(WAIT)
        if accepting is not None:
            accepting.close()
        assert not thread.is_alive()


def until(so: Callable[[], bool]) -> None:
    """Wait until something is so; fail if it does not come."""
    end = time.monotonic() + WAIT
    while not so():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.002)


def listens(path: Path) -> bool:
    """Whether clients can connect to a socket; its file is there a moment before."""
    if sys.platform == "linux":
        return listening(str(path)) is not None
    return path.exists()


def received(sock: socket.socket) -> bytes:
    """Return everything up to the end of the stream."""
    out = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(1 << 16):
            out += piece
    return bytes(out)
