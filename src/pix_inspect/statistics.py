"""Where the time and the bytes went: by operation, by connection, by duration, over time.

Taken from the index alone, an exchange at a time, so that a growing session is followed by
feeding what is new. Durations are kept as they are (8 bytes each) for true percentiles.

Knows sessions; nothing of screens.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pix_inspect.session import Row, Session

BUCKETS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000,
           100_000_000, 300_000_000, 1_000_000_000, 3_000_000_000, 10_000_000_000)  # fmt: skip
"""Upper bounds of the histogram's bars in nanoseconds; one more bar stands for the rest."""


@dataclass(slots=True)
class Tally:
    """What some exchanges came to: times in nanoseconds, sizes in bytes."""

    name: str
    count: int = 0
    open: int = 0
    errors: int = 0
    total: int = 0
    up: int = 0
    down: int = 0
    times: array[int] = field(default_factory=lambda: array("q"))
    in_order: bool = True

    def add(self, row: Row) -> None:
        """Count an exchange."""
        self.count += 1
        self.errors += row.state == "error"
        self.up += row.request_bytes
        self.down += row.reply_bytes
        if row.took is None:
            self.open += 1
        else:
            self.total += row.took
            self.times.append(row.took)
            self.in_order = False

    def percentile(self, percent: float) -> int | None:
        """Return the duration that `percent` of the exchanges do not exceed (nearest rank)."""
        if not self.times:
            return None
        if not self.in_order:
            self.times = array("q", sorted(self.times))
            self.in_order = True
        rank = -(-len(self.times) * percent // 100)
        return self.times[max(int(rank) - 1, 0)]

    @property
    def slowest(self) -> int | None:
        """The longest duration."""
        return self.percentile(100)

    def histogram(self) -> list[int]:
        """Return how many exchanges fall below each of BUCKETS, and how many above them all."""
        bars = [0] * (len(BUCKETS) + 1)
        for took in self.times:
            for i, bound in enumerate(BUCKETS):
                if took < bound:
                    bars[i] += 1
                    break
            else:
                bars[-1] += 1
        return bars


def name_of(row: Row) -> str:
    """Return what an exchange is counted as."""
    return row.operation or (row.kind if row.code is None else f"operation {row.code}")


class Statistics:
    """The tallies of the exchanges of a session, or of those that a filter lets through.

    `update` takes in what is new; an exchange is counted once it is over. Those still open
    are in `open_rows`.
    """

    def __init__(self, session: Session, chosen: Callable[[int], bool] | None = None) -> None:
        self.session = session
        self.all = Tally("all")
        self.operations: dict[str, Tally] = {}
        self.connections: dict[int, Tally] = {}
        self.open_rows: list[int] = []
        self._chosen = chosen
        self._next = 0

    def update(self, most: int = 1 << 62) -> bool:
        """Take in up to `most` new exchanges; True when there were any."""
        end = min(len(self.session), self._next + most)
        waiting = self.open_rows
        self.open_rows = []
        changed = self._take(waiting) | self._take(range(self._next, end))
        self._next = end
        return changed

    def _take(self, numbers: Iterable[int]) -> bool:
        changed = False
        for i in numbers:
            row = self.session.row(i)
            if row.took is None and row.kind != "opaque":
                self.open_rows.append(i)
                continue
            if self._chosen is not None and not self._chosen(i):
                continue
            changed = True
            name = name_of(row)
            by_operation = self.operations.get(name)
            if by_operation is None:
                by_operation = self.operations[name] = Tally(name)
            by_connection = self.connections.get(row.connection)
            if by_connection is None:
                by_connection = Tally(f"connection {row.connection}")
                self.connections[row.connection] = by_connection
            for tally in (self.all, by_operation, by_connection):
                tally.add(row)
        return changed

    def rate(self, bars: int = 60) -> tuple[float, list[int]]:
        """Return the seconds a bar spans, and how many exchanges began in each of `bars`."""
        start, end = self.session.started, self.session.last
        span = max(end - start, 1)
        counts = [0] * bars
        for i in range(self._next):
            row = self.session.row(i)
            if self._chosen is None or self._chosen(i):
                counts[min((row.started - start) * bars // span, bars - 1)] += 1
        return span / bars / 1e9, counts
