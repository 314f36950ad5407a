"""A connection to a daemon that is recorded by whoever uses it."""

from __future__ import annotations

import socket
from typing import Any

from pix_inspect.capture.relayed_connection import CLIENT, DAEMON, Tap, now


class RecordedSocket(socket.socket):
    """A connected socket, taken from `sock`, that tells a tap of what it sends and receives.

    What is sent is told behind it, as only then it is known how much that was; nobody but us
    could hear the answer before.
    """

    __slots__ = ("_over", "_tap")

    def __init__(self, sock: socket.socket, tap: Tap) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self._tap = tap
        self._over = False

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send as much of `data` as is taken now."""
        sent = super().send(data, flags)
        self._tap.chunk(CLIENT, memoryview(data)[:sent], now())
        return sent

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Return up to `size` bytes that have come."""
        data = super().recv(size, flags)
        if data:
            self._tap.chunk(DAEMON, memoryview(data), now())
        else:
            self._tap.half_close(DAEMON, now())
        return data

    def close(self) -> None:
        """End the connection, and what is recorded of it."""
        super().close()
        if not self._over:
            self._over = True
            self._tap.half_close(CLIENT, now())
            self._tap.closed(now())
