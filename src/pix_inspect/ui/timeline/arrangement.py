"""Which exchange stands on which line: in order of start, sorted by a column, or by connection.

An entry is what stands on a line: an exchange (its index from 0), or the head of a connection
(its number, negative). Arrangements of many exchanges are made a bounded time at a time; what
arrives later is taken in without a sort moving what stands: it stands behind it.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from typing import Protocol

from pix_inspect.session.session import Session

BATCH = 1000
SAMPLE = 4096
SPLITTERS = 256


class Everything(Sequence[int]):
    """All exchanges of a session, as long as it is when it is asked."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __len__(self) -> int:
        return len(self._session)

    def __getitem__(self, index: int) -> int:  # type: ignore[override]  # nobody slices it
        if not 0 <= index < len(self._session):
            raise IndexError(index)
        return index


class Arrangement(Protocol):
    """Lines and what stands on them."""

    def __len__(self) -> int:
        """Return how many lines there are, as of the last `update`."""

    def at(self, line: int) -> int:
        """Return the entry on a line."""

    def find(self, entry: int) -> int | None:
        """Return the line of an entry."""

    def near(self, exchange: int) -> int:
        """Return the line of an exchange, or else of one close to it."""

    def update(self, *, moved: bool) -> bool:
        """Take in what came to be shown since; return whether lines before the end moved.

        `moved` says that what is shown has changed elsewhere than at its end.
        """

    def advance(self, seconds: float) -> bool:
        """Arrange more, for about `seconds`; return whether all is arranged."""


class AsTheyCame:
    """The exchanges that are shown, in order of start."""

    def __init__(self, shown: Sequence[int]) -> None:
        self._shown = shown
        self._count = len(shown)

    def __len__(self) -> int:
        return self._count

    def at(self, line: int) -> int:
        """Return the exchange on a line."""
        return self._shown[line]

    def find(self, entry: int) -> int | None:
        """Return the line of an exchange, if it is shown."""
        line = bisect_left(self._shown, entry, 0, self._count)
        return line if line < self._count and self._shown[line] == entry else None

    def near(self, exchange: int) -> int:
        """Return the line of an exchange, or of the next one that is shown."""
        line = bisect_left(self._shown, exchange, 0, self._count)
        return max(min(line, self._count - 1), 0)

    def update(self, *, moved: bool) -> bool:
        """Take in what came to be shown since."""
        self._count = len(self._shown)
        return moved

    def advance(self, seconds: float) -> bool:
        """Nothing has to be arranged."""
        return True


