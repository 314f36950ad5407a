"""What two recordings do not have in common, in words and as JSON.

First how many round trips each operation took in either, then each kind of difference, the
largest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pix_inspect.analysis.statistics import Tally
from pix_inspect.base.safe_text import inert
from pix_inspect.base.table import aligned
from pix_inspect.base.units import count, duration
from pix_inspect.compare.changes import Change
from pix_inspect.compare.changes_text import lines
from pix_inspect.compare.sessions import Differences, Pairing
from pix_inspect.session.session import Session

ORDER = (
    "set up otherwise", "answered otherwise", "only in A", "only in B", "more often in A",
    "more often in B", "slower in A", "slower in B",
)  # fmt: skip
MOST_NUMBERS = 3
MOST_CHANGES = 8


def in_words(pairing: Pairing) -> str:
    """Return how a pairing differs, and on which side."""
    kind = pairing.kind
    if kind == "more often":
        return f"more often in {'AB'[len(pairing.second) > len(pairing.first)]}"
    if kind == "slower":
        return f"slower in {'AB'[pairing.times[1] > pairing.times[0]]}"
    return {"only first": "only in A", "only second": "only in B"}.get(kind, kind)


def as_json(found: Differences, pairing: Pairing) -> dict[str, Any]:
    """Return a pairing as JSON; exchanges by number, times in seconds."""
    return {
        "difference": pairing.kind,
        "operation": pairing.operation,
        "about": found.about(pairing),
        "first": [i + 1 for i in pairing.first],
        "second": [i + 1 for i in pairing.second],
        "took": [took / 1e9 for took in pairing.times],
        "changes": changes_as_json(found.changes(pairing)),
    }


def changes_as_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return fields that differ as JSON."""
    return [
        {"field": change.path, "first": change.first, "second": change.second} for change in changes
    ]


def as_text(found: Differences, most: int) -> Iterator[str]:
    """Yield the lines, `most` differences of a kind for each operation."""
    exchanges = " and ".join(f"{len(session):,}" for session in found.sessions)
    aligned = count(found.aligned, "different request")
    if not found.pairings:
        yield f"no difference between {exchanges} exchanges ({aligned})"
        return
    for side, session in zip("AB", found.sessions, strict=True):
        yield f"{side}  {inert(str(session.path))}: {session_in_words(session)}"
    yield from _tallies(found.tallies)
    chosen: dict[str, list[Pairing]] = {words: [] for words in ORDER}
    for pairing in found.pairings:
        chosen[in_words(pairing)].append(pairing)
    for words, pairings in chosen.items():
        if pairings:
            yield ""
            yield f"{words}: {_extent(pairings)}"
            yield from _by_operation(found, pairings, most)
    if all(pairing.kind == "slower" for pairing in found.pairings):
        yield ""
        yield f"no other difference between {exchanges} exchanges ({aligned})"


def session_in_words(session: Session) -> str:
    """Return how much a session did, how long it was, and which versions spoke."""
    spoken = Counter(
        f"protocol {connection.protocol}, daemon {'Nix ' + inert(connection.daemon_nix, 40)}"
        if connection.daemon_nix
        else f"protocol {connection.protocol}"
        for connection in session.connections.values()
        if connection.protocol is not None
    )
    most = spoken.most_common(1)
    said = [
        count(len(session), "exchange"),
        count(len(session.connections), "connection"),
        duration(session.last - session.started),
        *(words for words, _ in most),
    ]
    if len(spoken) > 1:
        said.append(f"{len(spoken) - 1} other")
    return ", ".join(said)


def _tallies(tallies: dict[str, tuple[Tally, Tally]]) -> Iterator[str]:
    """Yield a table of the operations that one recording has more of."""
    rows = [(name, pair) for name, pair in tallies.items() if pair[0].count != pair[1].count]
    if not rows:
        return
    rows.sort(key=lambda row: -abs(row[1][1].count - row[1][0].count))
    whole = (Tally("all"), Tally("all"))
    for pair in tallies.values():
        for all_of_it, tally in zip(whole, pair, strict=True):
            all_of_it.include(tally)
    rows.append(("all", whole))
    table: list[tuple[str, ...]] = [("round trips", "A", "B", "", "took A", "B")]
    for name, pair in rows:
        one, two = (tally.count for tally in pair)
        took = [duration(tally.total) if tally.count else "–" for tally in pair]
        more = f"{two - one:+,}" if one != two else ""
        table.append((inert(name, 40), f"{one:,}", f"{two:,}", more, *took))
    yield ""
    yield from aligned(table)


def _extent(pairings: Sequence[Pairing]) -> str:
    """Return how many requests, and how many exchanges they are where that is another number."""
    requests = count(len(pairings), "request")
    more = sum(
        abs(len(pairing.first) - len(pairing.second))
        for pairing in pairings
        if pairing.kind in ("only first", "only second", "more often")
    )
    return requests if more in (0, len(pairings)) else f"{requests}, {count(more, 'round trip')}"


def _by_operation(found: Differences, pairings: Sequence[Pairing], most: int) -> Iterator[str]:
    """Yield the lines of differences of one kind; those of an operation stand together."""
    operations: dict[str, list[Pairing]] = {}
    for pairing in pairings:
        operations.setdefault(pairing.operation, []).append(pairing)
    for name, each in sorted(
        operations.items(), key=lambda item: -sum(pairing.weight for pairing in item[1])
    ):
        each.sort(key=lambda pairing: -pairing.weight)
        indent, title = "  ", f"{inert(name, 40)} "
        if len(each) > 1:
            yield f"  {inert(name, 40)}: {_extent(each)}"
            indent, title = "    ", ""
        for pairing in each[:most]:
            yield from (f"{indent}{line}" for line in _pairing(found, pairing, title))
        if len(each) > most:
            yield f"{indent}… {len(each) - most:,} more; --limit 0 shows all"


def _pairing(found: Differences, pairing: Pairing, title: str) -> Iterator[str]:
    line = f"{title}{found.about(pairing)}".rstrip() or inert(pairing.operation, 40)
    one, two = len(pairing.first), len(pairing.second)
    if pairing.kind == "slower":
        line += f": {duration(pairing.times[0])}, then {duration(pairing.times[1])}"
    elif one and two and one != two:
        line += f": {count(one, 'time')} in A, {two:,} in B"
    elif max(one, two) > 1:
        line += f": {count(max(one, two), 'time')}"
    yield f"{line}  ({_numbers(pairing)})"
    if not pairing.otherwise or pairing.pair is None:
        return
    changes = found.changes(pairing)
    for each in lines(changes, MOST_CHANGES):
        yield f"  {'  ' * each.depth}{each.text}"
    if not changes:
        yield "  other bytes, which mean the same"


def _numbers(pairing: Pairing) -> str:
    """Return which exchanges, the two that differ first."""
    words = []
    for which, side in enumerate("AB"):
        found = pairing.exchanges(which)
        shown = [i + 1 for i in found[:MOST_NUMBERS]]
        if pairing.otherwise and pairing.pair is not None:
            first = pairing.pair[which] + 1
            shown = [first, *(each for each in shown if each != first)][:MOST_NUMBERS]
        if found:
            more = "…" if len(found) > len(shown) else ""
            words.append(f"{side} {', '.join(f'#{each}' for each in shown)}{more}")
    return "; ".join(words)
