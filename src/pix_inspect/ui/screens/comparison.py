"""Two recordings compared by a thread, which tells how far it is and can be stopped.

Each recording is opened once more, so that what the screen reads meanwhile is left alone. A
recording that grows is compared as far as it had come.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pix.problem import Problem
from pix_inspect.compare.changes import VOLATILE
from pix_inspect.compare.sessions import Differences, Pairing, compare_sessions
from pix_inspect.session.session import Session

SLICE = 0.02
"""Seconds of reading between two looks at whether to stop."""

ORDER = (
    "set up otherwise",
    "answered otherwise",
    "only first",
    "only second",
    "more often",
    "slower",
)
"""Kinds of difference, as they stand where their size is the same."""


def extent(pairing: Pairing) -> int:
    """Return how many exchanges a difference is about."""
    if pairing.kind == "more often":
        return pairing.weight
    return max(len(pairing.first), len(pairing.second))


def largest_first(pairings: Sequence[Pairing]) -> list[Pairing]:
    """Return them by exchanges, then by kind; what is only slower by its time."""
    different = [(pairing.kind, pairing) for pairing in pairings]
    different.sort(
        key=lambda each: (
            each[0] == "slower",
            -each[1].weight if each[0] == "slower" else -extent(each[1]),
            ORDER.index(each[0]),
        )
    )
    return [pairing for _, pairing in different]


class Comparison:
    """The comparison of two files, which opens them and is closed by whoever began it."""

    def __init__(self, first: Path, second: Path) -> None:
        self.paths = (first, second)
        self.sessions: tuple[Session, ...] = ()
        self.running = False
        self._closed = False
        self._lock = threading.Lock()

    def run(self, tell: Callable[[str], object]) -> Differences:
        """Compare, telling how far it is. Raises Problem, also when it was closed meanwhile."""
        self.running = True
        try:
            for path in self.paths:
                session = Session(path)
                self.sessions = (*self.sessions, session)
                until = session.size
                while session.consumed < until and session.poll(SLICE):
                    self._say(tell, "reading", session.consumed, until)
            first, second = self.sessions
            return compare_sessions(
                first, second, VOLATILE, lambda at, of: self._say(tell, "comparing", at, of)
            )
        finally:
            with self._lock:
                self.running = False
                if self._closed:
                    self._close_sessions()

    def _say(self, tell: Callable[[str], object], doing: str, done: int, whole: int) -> None:
        if self._closed:
            raise Problem("left")
        tell(f"{doing} … {done * 100 // max(whole, 1)} %")

    def close(self) -> None:
        """Have it end soon, if it is running; its sessions are closed then."""
        with self._lock:
            self._closed = True
            if not self.running:
                self._close_sessions()

    def _close_sessions(self) -> None:
        for session in self.sessions:
            session.close()
        self.sessions = ()
