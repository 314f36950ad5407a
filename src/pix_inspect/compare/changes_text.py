"""Changes as lines of text: a field and both its values, or what was put in and left out.

Of long texts that begin alike it is shown where they part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple, TypeAlias

from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.units import count
from pix_inspect.compare.changes import Change

Tone: TypeAlias = Literal["field", "first", "second", "more"]

LONGEST_PATH = 80
MANY = 3
"""Elements of a list that need not be counted."""
BEFORE = 12
"""Characters that are shown of what two texts have in common."""
_ELEMENT = re.compile(r"\[\d*\]$")


class Line(NamedTuple):
    """A line: what it is about, how deep it stands (0 or 1), its text, inert."""

    tone: Tone
    depth: int
    text: str


def lines(changes: Sequence[Change], most: int, width: int = 70) -> Iterator[Line]:
    """Yield the lines of `most` fields and as many elements of each list.

    Values take about `width` characters where two of them share a line, else twice as many.
    """
    groups = [(path, list(each)) for path, each in groupby(changes, _place)]
    for path, each in groups[:most]:
        if not _ELEMENT.search(path):
            for change in each:
                yield from _values(change, width)
            continue
        left = sum(change.first is not None for change in each)
        told = (("A", left), ("B", len(each) - left))
        said = [f"{number:,} only in {side}" for side, number in told if number]
        yield Line("field", 0, f"{inert(_ELEMENT.sub('', path), LONGEST_PATH)}: {', '.join(said)}")
        for change in each[:most]:
            tone, sign, value = ("first", "-", change.first)
            if change.first is None:
                tone, sign, value = ("second", "+", change.second)
            yield Line(tone, 1, f"{sign} {shown(value, 2 * width)}")  # type: ignore[arg-type]
        if len(each) > most:
            yield Line("more", 1, f"… {count(len(each) - most, 'more element')}")
    if len(groups) > most:
        yield Line("more", 0, f"… {count(len(groups) - most, 'more field')}")


def _values(change: Change, width: int) -> Iterator[Line]:
    """Yield both values of a field: on one line, or on one each where they are long."""
    name = inert(change.path or "all", LONGEST_PATH)
    first, second = parted(change.first, change.second, 2 * width)
    if len(first) + len(second) <= width:
        yield Line("field", 0, f"{name}: {first} → {second}")
    else:
        yield Line("field", 0, f"{name}:")
        yield Line("first", 1, f"A  {first}")
        yield Line("second", 1, f"B  {second}")


def _place(change: Change) -> str:
    """Return the field a change is of; of elements that only one side has, that of their list."""
    if _ELEMENT.search(change.path) and (change.first is None or change.second is None):
        return _ELEMENT.sub("[]", change.path)
    return change.path


def shown(value: Any, longest: int | None = None) -> str:
    """Return a value on one line, inert; a dash for one that is not there."""
    if value is None:
        return "–"
    text = plain(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and len(value) > MANY:
        text = f"{len(value):,} elements: {text}"
    return inert(text, longest)


def parted(first: Any, second: Any, width: int) -> tuple[str, str]:
    """Return two values in about `width` characters each, from shortly before they part."""
    if not isinstance(first, str) or not isinstance(second, str):
        return shown(first, width), shown(second, width)
    first, second = plain(first), plain(second)
    if max(len(first), len(second)) > width // 2:
        same = 0
        for one, two in zip(first, second, strict=False):
            if one != two:
                break
            same += 1
        cut = same - BEFORE
        if cut > BEFORE:
            first, second = f"…{first[cut:]}", f"…{second[cut:]}"
    return inert(first, width), inert(second, width)
