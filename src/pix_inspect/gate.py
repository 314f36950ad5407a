"""Expectations of a recording, for continuous integration: what must hold, and whether it does.

    count(op = QueryPathInfo) < 100      how many exchanges a filter lets through
    p95(took) < 50ms                     percentiles, max, min, mean or sum of a measure
    p95(took, op = BuildPaths) < 2s      … of the exchanges that a filter lets through
    no error                             no exchange that the filter lets through
    any op = AddMultipleToStore          at least one

Measures: took, bytes, up, down, frames. Knows filters and sessions; nothing of terminals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pix_inspect.filter_syntax import TIME_UNITS, UNITS, FilterError
from pix_inspect.filters import Filter, compile_filter
from pix_inspect.session import Row, Session
from pix_inspect.units import duration, size

MEASURES: dict[str, Callable[[Row], int | None]] = {
    "took": lambda row: row.took,
    "bytes": lambda row: row.request_bytes + row.reply_bytes,
    "up": lambda row: row.request_bytes,
    "down": lambda row: row.reply_bytes,
    "frames": lambda row: row.log,
}
MOST_NAMED = 5
"""Exchanges that a verdict names."""
_SHAPE = re.compile(
    r"\s*(?P<what>count|p\d{1,2}|p100|max|min|mean|sum)\s*\((?P<inside>.*)\)\s*"
    r"(?P<operator><=|>=|==|!=|=|<|>)\s*(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<unit>[A-Za-zµ]*)\s*",
    re.DOTALL,
)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class ExpectationError(Exception):
    """An expectation that cannot be understood; the message says where."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation, ready to be checked."""

    text: str
    what: str
    measure: str
    filter: Filter
    operator: str
    number: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation holds, and what was found instead or all the same."""

    expectation: str
    holds: bool
    found: str
    exchanges: tuple[int, ...]
    """Numbers of the first few exchanges that made it fail or hold."""
    more: bool = False
    """Whether there are more than those."""


def expectation(text: str) -> Expectation:
    """Return the expectation that `text` means. Raises ExpectationError."""
    word, _, rest = text.strip().partition(" ")
    if word in ("no", "any") and rest.strip():
        chosen = _filter(rest, text)
        return Expectation(text, "count", "", chosen, "=" if word == "no" else ">", 0)
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ExpectationError(
            f"{text!r} is no expectation: write count(FILTER) < 100, p95(took) < 50ms or no error"
        )
    what, inside, unit = match["what"], match["inside"], match["unit"].lower()
    measure = ""
    if what != "count":
        measure, _, inside = (part.strip() for part in inside.partition(","))
        if measure not in MEASURES:
            raise ExpectationError(
                f"{text!r}: {what} of what? One of {', '.join(MEASURES)}, not {measure!r}"
            )
    if unit and (unit not in UNITS or (unit in TIME_UNITS) != (measure == "took")):
        raise ExpectationError(f"{text!r}: {match['unit']!r} is no unit of {measure or 'a count'}")
    if measure == "took" and not unit:
        raise ExpectationError(f"{text!r}: a time needs a unit, such as {match['number']}ms")
    number = float(match["number"].replace("_", "")) * UNITS.get(unit, 1)
    return Expectation(text, what, measure, _filter(inside, text), match["operator"], number)


def _filter(inside: str, text: str) -> Filter:
    try:
        return compile_filter(inside)
    except FilterError as error:
        raise ExpectationError(f"{text!r}: {error}") from None


def check(session: Session, expected: Expectation) -> Verdict:
    """Return whether `expected` holds of the session."""
    chosen = [i for i in range(len(session)) if expected.filter.matches(session, i)]
    if expected.what == "count":
        found: float | None = len(chosen)
        named = chosen
    else:
        measure = MEASURES[expected.measure]
        values = [(value, i) for i in chosen if (value := measure(session.row(i))) is not None]
        values.sort(reverse=True)
        named = [i for _, i in values]
        found = _aggregate(expected.what, [value for value, _ in reversed(values)])
    if found is None:
        return Verdict(expected.text, False, "no exchange to measure", ())
    holds = _COMPARE[expected.operator](found, expected.number)
    numbers = tuple(i + 1 for i in named[:MOST_NAMED])
    more = len(named) > MOST_NAMED
    return Verdict(expected.text, holds, _shown(found, expected), numbers, more)


def _aggregate(what: str, values: list[int]) -> float | None:
    """Return the aggregate of ascending values, None when there are none (a sum is then 0)."""
    if what == "sum":
        return sum(values)
    if not values:
        return None
    if what == "max":
        return values[-1]
    if what == "min":
        return values[0]
    if what == "mean":
        return sum(values) / len(values)
    rank = -(-len(values) * int(what[1:]) // 100)
    return values[max(rank - 1, 0)]


def _shown(found: float, expected: Expectation) -> str:
    if expected.measure == "took":
        return duration(int(found))
    if expected.measure in ("bytes", "up", "down"):
        return size(int(found))
    return f"{found:,.6g}"
