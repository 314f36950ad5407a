"""Two recordings compared in a thread, which tells how far it is and can be stopped.

Each recording is opened once more, so that what the screen reads meanwhile is left alone. A
recording that grows is compared as far as it had come.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
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


class Left(Exception):
    """Nobody wants the comparison any more."""


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
    """The comparison of two files; `over` tells that `rows`, or `failure`, stands there."""

    def __init__(self, first: Path, second: Path) -> None:
        self.paths = (first, second)
        self.sessions: tuple[Session, ...] = ()
        self.found: Differences | None = None
        self.rows: list[Pairing] = []
        self.counts: dict[str, int] = {}
        self.aligned = 0
        """Operations with one request: different ones, and those that are the same."""
        self.progress = "reading …"
        self.failure: str | None = None
        self.over = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def begin(self) -> None:
        threading.Thread(target=self._run, name="comparison", daemon=True).start()

    def stop(self) -> None:
        """Have it end soon; its sessions are closed then."""
        with self._lock:
            self._stopped.set()
            if self.over:
                self._close()

    def _run(self) -> None:
        try:
            self._compare()
        except Left:
            self.failure = "left"
        except Problem as problem:
            self.failure = str(problem)
        except Exception as error:  # damaged recordings must not end the screen
            self.failure = f"cannot be compared: {error}"
        with self._lock:
            self.over = True
            if self._stopped.is_set():
                self._close()

    def _compare(self) -> None:
        for path in self.paths:
            session = Session(path)
            self.sessions = (*self.sessions, session)
            until = session.size
            while session.consumed < until and session.poll(SLICE):
                self._say("reading", session.consumed, until)
        first, second = self.sessions
        self.found = compare_sessions(
            first, second, VOLATILE, lambda done, whole: self._say("comparing", done, whole)
        )
        self.aligned = self.found.aligned
        self.rows = largest_first(self.found.pairings)
        kinds = [pairing.kind for pairing in self.rows]
        self.counts = {kind: kinds.count(kind) for kind in ORDER if kind in kinds}

    def _say(self, doing: str, done: int, whole: int) -> None:
        if self._stopped.is_set():
            raise Left
        self.progress = f"{doing} … {done * 100 // max(whole, 1)} %"

    def _close(self) -> None:
        for session in self.sessions:
            session.close()
        self.sessions = ()
