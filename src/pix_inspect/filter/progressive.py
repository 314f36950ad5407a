"""The exchanges of a session that a filter lets through, found a bounded time at a time.

What the index knows is decided at a million exchanges a second. What has to be read is
decided one by one; exchanges whose reading may take long are left to a thread, which asks for
them with `take_slow` and hands in the verdict with `settle`. An exchange that goes on is
decided anew whenever it has changed.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final

from pix_inspect.filter.compiled import Filter, Subject
from pix_inspect.session.session import Row, Session

BATCH = 2000
"""Exchanges looked through between two looks at the clock."""

TOOK = Row.took.at

NUMBERS: Final = "I"
"""The array's type: four bytes for each exchange that passes."""


class Sieve:
    """What `filter` lets through of what `session` has. `slow` says what takes long to read."""

    def __init__(
        self,
        session: Session,
        filter: Filter,
        slow: Callable[[Session, Row], bool] = lambda session, row: False,
    ) -> None:
        self.session = session
        self.filter = filter
        self.hits = array(NUMBERS)
        """The exchanges that pass, by index from 0, in rising order."""
        self.looked = 0
        """Exchanges looked at so far."""
        self.moved = False
        """Whether exchanges were put in or taken out before the last one, since it was unset."""
        self.unread: set[int] = set()
        """Exchanges on which it could not be decided; they are not among the hits."""
        self._slow = slow
        self._undecided: dict[int, Hashable] = {}
        self._later: deque[int] = deque()
        self._away: set[int] = set()

    @property
    def done(self) -> bool:
        """Whether everything there is has been decided."""
        return self.looked >= len(self.session) and not self._later and not self._away

    @property
    def total(self) -> int:
        """Exchanges there are to look at."""
        return len(self.session)

    def advance(self, seconds: float) -> bool:
        """Look at more, for about `seconds` at most; return whether the hits have changed."""
        until = time.perf_counter() + seconds
        before = len(self.hits)
        changed = self._look_again()
        while self.looked < len(self.session):
            last = min(self.looked + BATCH, len(self.session))
            if self.filter.deep:
                self._look_into(last, until)
            else:
                self._look_through(last)
            if time.perf_counter() >= until:
                break
        return changed or len(self.hits) != before

    def _look_through(self, last: int) -> None:
        test, hits = self.filter.test, self.hits
        subject: Subject | None = None
        for row in self.session.rows(self.looked, last):
            if subject is None:
                subject = Subject(self.session, row)
            subject.row = row
            if test(subject):
                hits.append(row[0] - 1)
            if row[1][TOOK] < 0:
                self._note(row)
        self.looked = last

    def _look_into(self, last: int, until: float) -> None:
        session, hits = self.session, self.hits
        for row in session.rows(self.looked, last):
            i = row.number - 1
            if self._slow(session, row):
                self._later.append(i)
            elif self._passes(Subject(session, row)):
                hits.append(i)
            if row.took is None:
                self._note(row)
            self.looked = i + 1
            if time.perf_counter() >= until:
                return

    def _note(self, row: Row) -> None:
        self._undecided[row.number - 1] = _signature(row)

    def _look_again(self) -> bool:
        """Decide anew on exchanges that have gone on since; return whether the hits changed."""
        changed = False
        for i, before in list(self._undecided.items()):
            row = self.session.row(i)
            now = _signature(row)
            if now == before or i in self._away:
                continue
            if row.took is None:
                self._undecided[i] = now
            else:
                del self._undecided[i]
            if self.filter.deep and self._slow(self.session, row):
                if i not in self._later:
                    self._later.append(i)
            else:
                changed |= self._put(i, self._passes(Subject(self.session, row)))
        return changed

    def _passes(self, subject: Subject) -> bool:
        i = subject.row.number - 1
        self.unread.discard(i)
        try:
            return self.filter.test(subject)
        except Exception:  # damaged, or deleted by rotation: the rest can be decided on
            self.unread.add(i)
            return False

    # What takes long ------------------------------------------------------------------

    def take_slow(self) -> int | None:
        """Return an exchange to be decided elsewhere, if there is one; `settle` has to follow."""
        if not self._later:
            return None
        i = self._later.popleft()
        self._away.add(i)
        return i

    def settle(self, i: int, passes: bool | None) -> bool:
        """Take the verdict on an exchange, None if there can be none; return whether the hits
        have changed."""
        self._away.discard(i)
        if passes is None:
            self.unread.add(i)
        else:
            self.unread.discard(i)
        return self._put(i, bool(passes))

    def _put(self, i: int, passes: bool) -> bool:
        hits = self.hits
        at = bisect_left(hits, i)
        there = at < len(hits) and hits[at] == i
        if there == passes:
            return False
        self.moved = True
        if passes:
            hits.insert(at, i)
        else:
            del hits[at]
        return True


def _signature(row: Row) -> Hashable:
    return (row.state, row.up, row.down, row.frames)
