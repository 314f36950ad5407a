"""Two values, as JSON would hold them, and where they differ.

Lists are compared as people do: what was put in or left out, not everything behind it. Of a
set it is told what only one has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, TypeAlias

from pix.dataclass import dataclass
from pix_inspect.compare.volatile import ACTIVITY, FIELDS

VOLATILE = frozenset(FIELDS) - ACTIVITY
"""Fields of requests and replies whose values differ between runs of the same thing."""

MOST_MATCHED = 250_000
"""Pairs of elements of two lists that are weighed against each other; beyond, one pass does."""

Place: TypeAlias = "tuple[int, int] | tuple[int, None] | tuple[None, int]"
"""Where elements stand that are not the same: in both lists, or in one."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two values: where, and both sides (None: not there)."""

    path: str
    first: Any
    second: Any


class Unordered(list[Any]):
    """A set as JSON would hold it: the order of its elements means nothing."""


def changes(
    first: Any, second: Any, path: str = "", mask: frozenset[str] = VOLATILE
) -> Iterator[Change]:
    """Yield the differences between two JSON values, masked fields left out."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            if key not in mask:
                below = f"{path}.{key}" if path else key
                yield from changes(first.get(key), second.get(key), below, mask)
    elif isinstance(first, Unordered) and isinstance(second, Unordered):
        for item in _without(first, second):
            yield Change(f"{path}[]", item, None)
        for item in _without(second, first):
            yield Change(f"{path}[]", None, item)
    elif isinstance(first, list) and isinstance(second, list):
        yield from _elements(first, second, path, mask)
    elif first != second:
        yield Change(path, first, second)


def masked(value: Any, mask: frozenset[str]) -> Any:
    """Return a JSON value without the masked fields, sets in order."""
    if isinstance(value, dict):
        return {key: masked(item, mask) for key, item in value.items() if key not in mask}
    if isinstance(value, Unordered):
        return sorted((masked(item, mask) for item in value), key=_text)
    if isinstance(value, list):
        return [masked(item, mask) for item in value]
    return value


def _text(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _without(items: list[Any], others: list[Any]) -> Iterator[Any]:
    """Yield what is in a set, but not in another one."""
    known = {_text(item) for item in others}
    for item in items:
        if _text(item) not in known:
            yield item


def _elements(
    first: list[Any], second: list[Any], path: str, mask: frozenset[str]
) -> Iterator[Change]:
    """Yield how two lists differ: elements put in, left out, or changed where they stand."""
    one, two = ([_text(masked(item, mask)) for item in items] for items in (first, second))
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    one, two = one[start : len(one) - end], two[start : len(two) - end]
    for i, j in _matched(one, two) if len(one) * len(two) <= MOST_MATCHED else _in_pass(one, two):
        if i is not None and j is not None:
            yield from changes(first[start + i], second[start + j], f"{path}[{start + i}]", mask)
        elif i is not None:
            yield Change(f"{path}[{start + i}]", first[start + i], None)
        elif j is not None:
            yield Change(f"{path}[{start + j}]", None, second[start + j])


def _matched(one: list[str], two: list[str]) -> Iterator[Place]:
    """Yield what differs when as much as possible is taken for the same."""
    for how, i, last, j, end in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if how != "equal":
            both = min(last - i, end - j)
            yield from zip(range(i, i + both), range(j, j + both), strict=True)
            yield from ((place, None) for place in range(i + both, last))
            yield from ((None, place) for place in range(j + both, end))


def _in_pass(one: list[str], two: list[str]) -> Iterator[Place]:
    """Yield what differs: elements that the other list has nowhere, and what stands elsewhere."""
    first, second = set(one), set(two)
    i = j = 0
    while i < len(one) and j < len(two):
        if one[i] == two[j]:
            i, j = i + 1, j + 1
        elif (one[i] in second) == (two[j] in first):
            yield i, j
            i, j = i + 1, j + 1
        elif one[i] in second:
            yield None, j
            j += 1
        else:
            yield i, None
            i += 1
    yield from ((place, None) for place in range(i, len(one)))
    yield from ((None, place) for place in range(j, len(two)))
