"""A connected socket as a stream of declared values.

Bytes go out without ever waiting on a peer that itself waits for us to listen; values come
in by the resumable scanner, which finds where each one ends. One reader, no threads.
Waiting is bounded by `timeout`, in seconds of silence; None waits for ever.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from pix.codec.cursor import Limits, Window
from pix.codec.errors import Lost
from pix.codec.incoming import Incoming

CHUNK = 1 << 16
"""Bytes asked of the kernel at a time."""

CLOSED = "the daemon closed the connection"


class Stream(Incoming):
    """Both directions of a connected socket, which it owns."""

    def __init__(
        self, sock: socket.socket, timeout: float | None = None, limits: Limits | None = None
    ) -> None:
        sock.setblocking(False)
        super().__init__(self._receive, lambda: Lost(CLOSED), limits)
        self.timeout = timeout
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def close(self) -> None:
        self._sock.close()

    def interrupt(self) -> None:
        """Hang up without closing, which is safe while another thread waits for the peer."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def detach(self) -> socket.socket:
        """Hand the socket over, blocking as sockets are; the stream is of no use afterwards."""
        self._sock.setblocking(True)
        return self._sock

    def send(self, data: Window, meanwhile: Callable[[], None] | None = None) -> None:
        """Send all of `data`. Raises Lost.

        What the peer says while it does not take our bytes is taken in, and `meanwhile` is
        called to make something of it: else two peers could wait for each other for ever.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[self._sock.send(left) :]
            except BlockingIOError:
                if self._wait(select.POLLIN | select.POLLOUT) & ~select.POLLOUT:
                    self._take_in()
                    if meanwhile is not None:
                        meanwhile()
            except OSError as error:
                raise Lost(_closed(error)) from None

    def heard(self) -> bool:
        """Return whether bytes are there that nobody has looked at. Raises Lost, never waits."""
        if self.cursor.pos < self.cursor.end:
            return True
        self._take_in()
        return self.cursor.pos < self.cursor.end

    def hangs_up(self, seconds: float) -> bool:
        """Return whether the peer closes the connection within `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                if self._poll.poll(left * 1000):
                    self._take_in()
            except Lost:
                return True
        return False

    def _receive(self) -> bytes:
        """Wait for bytes and return them. Raises Lost."""
        while not (data := self._arrived()):
            self._wait(select.POLLIN)
        return data

    def _arrived(self) -> bytes:
        """Return what has come, nothing when nothing has. Raises Lost."""
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise Lost(_closed(error)) from None
        if not data:
            raise Lost(CLOSED)
        return data

    def _take_in(self) -> None:
        if data := self._arrived():
            self.feed(data)

    def _wait(self, events: int) -> int:
        """Wait until the socket is ready for one of `events`, and return for which."""
        self._poll.modify(self._sock, events)
        try:
            ready = self._poll.poll(None if self.timeout is None else self.timeout * 1000)
        finally:
            self._poll.modify(self._sock, select.POLLIN)
        if not ready:
            raise Lost(f"the daemon was silent for {self.timeout:g} s")
        return ready[0][1]


def _closed(error: OSError) -> str:
    if isinstance(error, (BrokenPipeError, ConnectionResetError)):
        return CLOSED
    return f"the connection failed: {error.strerror or error}"
