"""A daemon made distant on purpose: its bytes come and go later, and no faster than a rate.

Between the relay and the daemon stands a pair of sockets and two lines, one for each
direction. What one end sends, the other gets after the delay, in order; half-closes and
hang-ups take as long as bytes do. The relay itself is as it always is, so that without a
delay nothing of this runs.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque

from pix.dataclass import dataclass
from pix_inspect.capture.relayed_connection import wait_for
from pix_inspect.recording.notes import Distance

PIECE = 64 << 10
WINDOW = 4 << 20
"""Bytes that may be on their way in one direction; more wait where they are."""

HALF_CLOSE, HANG_UP = b"", None
"""What a line carries besides bytes."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How far away: nanoseconds each way, bytes a second (0: any), nanoseconds of jitter.

    Jitter is added to each piece at random between none and all of it; the order stays.
    """

    each_way: int = 0
    rate: float = 0.0
    jitter: int = 0

    def __bool__(self) -> bool:
        return bool(self.each_way or self.rate or self.jitter)

    def about(self) -> Distance:
        """What a recording says of it."""
        return Distance(self.each_way / 1e9, self.rate, self.jitter / 1e9)

    def stretch(self, daemon: socket.socket) -> socket.socket:
        """Return a socket that leads to the daemon's by way of two lines of their own."""
        near, far = socket.socketpair()
        lines = (Line(far, daemon, self), Line(daemon, far, self))
        threading.Thread(target=_run, args=(lines, (far, daemon)), daemon=True).start()
        return near


def _run(lines: tuple[Line, Line], ends: tuple[socket.socket, socket.socket]) -> None:
    """Carry both ways until all is over, then close both ends."""
    for line in lines:
        line.start()
    for line in lines:
        line.join()
    for end in ends:
        end.close()


class Line:
    """One direction: what `source` sends reaches `target` later."""

    def __init__(self, source: socket.socket, target: socket.socket, delay: Delay) -> None:
        self.source, self.target, self.delay = source, target, delay
        self._under_way: deque[tuple[int, bytes | None]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._free = 0
        self._last = 0
        self._cut = False
        self._threads = [
            threading.Thread(target=work, daemon=True, name="distance")
            for work in (self._take, self._give)
        ]

    def start(self) -> None:
        """Carry bytes in threads of its own."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until the source is gone, and what it sent has come or cannot."""
        for thread in self._threads:
            thread.join()

    def _take(self) -> None:
        """Take what the source sends, as much as may be under way."""
        while True:
            try:
                piece = self.source.recv(PIECE)
            except OSError:
                piece = b""
            self._send_off(piece)
            if not piece:
                break
            with self._changed:
                self._changed.wait_for(lambda: self._bytes < WINDOW or self._cut)
        wait_for(self.source)
        self._send_off(HANG_UP)

    def _send_off(self, piece: bytes | None) -> None:
        """Note when a piece arrives: the rate first, then the way."""
        now = time.monotonic_ns()
        length = len(piece) if piece else 0
        with self._changed:
            begins = max(now, self._free)
            self._free = begins + (int(length / self.delay.rate * 1e9) if self.delay.rate else 0)
            jitter = _at_random(self.delay.jitter) if self.delay.jitter else 0
            self._last = max(self._last, self._free + self.delay.each_way + jitter)
            self._under_way.append((self._last, piece))
            self._bytes += length
            self._changed.notify_all()

    def _give(self) -> None:
        """Hand over each piece when its time has come."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._under_way))
                due, piece = self._under_way.popleft()
            left = due - time.monotonic_ns()
            if left > 0:
                time.sleep(left / 1e9)
            if piece is HANG_UP:
                for end in (self.target, self.source):
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
                return
            self._hand_over(piece)
            with self._changed:
                self._bytes -= len(piece)
                self._changed.notify_all()

    def _hand_over(self, piece: bytes) -> None:
        try:
            if piece:
                self.target.sendall(piece)
            else:
                self.target.shutdown(socket.SHUT_WR)
        except OSError:  # it takes no more: so must its partner learn, when it sends on
            with contextlib.suppress(OSError):
                self.source.shutdown(socket.SHUT_RD)
            with self._changed:
                self._cut = True
                self._changed.notify_all()


def _at_random(most: int) -> int:
    from random import SystemRandom  # costs a relay that starts more than the rest of this module

    return SystemRandom().randint(0, most)
