"""Bytes sent outside the rules, and what the daemon did about them.

After an ordinary handshake, or with none at all, bytes go out as they are; what comes back
until a silence, or the end, is decoded as far as it can be.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.wire import Reader
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.protocol.logging import STDERR_ERROR, StderrError

MOST_HEARD = 16 << 20
PIECE = 64 << 10
LONGEST_ERROR = 400


@dataclass(slots=True)
class Heard:
    """What came of raw bytes: sizes, how the exchanges were understood, and the bytes heard.

    `refused` says how many bytes the daemon did not take, `closed` whether it closed the
    connection.
    """

    sent: int
    heard: int
    closed: bool
    exchanges: list[str]
    data: bytes
    refused: int = 0


class RawTalk:
    """A connection driven by hand. Owns the socket; `talk` follows what is said on it.

    `protocol` is what was agreed on, None before a handshake. `check` is asked before bytes are
    sent, with those that went ahead of them, and raises what keeps them here.
    """

    def __init__(
        self,
        sock: socket.socket,
        talk: Conversation,
        protocol: Protocol | None,
        check: Callable[[bytes, Protocol | None, bytes], None],
    ) -> None:
        self._sock = sock
        self._talk = talk
        self._protocol = protocol
        self._check = check
        self._last = b""
        self._said: list[Exchange] = []
        self._heard = bytearray()
        self._sent = self._refused = 0
        self.closed = False
        """Whether the daemon closed the connection."""
        self.half_closed = False
        """Whether our side is closed."""
        sock.setblocking(False)

    def send(self, data: bytes) -> None:
        """Send bytes, and listen meanwhile. Raises Problem where none can be sent."""
        if self.half_closed:
            raise Problem("our side of this connection is closed: receive() or close()")
        self._check(data, self._protocol, self._last)
        self._last = (self._last + data)[-16:]
        self._talk.feed(CLIENT, data)
        left = memoryview(data)
        self._sent += len(data)
        while left and not self.closed:
            ready, free, _ = select.select([self._sock], [self._sock], [])
            if ready:
                self._take()
            if free and not self.closed:
                try:
                    left = left[self._sock.send(left) :]
                except BlockingIOError:
                    continue
                except OSError:
                    break
        self._refused += len(left)

    def half_close(self) -> None:
        if not self.half_closed:
            self.half_closed = True
            self._talk.eof(CLIENT)
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.closed = True

    def hear(self, wait: float) -> Heard:
        """Return what was said since the last time, once there is silence for `wait` seconds."""
        until = time.monotonic() + wait
        while not self.closed and len(self._heard) < MOST_HEARD:
            left = until - time.monotonic()
            if not select.select([self._sock], [], [], max(left, 0))[0]:
                break
            self._take()
            until = time.monotonic() + wait
        told = [_told(exchange, self._heard) for exchange in self._talk.exchanges]
        data = bytes(self._heard)
        return Heard(self._sent, len(data), self.closed, told, data, self._refused)

    def close(self) -> None:
        self._sock.close()

    def interrupt(self) -> None:
        """Hang up from another thread."""
        self._sock.shutdown(socket.SHUT_RDWR)

    def _take(self) -> None:
        try:
            piece = self._sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if piece:
            self._talk.feed(DAEMON, piece)
            self._heard += piece
        else:
            self.closed = True
            self._talk.eof(DAEMON)


def _told(exchange: Exchange, heard: bytearray) -> str:
    """Return what became of an exchange, in a line that is not yet safe to show."""
    if exchange.error is not None:
        message = _message(exchange, heard)
        state = f"error, {message}" if message else "error"
    else:
        state = "complete" if exchange.complete else "open"
    return "; ".join([f"{exchange.name}: {state}", *map(str, exchange.notes)])


def _message(exchange: Exchange, heard: bytearray) -> str:
    """Return the daemon's own words in an exchange that ended with an error."""
    if exchange.error is None or exchange.protocol is None:
        return ""
    at = heard.find(STDERR_ERROR.to_bytes(8, "little"), max(exchange.error[0] - 8, 0))
    try:
        reader = Reader(bytes(heard[at + 8 :]), exchange.protocol)
        frame: StderrError = wire_of(StderrError).read(reader)
    except DecodeError:
        return ""
    return frame.message[:LONGEST_ERROR]
