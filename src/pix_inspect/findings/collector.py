"""Findings of a session: what is irregular, each with its place; counted as the session grows.

`of` looks at one exchange. `Findings` looks at all of them once, in slices, and goes on with
what is new; it keeps the first so many of each kind and counts the rest, so that memory does
not grow with a session that has a million of one kind.
"""

from __future__ import annotations

import time as clock
from collections import Counter

from pix_inspect.findings.finding import Finding
from pix_inspect.findings.kinds import KINDS, Grade
from pix_inspect.session.session import Session

MOST_KEPT = 200
"""Findings of one kind that are kept; more are counted."""

MOST_DECODED = 20_000
"""Exchanges that are decoded to look for irregular fields, unless all are wanted."""

SLICE = 4096
"""Exchanges that are passed over in one go."""


class Findings:
    """The findings of a session so far.

    `thorough`: decode every exchange to look for irregular fields; otherwise the first
    `most_decoded` of them, and those that the index calls for.
    """

    def __init__(
        self, session: Session, *, thorough: bool = False, most_decoded: int | None = None
    ) -> None:
        from pix_inspect.findings.detector import Detector

        self.session = session
        self.thorough = thorough
        self.most_decoded = MOST_DECODED if most_decoded is None else most_decoded
        self.counts: Counter[str] = Counter()
        """How many there are, by kind."""
        self.kept: list[Finding] = []
        """The first of each kind, in the order in which they were found."""
        self.taken = 0
        """Exchanges looked at."""
        self._detector = Detector(session)
        self._going_on: list[int] = []
        self._at = 0

    @property
    def all_decoded(self) -> bool:
        """Whether every exchange was looked at field by field."""
        return self.thorough or self.taken <= self.most_decoded

    def of_grade(self, grade: Grade) -> int:
        """Return how many findings of a grade there are."""
        return sum(n for name, n in self.counts.items() if KINDS[name].grade == grade)

    def update(self, seconds: float = 0.02) -> bool:
        """Look at what ended since, for about `seconds`; False when there is nothing left."""
        until = clock.monotonic() + seconds
        still = [i for i in self._going_on if not self._look(i)]
        self._going_on = still
        while self._at < len(self.session):
            if not self.thorough and self.taken >= self.most_decoded:
                self._skip_ordinary()
                if self._at >= len(self.session):
                    break
            i = self._at
            self._at += 1
            if not self._look(i):
                self._going_on.append(i)
            if clock.monotonic() >= until:
                return True
        return False

    def _skip_ordinary(self) -> None:
        """Pass over whole exchanges of which the index says that nothing is to be found."""
        session = self.session
        first = self._at
        for row in session.rows(first, min(first + SLICE, len(session))):
            if not self._detector.is_ordinary(row):
                break
            self._at += 1
        self.taken += self._at - first

    def finish(self) -> Findings:
        """Look at everything, what is still going on included, and return self."""
        while self.update(1.0):
            pass
        for i in self._going_on:
            self._take(i)
        self._going_on = []
        return self

    def _look(self, i: int) -> bool:
        """Look at an exchange that is over, or cannot be followed any more."""
        row = self.session.row(i)
        if row.took is None and not (row.kind == "opaque" and row.bytes >= 8):
            return False
        self._take(i)
        return True

    def _take(self, i: int) -> None:
        self.taken += 1
        decoded = self.thorough or self.taken <= self.most_decoded
        for finding in self._detector.of(i, decoded=decoded):
            name = finding.kind.name
            self.counts[name] += 1
            if self.counts[name] <= MOST_KEPT:
                self.kept.append(finding)

    def of(self, i: int) -> list[Finding]:
        """Return the findings of exchange `i` (from 0), whether counted yet or not."""
        return self._detector.of(i)
