"""How long an input may take: by the processor, for the clock of a stopped machine goes on.

A timer ticks. What waits uses no processor, and hangs after many ticks; those that fall into a
time in which the process did not run are one.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

SECONDS = 20.0
"""Processor time of an input; the usual one takes milliseconds."""

TICK = 1.0
MOST_TICKS = 120


class Hang(BaseException):
    """An input took too long."""


class Patience:
    """Raises Hang in the main thread when what is done inside `bounded` takes too long."""

    def __init__(self, seconds: float = SECONDS, tick: float = TICK) -> None:
        self.seconds = seconds
        self.tick = tick
        self._began = 0.0
        self.ticks = 0

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        """Inside, a Hang may be raised."""
        before = signal.signal(signal.SIGALRM, self._look)
        self._began, self.ticks = time.process_time(), 0
        signal.setitimer(signal.ITIMER_REAL, self.tick, self.tick)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _look(self, signum: int, frame: FrameType | None) -> None:
        self.ticks += 1
        if time.process_time() - self._began > self.seconds or self.ticks > MOST_TICKS:
            raise Hang
