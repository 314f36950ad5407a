"""`pix-inspect explain`: the protocol manual in the terminal.

Knows how an entry looks as text and as JSON; what it says is `pix_inspect.explain`'s.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from collections.abc import Iterator

from pix.gates import Protocol
from pix_inspect.explain import Entry, Table, entry, names
from pix_inspect.problem import Problem

WIDTH = 100
WIDEST_CELL = 44


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "name",
        nargs="*",
        help="an operation, type, field, STDERR frame, enumeration, feature, 1.25, 1.21 1.38",
    )
    parser.add_argument("--version", metavar="1.N", help="show only what this version has")
    parser.add_argument("--features", default="", metavar="A,B", help="with these features")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(args: argparse.Namespace) -> int:
    """Print an entry, or the names of all."""
    if not args.name:
        return _index(args.format)
    protocol = None
    if args.version is not None or args.features:
        features = frozenset(word for word in args.features.split(",") if word)
        try:
            protocol = Protocol.parse(args.version or "1.38", features)
        except ValueError as error:
            raise Problem(str(error)) from None
    found = entry(" ".join(args.name), protocol)
    if args.format == "json":
        print(json.dumps(dataclasses.asdict(found)))
    else:
        print("\n".join(text(found)))
    return 0


def _index(form: str) -> int:
    if form == "json":
        print(json.dumps(names()))
        return 0
    kinds: dict[str, list[str]] = {}
    for name, kind in names().items():
        if not kind.startswith("value of"):
            kinds.setdefault(kind, []).append(name)
    for kind, members in kinds.items():
        print(f"{kind}:")
        print(textwrap.fill(", ".join(members), WIDTH, initial_indent="  ", subsequent_indent="  "))
    return 0


def text(found: Entry) -> Iterator[str]:
    """Yield the lines of an entry."""
    yield f"{found.title} ({found.kind})"
    yield f"  {found.summary}"
    if found.facts:
        yield ""
        width = max(len(key) for key, _ in found.facts)
        for key, value in found.facts:
            yield from textwrap.wrap(
                value,
                WIDTH,
                initial_indent=f"  {key:<{width}}  ",
                subsequent_indent=" " * (width + 4),
            )
    for title, table in found.tables:
        yield ""
        yield f"  {title}"
        yield from _table(table)
    if found.notes:
        yield ""
        for note in found.notes:
            yield from textwrap.wrap(note, WIDTH, initial_indent="  * ", subsequent_indent="    ")


def _table(table: Table) -> Iterator[str]:
    used = [i for i in range(len(table.heads)) if any(row[i] for row in table.rows)]
    widths = [
        min(max(len(row[i]) for row in [table.heads, *table.rows]), WIDEST_CELL) for i in used
    ]
    for row in table.rows:
        cells = [row[i].ljust(width) for i, width in zip(used, widths, strict=True)]
        yield f"    {'  '.join(cells)}".rstrip()
