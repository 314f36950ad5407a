"""How far something long has come, on stderr, where a person waits for it."""

from __future__ import annotations

import sys
import time as clock

BEFORE = 0.5
"""Seconds of work before anything is said: what is done by then needs no word."""
EVERY = 0.2
"""Seconds between two words."""


class Progress:
    """A line that is written again and again, and removed at the end.

    Silent without a terminal, and unless `on`.
    """

    def __init__(self, *, on: bool = True) -> None:
        self._on = on and sys.stderr.isatty()
        self._next = clock.monotonic() + BEFORE
        self._visible = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, what: str, done: int, whole: int) -> None:
        """Say it, if it is time: `reading 12 %`."""
        if not self._on or clock.monotonic() < self._next:
            return
        self._next = clock.monotonic() + EVERY
        percent = min(100 * done // max(whole, 1), 100)
        print(f"\rpix-inspect: {what} {percent} %\x1b[K", end="", file=sys.stderr, flush=True)
        self._visible = True

    def clear(self) -> None:
        if self._visible:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._visible = False