class Sorted:
    """The exchanges that are shown, sorted by a column; equal ones in order of start.

    What comes to be shown afterwards stands at the end until it is sorted again.
    """

    def __init__(
        self, session: Session, shown: Sequence[int], column: str, *, descending: bool
    ) -> None:
        read = session.column(column)
        self._key: Callable[[int], int] = (lambda i: -read(i)) if descending else read
        self._shown = shown
        self._end = len(shown)
        self._order = array("I")
        self._distributed = 0
        step = max(self._end // SAMPLE, 1)
        sample = sorted(map(self._key, (shown[at] for at in range(0, self._end, step))))
        step = max(len(sample) // SPLITTERS, 1)
        self._splitters = sorted(set(sample[step::step]))
        # between two splitters, and on each: what equals one need not be sorted
        self._buckets = [array("I") for _ in range(2 * len(self._splitters) + 1)]
        self._sorted = 0
        self._last = shown[self._end - 1] if self._end else -1
        self.late = 0
        """Exchanges at the end that are not sorted."""

    def __len__(self) -> int:
        return len(self._order)

    def at(self, line: int) -> int:
        """Return the exchange on a line."""
        return self._order[line]

    def find(self, entry: int) -> int | None:
        """Return the line of an exchange, if it is shown."""
        try:
            return self._order.index(entry)
        except ValueError:
            return None

    def near(self, exchange: int) -> int:
        """Return the line of an exchange, or else the first."""
        return self.find(exchange) or 0

    def advance(self, seconds: float) -> bool:
        """Sort more; nothing stands on any line before all is sorted."""
        until = time.perf_counter() + seconds
        key, splitters, buckets, shown = self._key, self._splitters, self._buckets, self._shown
        while self._distributed < self._end:
            last = min(self._distributed + BATCH, self._end)
            for at in range(self._distributed, last):
                i = shown[at]
                value = key(i)
                place = bisect_left(splitters, value)
                equal = place < len(splitters) and splitters[place] == value
                buckets[2 * place + equal].append(i)
            self._distributed = last
            if time.perf_counter() >= until:
                return False
        while self._sorted < len(buckets):
            bucket = buckets[self._sorted]
            if self._sorted % 2:
                self._order.extend(bucket)
            else:
                self._order.extend(array("I", sorted(bucket, key=key)))
            buckets[self._sorted] = array("I")
            self._sorted += 1
            if time.perf_counter() >= until:
                return self._sorted == len(buckets)
        return True

    def update(self, *, moved: bool) -> bool:
        """Put what came to be shown since behind the others."""
        count = len(self._shown)
        first = bisect_right(self._shown, self._last)
        for at in range(first, count):
            self._order.append(self._shown[at])
        self.late += count - first
        if count > first:
            self._last = self._shown[count - 1]
        if not moved:
            return False
        known = set(self._order)
        wanted = set(self._shown)
        self._order = array("I", (i for i in self._order if i in wanted))
        added = sorted(wanted - known)
        self._order.extend(added)
        self.late += len(added)
        return True


class Grouped:
    """The exchanges that are shown by connection, each below a head that can be closed."""

    def __init__(self, session: Session, shown: Sequence[int]) -> None:
        self._connection = session.column("connection")
        self._shown = shown
        self._groups: dict[int, array[int]] = {}
        self._taken = 0
        self._last = -1
        self.closed: set[int] = set()
        self._numbers: list[int] = []
        self._firsts: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def exchanges(self, connection: int) -> int:
        """Return how many exchanges of a connection are shown."""
        return len(self._groups.get(connection, ()))

    def at(self, line: int) -> int:
        """Return the exchange on a line, or the negative number of the connection it heads."""
        place = bisect_right(self._firsts, line) - 1
        number = self._numbers[place]
        within = line - self._firsts[place]
        return self._groups[number][within - 1] if within else -number

    def head(self, connection: int) -> int | None:
        """Return the line of a connection's head."""
        place = bisect_left(self._numbers, connection)
        found = place < len(self._numbers) and self._numbers[place] == connection
        return self._firsts[place] if found else None

    def find(self, entry: int) -> int | None:
        """Return the line of an entry; of an exchange in a closed group, that of the head."""
        if entry < 0:
            return self.head(-entry)
        connection = self._connection(entry)
        first = self.head(connection)
        if first is None or connection in self.closed:
            return first
        group = self._groups[connection]
        within = bisect_left(group, entry)
        return first + 1 + within if within < len(group) and group[within] == entry else None

    def near(self, exchange: int) -> int:
        """Return the line of an exchange, or that of its connection."""
        if exchange >= 0:
            line = self.find(exchange)
            found = self.head(self._connection(exchange)) if line is None else line
            return found or 0
        return self.find(exchange) or 0

    def flip(self, connection: int) -> None:
        """Close a group, or open it."""
        self.closed ^= {connection}
        self._lay()

    def advance(self, seconds: float) -> bool:
        """Put more exchanges into their groups."""
        until = time.perf_counter() + seconds
        shown, connection, groups = self._shown, self._connection, self._groups
        while self._taken < len(shown):
            last = min(self._taken + BATCH, len(shown))
            for at in range(self._taken, last):
                i = shown[at]
                number = connection(i)
                group = groups.get(number)
                if group is None:
                    group = groups[number] = array("I")
                group.append(i)
                self._last = i
            self._taken = last
            if time.perf_counter() >= until:
                break
        self._lay()
        return self._taken >= len(shown)

    def update(self, *, moved: bool) -> bool:
        """Put what came to be shown since into its group."""
        before = self._count
        if moved:
            self._settle()
        self.advance(0.01)
        return moved or self._count != before

    def _settle(self) -> None:
        """Take in that exchanges before the last one have come to be shown, or no longer are."""
        wanted = self._shown[: bisect_right(self._shown, self._last)]
        keep = set(wanted)
        for number, group in list(self._groups.items()):
            kept = array("I", (i for i in group if i in keep))
            keep.difference_update(kept)
            self._groups[number] = kept
            if not kept:
                del self._groups[number]
        for i in keep:
            insort(self._groups.setdefault(self._connection(i), array("I")), i)
        self._taken = len(wanted)

    def _lay(self) -> None:
        """Find out on which lines the groups begin."""
        self._numbers = sorted(self._groups)
        self._firsts = []
        line = 0
        for number in self._numbers:
            self._firsts.append(line)
            line += 1 if number in self.closed else 1 + len(self._groups[number])
        self._count = line
