"""What an expectation says: its text taken apart, with the place of every mistake.

    count(op = QueryPathInfo) < 100      how many exchanges a filter lets through
    p95(took) < 50ms                     percentiles, max, min, mean or sum of a measure
    p95(took, op = BuildPaths) < 2s      … of the exchanges that a filter lets through
    no error                             no exchange that the filter lets through
    any op = AddMultipleToStore          at least one

Measures: took, bytes, up, down, frames. What can never fail watches over nothing: its filter is
asked by `vacuous`, and a number that every recording reaches is refused.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Any

from pix.dataclass import dataclass
from pix_inspect.expectations.vacuous import refuse_vacuous
from pix_inspect.filter.compiled import Filter, compile_filter
from pix_inspect.filter.syntax import TIME_UNITS, UNITS, Compare, FilterError, parse, terms
from pix_inspect.session.row import TERMS, Column

MEASURES = {term: column for term, column in TERMS.items() if column.measured}
AGGREGATES = ("count", "max", "min", "mean", "sum")
OTHERWISE = {"median": "p50", "average": "mean", "avg": "mean", "total": "sum", "number": "count"}
"""What aggregates are called elsewhere."""

_HEAD = re.compile(r"\s*([A-Za-z]\w*)\s*\(")
_TAIL = re.compile(
    r"\)\s*(?P<operator><=|>=|==|!=|=|<|>)\s*(?P<number>[^\s()<>=!]+)\s*(?P<unit>\S*)\s*$"
)
_NUMBER = re.compile(
    r"(?P<sign>-?)(?P<number>\d[\d_]*(?:\.\d+)?(?:e\d{1,3})?)(?P<unit>[A-Za-zµ]*)",
    re.IGNORECASE | re.ASCII,
)
_HOW = "write count(FILTER) < 100, p95(took) < 50ms, no error"


class ExpectationError(Exception):
    """An expectation that cannot be understood; the message says where."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation, ready to be checked. `number` is in ns, bytes, or so many; exchanges are
    counted where there is no `measure`."""

    text: str
    what: str
    measure: Column[Any] | None
    filter: Filter
    operator: str
    number: float
    timed: bool = False
    """Whether it is about times."""


def expectation(text: str) -> Expectation:
    """Return the expectation that `text` means. Raises ExpectationError."""
    stripped = text.strip()
    word, _, rest = stripped.partition(" ")
    if word in ("no", "any"):
        if not rest.strip():
            raise _error(text, f"{word} what? {word} error, {word} op = BuildPaths")
        chosen = _filter(text, len(text) - len(text.lstrip()) + len(word), len(text))
        operator = "=" if word == "no" else ">"
        return Expectation(text, "count", None, chosen, operator, 0, _timed(chosen))
    head = _HEAD.match(text)
    if head is None:
        raise _error(text, f"this is not an expectation: {_HOW}")
    what = _aggregate(head[1], text)
    tail = _TAIL.search(text, head.end() - 1)
    if tail is None:
        bound = "50ms" if text[head.end() :].lstrip().startswith("took") else "100"
        raise _error(text, f"with what is {what} compared? Add < {bound}", len(text))
    start, measure = head.end(), ""
    if what != "count":
        measure, comma, _ = text[start : tail.start()].partition(",")
        start += len(measure) + len(comma)
        measure = measure.strip()
        if measure not in MEASURES:
            raise _error(text, f"{what} of what? {', '.join(MEASURES)}", head.end())
    measured = MEASURES.get(measure)
    number = _number(tail, what, measured, text)
    chosen = _filter(text, start, tail.start())
    timed = _timed(chosen) or (measured is not None and measured.unit == "ns")
    return Expectation(text, what, measured, chosen, tail["operator"], number, timed)


def _aggregate(name: str, text: str) -> str:
    percentile = re.fullmatch(r"p(\d{1,9})", name)
    if percentile is not None:
        if not 0 < int(percentile[1]) <= 100:
            raise _error(text, f"{name}: percentiles are p1 to p100", text.index(name))
        return f"p{int(percentile[1])}"
    if name in AGGREGATES:
        return name
    near = difflib.get_close_matches(name.lower(), AGGREGATES, 1)
    meant = OTHERWISE.get(name.lower()) or (near[0] if near else "")
    hint = f"did you mean {meant}?" if meant else f"one of {', '.join(AGGREGATES)}, p1 to p100"
    raise _error(text, f"{name} is nothing that can be expected; {hint}", text.index(name))


def _number(tail: re.Match[str], what: str, measure: Column[Any] | None, text: str) -> float:
    """Return the number behind the comparison, in ns or bytes."""
    name, measured = (measure.term, measure.unit) if measure is not None else ("a count", "")
    at = tail.start("number")
    match = _NUMBER.fullmatch(tail["number"] + tail["unit"])
    if match is None:
        raise _error(text, f"{tail['number'] + tail['unit']!r} is not a number", at)
    if match["sign"]:
        raise _error(text, f"{name} is never negative", at)
    unit = match["unit"].lower()
    if measured == "ns" and not unit:
        raise _error(text, f"a time needs a unit, such as {tail['number']}ms", at)
    fits = (
        not unit if not measured
        else unit in TIME_UNITS if measured == "ns"
        else not unit or (unit in UNITS and unit not in TIME_UNITS)
    )  # fmt: skip
    if not fits:
        raise _error(text, f"{match['unit']!r} is not a unit of {name}", at)
    number = float(match["number"].replace("_", "")) * UNITS.get(unit, 1)
    if not math.isfinite(number):
        raise _error(text, "this number is beyond all measure", at)
    if what == "count" and not number.is_integer():
        raise _error(text, "a count is a whole number", at)
    if not number and tail["operator"] == ">=":
        raise _error(text, f"{name} is never less than 0: this always holds", at)
    return number


def _filter(text: str, start: int, end: int) -> Filter:
    inside = text[start:end]
    try:
        compiled = compile_filter(inside)
        refuse_vacuous(parse(inside), inside)
        return compiled
    except FilterError as error:
        raise _error(text, error.message, start + error.start) from None


def _timed(chosen: Filter) -> bool:
    """Whether a filter asks for times."""
    return any(
        isinstance(term, Compare) and (column := TERMS.get(term.field)) and column.unit == "ns"
        for term in terms(parse(chosen.text))
    )


def _error(text: str, said: str, at: int | None = None) -> ExpectationError:
    where = f" (at character {at + 1})" if at is not None else ""
    return ExpectationError(f"{text!r}: {said}{where}")
