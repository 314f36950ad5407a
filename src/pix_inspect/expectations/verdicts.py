"""Whether expectations hold of a recording, for continuous integration.

All are looked at in one pass, so that an exchange is decoded once. What is kept of it is
eight bytes for each exchange and expectation.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from heapq import heappush, heapreplace

from pix.dataclass import dataclass, field
from pix.problem import Problem
from pix_inspect.base.units import duration, size
from pix_inspect.expectations.expectation import Expectation
from pix_inspect.filter.compiled import Subject
from pix_inspect.recording.about import TIMELESS
from pix_inspect.session.session import Row, Session

MOST_NAMED = 5
"""Exchanges that a verdict names."""
STRIDE = 1000
"""Exchanges between two words on how far it has come."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation holds, and what was found instead or all the same.

    `value` is the number that was found and `wanted` the one it is compared with, in ns,
    bytes, or so many; `value` is None where there was nothing to measure.
    """

    expectation: str
    holds: bool
    found: str
    exchanges: tuple[int, ...]
    """Numbers of the first few exchanges that made it fail or hold."""
    more: bool = False
    """Whether there are more than those."""
    value: float | None = None
    wanted: float = 0
    unit: str = ""


@dataclass(slots=True)
class _Measured:
    """What one expectation has met so far."""

    expected: Expectation
    values: array[int] = field(default_factory=lambda: array("q"))
    named: list[tuple[int, int]] = field(default_factory=list)
    """A heap of those that tell most, the least telling first; with minus the number."""

    def take(self, row: Row) -> None:
        measure = self.expected.measure
        value = 1 if measure is None else measure.of(row)
        if value is None:
            return
        self.values.append(value)
        # what is too small is told by the smallest, all else by the largest
        tells = -value if self.expected.operator in (">", ">=") else value
        entry = (tells, -row.number)
        if len(self.named) < MOST_NAMED:
            heappush(self.named, entry)
        elif entry > self.named[0]:
            heapreplace(self.named, entry)

    def verdict(self) -> Verdict:
        expected = self.expected
        unit = expected.measure.unit if expected.measure is not None else ""
        value = _aggregate(expected.what, self.values)
        if value is None:
            return Verdict(
                expected.text, False, "no exchange to measure", (), False, None,
                expected.number, unit,
            )  # fmt: skip
        named = tuple(-number for _, number in sorted(self.named, reverse=True))
        return Verdict(
            expected.text,
            _COMPARE[expected.operator](value, expected.number),
            _shown(value, unit),
            named,
            len(self.values) > MOST_NAMED,
            value,
            expected.number,
            unit,
        )


def verdicts(
    session: Session,
    expected: Iterable[Expectation],
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> list[Verdict]:
    """Return whether each expectation holds; `progress` is told of exchanges done, and all.

    Raises Problem for one about times where these are made up.
    """
    measured = [_Measured(each) for each in expected]
    for each in measured:
        if each.expected.timed and session.made.timeless:
            raise Problem(f"{each.expected.text!r} cannot be told of {session.path}: {TIMELESS}")
    for row in session.rows(0, len(session)) if measured else ():
        subject = Subject(session, row)
        for each in measured:
            if each.expected.filter.test(subject):
                each.take(row)
        if row.number % STRIDE == 1:
            progress(row.number - 1, len(session))
    return [each.verdict() for each in measured]


def _aggregate(what: str, values: array[int]) -> float | None:
    """Return the aggregate of values, None when there are none (a count or a sum is then 0)."""
    if what == "count":
        return len(values)
    if what == "sum":
        return sum(values)
    if not values:
        return None
    if what == "max":
        return max(values)
    if what == "min":
        return min(values)
    if what == "mean":
        return sum(values) / len(values)
    rank = -(-len(values) * int(what[1:]) // 100)
    return sorted(values)[rank - 1]


def _shown(value: float, unit: str) -> str:
    if unit == "ns":
        return duration(int(value))
    if unit == "B":
        return size(int(value))
    return f"{int(value):,}" if value == int(value) else f"{value:,.3f}"
