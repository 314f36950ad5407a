"""Two recordings, or two exchanges, compared by what they mean.

Exchanges are aligned by operation and request; what changes from run to run (times, activity
ids, process ids) is masked. Knows views and their values; nothing of terminals.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pix_inspect.session import Session
from pix_inspect.view import ExchangeView
from pix_inspect.volatile import FIELDS

VOLATILE = frozenset(FIELDS)
"""Fields whose values differ between runs of the same thing."""

SLOWER = 3.0
"""How many times as long an exchange has to take to be worth a line, and at least SLOW."""
SLOW = 10_000_000
"""Nanoseconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two values: where, and both sides (None: not there)."""

    path: str
    first: Any
    second: Any


@dataclass(slots=True)
class Pairing:
    """One operation with one request: the exchanges that asked it in either recording."""

    operation: str
    about: str
    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    times: tuple[int, int] = (0, 0)
    pair: tuple[int, int] | None = None
    """The exchanges that `changes` is about; the first of either where nothing changed."""

    @property
    def kind(self) -> str:
        """What differs, in words, or `same`."""
        if not self.second:
            return "only first"
        if not self.first:
            return "only second"
        if self.changes:
            return "answered otherwise"
        if len(self.first) != len(self.second):
            return "more often"
        low, high = sorted(self.times)
        return "slower" if high - low > SLOW and high > low * SLOWER else "same"

    @property
    def weight(self) -> int:
        """How much it matters among those of its kind: exchanges more, or nanoseconds more."""
        if self.kind == "slower":
            return abs(self.times[0] - self.times[1])
        return abs(len(self.first) - len(self.second))


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
            yield Change(path, item, None)
        for item in _without(second, first):
            yield Change(path, None, item)
    elif isinstance(first, list) and isinstance(second, list):
        for i in range(max(len(first), len(second))):
            one = first[i] if i < len(first) else None
            two = second[i] if i < len(second) else None
            yield from changes(one, two, f"{path}[{i}]", mask)
    elif first != second:
        yield Change(path, first, second)


def _without(items: list[Any], others: list[Any]) -> Iterator[Any]:
    """Yield what is in a set, but not in another one."""
    known = {json.dumps(item, sort_keys=True) for item in others}
    for item in items:
        if json.dumps(item, sort_keys=True) not in known:
            yield item


def meaning(view: ExchangeView) -> dict[str, Any]:
    """Return what an exchange says, without numbers, times and log."""
    said: dict[str, Any] = {"operation": view.row.operation, "kind": view.row.kind}
    for name in ("request", "reply", "error"):
        part = view.part(name)
        said[name] = None if part is None or part.node is None else part.node.plain()
    said["complete"] = view.complete
    return said


def compare_exchanges(
    first: ExchangeView, second: ExchangeView, mask: frozenset[str] = VOLATILE
) -> list[Change]:
    """Return how two exchanges differ, field by field."""
    return list(changes(meaning(first), meaning(second), mask=mask))


def compare_sessions(
    first: Session,
    second: Session,
    mask: frozenset[str] = VOLATILE,
    about: Callable[[ExchangeView], str] = lambda view: "",
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> list[Pairing]:
    """Return the pairings of two sessions in order of first appearance.

    `progress` is told before each exchange how many were looked at, and of how many; what it
    raises ends the comparison.
    """
    found: dict[bytes, Pairing] = {}
    whole = 2 * (len(first) + len(second))  # each is looked at again with its counterpart
    done = 0
    for which, session in enumerate((first, second)):
        for i in range(len(session)):
            progress(done, whole)
            done += 1
            view = session.exchange(i)
            said = meaning(view)
            key = _key(said, mask)
            pairing = found.get(key)
            if pairing is None:
                name = said["operation"] or said["kind"]
                pairing = found[key] = Pairing(name, about(view))
            (pairing.second if which else pairing.first).append(i)
    for pairing in found.values():
        _compare(pairing, first, second, mask, partial(progress, done, whole))
        done += len(pairing.first) + len(pairing.second)
    return list(found.values())


def _key(said: dict[str, Any], mask: frozenset[str]) -> bytes:
    asked = json.dumps(
        [said["kind"], said["operation"], _masked(said["request"], mask)], sort_keys=True
    )
    return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _masked(value: Any, mask: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, mask) for key, item in value.items() if key not in mask}
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return value


def _compare(
    pairing: Pairing,
    first: Session,
    second: Session,
    mask: frozenset[str],
    go_on: Callable[[], None],
) -> None:
    go_on()
    for i, j in zip(pairing.first, pairing.second, strict=False):
        if pairing.pair is None:
            pairing.pair = (i, j)
        if not pairing.changes:
            go_on()
            one, two = meaning(first.exchange(i)), meaning(second.exchange(j))
            pairing.changes = list(changes(one, two, mask=mask))
            if pairing.changes:
                pairing.pair = (i, j)
    pairing.times = (
        sum(first.row(i).took or 0 for i in pairing.first),
        sum(second.row(j).took or 0 for j in pairing.second),
    )
