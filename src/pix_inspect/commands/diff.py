"""`pix-inspect diff A B`: what two recordings do not have in common. Exit status 1 if anything.

Knows how differences look as text and as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix_inspect.about import about
from pix_inspect.differences import VOLATILE, Pairing, compare_sessions
from pix_inspect.inert import inert, plain
from pix_inspect.session import Session
from pix_inspect.units import count, duration

KINDS = ("only first", "only second", "answered otherwise", "more often", "slower")
MOST_CHANGES = 8


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help=f"do not compare this field; always ignored: {', '.join(sorted(VOLATILE))}",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(args: argparse.Namespace) -> int:
    """Print the differences; slowness alone is told, but does not count."""
    mask = VOLATILE | frozenset(args.ignore)
    sessions = (Session(args.first).read_all(), Session(args.second).read_all())
    pairings = compare_sessions(*sessions, mask, about)
    different = [pairing for pairing in pairings if pairing.kind != "same"]
    if args.format == "json":
        for pairing in different:
            print(json.dumps(as_json(pairing)))
    else:
        for line in as_text(different, len(pairings)):
            print(line)
    return 1 if any(pairing.kind != "slower" for pairing in different) else 0


def as_json(pairing: Pairing) -> dict[str, Any]:
    """Return a pairing as JSON; exchanges by number, times in seconds."""
    return {
        "difference": pairing.kind,
        "operation": pairing.operation,
        "about": pairing.about,
        "first": [i + 1 for i in pairing.first],
        "second": [i + 1 for i in pairing.second],
        "took": [took / 1e9 for took in pairing.times],
        "changes": [
            {"field": change.path, "first": change.first, "second": change.second}
            for change in pairing.changes
        ],
    }


def as_text(different: list[Pairing], of: int) -> Iterator[str]:
    """Yield the lines of the differences, grouped by kind."""
    if not different:
        yield f"no difference in {count(of, 'operation and request', 'operations and requests')}"
        return
    for kind in KINDS:
        chosen = [pairing for pairing in different if pairing.kind == kind]
        chosen.sort(key=lambda pairing: -pairing.weight)
        if chosen:
            yield f"{kind}: {len(chosen)}"
        for pairing in chosen:
            numbers = " ".join(
                f"{side}#{', #'.join(str(i + 1) for i in found[:3])}{'…' if len(found) > 3 else ''}"
                for side, found in (("first ", pairing.first), ("second ", pairing.second))
                if found
            )
            line = f"  {pairing.operation} {pairing.about}".rstrip()
            if kind == "more often":
                line += f": {count(len(pairing.first), 'time')}, then {len(pairing.second)}"
            if kind == "slower":
                line += f": {duration(pairing.times[0])}, then {duration(pairing.times[1])}"
            yield f"{line}  ({numbers})"
            for change in pairing.changes[:MOST_CHANGES]:
                values = f"{_short(change.first)} → {_short(change.second)}"
                yield f"      {inert(change.path, 80)}: {values}"
            if len(pairing.changes) > MOST_CHANGES:
                yield f"      … {len(pairing.changes) - MOST_CHANGES} more fields"


def _short(value: Any) -> str:
    text = plain(value) if isinstance(value, str) else json.dumps(value)
    return inert(text, 70)
