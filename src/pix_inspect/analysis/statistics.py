"""Where the time and the bytes went: by operation, by connection, by duration, over time.

Taken from the index alone, in slices, so that a screen stays responsive over a million
exchanges and a growing session is followed by counting what is new. Durations are counted to
a thousandth of their value, so that percentiles need no list of them; starts are counted in
stretches of time that become longer as the session does. Memory grows with what is
different, not with the number of exchanges.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from pix.dataclass import dataclass, field
from pix_inspect.session.row import STATES, packed
from pix_inspect.session.session import Row, Session

BUCKETS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000,
           100_000_000, 300_000_000, 1_000_000_000, 3_000_000_000, 10_000_000_000)  # fmt: skip
"""Upper bounds of the histogram's bars in nanoseconds; one more bar stands for the rest."""

DIGITS = 11
"""Binary digits of a duration that are kept: half a thousandth of it is lost at most."""

MOST_STRETCHES = 2048
FIRST_STRETCH = 20
"""Stretches of time that starts are counted in, and the binary logarithm of the first width."""

SLICE = 8192
"""Exchanges that are counted between two looks at what else there is to do."""

_ERROR = STATES.index("error")
_COUNTED = packed("operation", "kind", "connection", "state", "took", "started", "up", "down")


@dataclass(slots=True)
class Tally:
    """What some exchanges came to: times in nanoseconds, sizes in bytes.

    `durations` counts by rounded duration, `starts` by stretch of time, `histogram` how many
    fell below each of BUCKETS and how many above them all.
    """

    name: str
    count: int = 0
    errors: int = 0
    total: int = 0
    up: int = 0
    down: int = 0
    longest: int = -1
    durations: dict[int, int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    histogram: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def spend(self, times: list[int]) -> None:
        """Add what exchanges took."""
        durations, histogram = self.durations, self.histogram
        for took in times:
            shift = took.bit_length() - DIGITS
            rounded = took >> shift << shift if shift > 0 else took
            durations[rounded] = durations.get(rounded, 0) + 1
            histogram[bisect_right(BUCKETS, took)] += 1
        self.total += sum(times)
        self.longest = max(self.longest, *times)

    def percentile(self, percent: float) -> int | None:
        """Return the duration that `percent` of the exchanges do not exceed (nearest rank)."""
        return self.percentiles(percent)[0]

    def percentiles(self, *percents: float) -> list[int | None]:
        """Return several percentiles, in rising order of `percents`."""
        counted = sum(self.durations.values())
        found: list[int | None] = []
        passed = 0
        rest = iter(sorted(self.durations.items()))
        took = 0
        for percent in percents:
            rank = max(int(-(-counted * percent // 100)), 1)
            while passed < rank and counted:
                took, times = next(rest)
                passed += times
            found.append((self.longest if passed >= counted else took) if counted else None)
        return found

    @property
    def slowest(self) -> int | None:
        return self.longest if self.longest >= 0 else None

    def include(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.count += other.count
        self.errors += other.errors
        self.total += other.total
        self.up += other.up
        self.down += other.down
        self.longest = max(self.longest, other.longest)
        self.histogram = [sum(pair) for pair in zip(self.histogram, other.histogram, strict=True)]
        for mine, others in (
            (self.durations, other.durations),
            (self.starts, other.starts),
        ):
            for key, times in others.items():
                mine[key] = mine.get(key, 0) + times


class Statistics:
    """The tallies of the exchanges of a session, or of those that `chosen` says (from 0).

    `update` takes in what is new; an exchange is counted once it is over. Those still open
    are in `open_rows`. When others come in between the chosen ones, it begins anew.
    """

    def __init__(self, session: Session, chosen: Sequence[int] | None = None) -> None:
        self.session = session
        self.operations: dict[str, Tally] = {}
        self.connections: dict[int, Tally] = {}
        self.open_rows: list[int] = []
        self._by_code: dict[tuple[int, int], Tally] = {}
        self._chosen = chosen
        self._next = 0
        self._last = -1
        self._shift = FIRST_STRETCH
        self._origin = 0

    @property
    def all(self) -> Tally:
        whole = Tally("all")
        for tally in self.operations.values():
            whole.include(tally)
        return whole

    @property
    def wanted(self) -> int:
        """How many exchanges there are to count."""
        return len(self.session) if self._chosen is None else len(self._chosen)

    @property
    def taken(self) -> int:
        """How many of them were looked at."""
        return self._next

    def update(self, most: int = 1 << 62) -> bool:
        """Take in up to `most` new exchanges; True when there were any."""
        session = self.session
        changed = self._chosen is not None and self._is_out_of_step(self._chosen)
        if changed:
            self._forget()
        waiting, self.open_rows = self.open_rows, []
        if waiting:
            changed |= self._take(map(session.row, waiting))
        while self._next < self.wanted and most > 0:
            first = self._next
            last = self._next = min(self.wanted, first + SLICE, first + most)
            most -= last - first
            if self._chosen is None:
                changed |= self._take(session.rows(first, last))
            else:
                changed |= self._take(map(session.row, self._chosen[first:last]))
                self._last = self._chosen[last - 1]
        return changed

    def finish(self) -> Statistics:
        """Take in everything, also what goes on as far as it has come, and return self."""
        self.update()
        going_on, self.open_rows = self.open_rows, []
        self._take(map(self.session.row, going_on), over=True)
        return self

    def _is_out_of_step(self, chosen: Sequence[int]) -> bool:
        """Whether the chosen ones are not what they were, but for new ones at the end."""
        return self._next > 0 and (self._next > len(chosen) or chosen[self._next - 1] != self._last)

    def _forget(self) -> None:
        self.operations, self.connections, self._by_code = {}, {}, {}
        self.open_rows = []
        self._next = 0

    def _take(self, rows: Iterable[Row], *, over: bool = False) -> bool:
        origin = self._origin or self.session.started
        self._origin = origin
        by_code, by_connection = self._by_code, self.connections
        shift = self._shift
        farthest = MOST_STRETCHES << shift
        changed = False
        for row in rows:
            code, kind, connection, state, took, started, up, down = _COUNTED(row[1])
            if took < 0:
                if not over:
                    self.open_rows.append(row[0] - 1)
                    continue
                took = 0
            changed = True
            operation = by_code.get((code, kind))
            if operation is None:
                operation = by_code[code, kind] = self._operation(row.name)
            tally = by_connection.get(connection)
            if tally is None:
                tally = by_connection[connection] = Tally(f"connection {connection}")
            digits = took.bit_length() - DIGITS
            rounded = took >> digits << digits if digits > 0 else took
            after = started - origin
            if after >= farthest:
                shift = self._widen(after)
                farthest = MOST_STRETCHES << shift
            stretch = after >> shift if after > 0 else 0
            bar = bisect_right(BUCKETS, took)
            for each in (operation, tally):
                each.count += 1
                each.total += took
                each.up += up
                each.down += down
                if state == _ERROR:
                    each.errors += 1
                if took > each.longest:
                    each.longest = took
                each.histogram[bar] += 1
                counts = each.durations
                counts[rounded] = counts.get(rounded, 0) + 1
                counts = each.starts
                counts[stretch] = counts.get(stretch, 0) + 1
        return changed

    def _operation(self, name: str) -> Tally:
        tally = self.operations.get(name)
        if tally is None:
            tally = self.operations[name] = Tally(name)
        return tally

    def _widen(self, after: int) -> int:
        """Count starts in stretches so long that `after` falls into one of them."""
        before = self._shift
        while after >= MOST_STRETCHES << self._shift:
            self._shift += 1
        for tally in (*self.operations.values(), *self.connections.values()):
            found: dict[int, int] = {}
            for stretch, times in tally.starts.items():
                wider = stretch >> (self._shift - before)
                found[wider] = found.get(wider, 0) + times
            tally.starts = found
        return self._shift

    def rate(self, bars: int = 60, tally: Tally | None = None) -> tuple[float, list[int]]:
        """Return the seconds a bar spans, and how many exchanges began in each of `bars`.

        Where the bars would be narrower than what was counted, there are fewer of them.
        """
        span = max(self.session.last - (self._origin or self.session.started), 1)
        stretches = (span >> self._shift) + 1
        each = -(-stretches // max(bars, 1))
        counts = [0] * -(-stretches // each)
        for stretch, times in (self.all if tally is None else tally).starts.items():
            counts[min(stretch // each, len(counts) - 1)] += times
        return (each << self._shift) / 1e9, counts
