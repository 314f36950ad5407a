"""A connected socket as a stream of declared values.

Bytes go out without ever waiting on a peer that itself waits for us to listen; values come
in by the resumable scanner, which finds where each one ends. One reader, no threads.
Waiting is bounded by `timeout`, in seconds of silence; None waits for ever.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Generator
from contextlib import suppress

from pix.codec.cursor import Cursor, Limits, Program, Scan, Window, scan
from pix.codec.errors import PixError

CHUNK = 1 << 16
"""Bytes asked of the kernel at a time."""


class Lost(PixError):
    """The connection ended, broke, or was silent for too long."""


class Stream:
    """Both directions of a connected socket, which it owns."""

    def __init__(
        self, sock: socket.socket, timeout: float | None = None, limits: Limits | None = None
    ) -> None:
        sock.setblocking(False)
        self.cursor = Cursor(limits=limits)
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

    def take(self, scanner: Scan) -> bytes:
        """Run a scanner to its end and return the bytes it went over.

        Raises Lost, and the scanner's DecodeError.
        """
        cursor = self.cursor
        start = cursor.offset
        parts = [bytes(cursor.buf[cursor.pos : cursor.end])]
        parts.extend(self._fill() for _ in scanner)
        while cursor.pos > cursor.end:
            parts.append(self._fill())
        return b"".join(parts)[: cursor.offset - start]

    def value(self, program: Program) -> bytes:
        """Return the bytes of one value of `program`. Raises as `take`."""
        return self.take(scan(self.cursor, program))

    def word(self) -> int:
        """Read one integer of 8 bytes."""
        return int.from_bytes(self.take(self._word()), "little")

    def _word(self) -> Scan:
        yield from self.cursor.word()

    def passing(self, scanner: Generator[None, None, bool]) -> Generator[bytes, None, bool]:
        """Yield the bytes that a scanner goes over, as they come; return its result.

        Nothing is kept: memory is one chunk. Raises as `take`.
        """
        cursor = self.cursor
        told = cursor.offset
        while True:
            result: bool | None = None
            try:
                next(scanner)
            except StopIteration as stop:
                result = stop.value
            until = min(cursor.offset, cursor.received)
            if until > told:
                yield bytes(cursor.buf[told - cursor.base : until - cursor.base])
                told = until
            if result is not None and cursor.pos <= cursor.end:
                return result
            self._fill()

    def _fill(self) -> bytes:
        """Wait for bytes, feed them to the cursor and return them. Raises Lost."""
        while not (data := self._take_in()):
            self._wait(select.POLLIN)
        return data

    def _take_in(self) -> bytes:
        """Feed what has come to the cursor and return it; nothing when nothing has."""
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise Lost(_closed(error)) from None
        if not data:
            raise Lost("the daemon closed the connection")
        self.cursor.settle()
        self.cursor.feed(data)
        return data

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
        return "the daemon closed the connection"
    return f"the connection failed: {error.strerror or error}"
