"""`pix-inspect explain`: the protocol manual in the terminal, and an exchange byte by byte."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix.codec.gates import FAMILIES, NEWEST, Protocol
from pix.conversation.exchange import SIDES
from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.base.terminal_text import room, show
from pix_inspect.describe import annotated_bytes
from pix_inspect.options.output import output_arguments
from pix_inspect.teach.bundled import examples, recording, senders
from pix_inspect.teach.entries import entry, names
from pix_inspect.teach.entry_text import WIDTH, text

EXAMPLE_FRAMES = 2
"""Log frames of an example that are shown; a log can be long, and is not what it is about."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "name",
        nargs="*",
        help="an operation, type, field, STDERR frame, enumeration, feature, 1.25, 1.21 1.38; a"
        " finding or a mistake, as check names it; what the serve protocol has as serve.NAME, 2.7",
    )
    parser.add_argument(
        "--version",
        metavar="1.N",
        help="show only what this version (1.N, of the serve protocol 2.N) has",
    )
    parser.add_argument("--features", default="", metavar="A,B", help="with these features")
    parser.add_argument(
        "--in",
        dest="recording",
        nargs=2,
        metavar=("FILE", "N"),
        help="explain exchange N of a recording byte by byte",
    )
    parser.add_argument("--no-example", action="store_true", help="leave out the recorded example")
    output_arguments(parser, "for an entry, one a row of bytes")


def main(args: argparse.Namespace) -> int:
    """Print an entry, an exchange, or the names of all."""
    if args.recording is not None:
        if args.name or args.version is not None or args.features:
            raise Problem("--in FILE N explains what is there: no name or version goes with it")
        return _exchange(args.recording[0], args.recording[1], args.format)
    if not args.name:
        return _index(args.format)
    protocol = None
    if args.version is not None or args.features:
        features = frozenset(word for word in args.features.split(",") if word)
        protocol = Protocol.parse(args.version or NEWEST.text, features, FAMILIES)
    found = entry(" ".join(args.name), protocol)
    example = None if args.no_example else examples().get(found.title)
    if args.format == "json":
        place = None
        if example is not None:
            place = {"recording": example[0], "exchange": example[1]}
        print(json.dumps(dataclasses.asdict(found) | {"example": place}))
        return 0
    columns = room(WIDTH)
    show(text(found, columns))
    sent = senders().get(found.title)
    if sent:
        pad = "    "
        print("\n  sent in the bundled recordings by")
        print(textwrap.fill(", ".join(sent), columns, initial_indent=pad, subsequent_indent=pad))
    if example is not None:
        print("\n".join(_example(found.title, *example)))
    return 0


def _width() -> int:
    """Return the columns of a dump of bytes, which may be as wide as the terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 120


def _example(title: str, name: str, number: int) -> Iterator[str]:
    """Yield what shows an entry in a bundled recording, annotated."""
    from pix_inspect.session.session import Session
    from pix_inspect.teach.examples import span

    session = Session(recording(name)).read_all()
    view = session.exchange(number - 1)
    yield ""
    yield f"  example: exchange {number} of recordings/{name}.pcapng, protocol {view.protocol}"
    place = span(view, title)
    if place is None:
        lines = annotated_bytes.annotated(view, frames=EXAMPLE_FRAMES)
    else:
        lines = annotated_bytes.within(annotated_bytes.annotated(view), *place)
    for line in annotated_bytes.text(lines, _width() - 4):
        yield f"    {line}"
    session.close()


def _exchange(file: str, number: str, form: str) -> int:
    """Print one exchange of a recording byte by byte."""
    from pix_inspect.describe.text_and_json import text_of
    from pix_inspect.session.session import Session

    wanted = natural(number)
    if not wanted:
        raise Problem(f"{number!r} is not an exchange: they are numbered from 1")
    session = Session(Path(file)).read_all()
    if wanted > len(session):
        raise Problem(f"{file} has {len(session):,} exchanges, no {number}")
    view = session.exchange(wanted - 1)
    lines = annotated_bytes.annotated(view)
    if form == "json":
        for line in lines:
            print(json.dumps(_json(line)))
    else:
        print(next(text_of(view, session.started)))
        doc = view.exchange.operation.doc if view.exchange and view.exchange.operation else ""
        if doc:
            print(f"  {doc}")
        print("\n".join(_explained(lines)))
    session.close()
    return 0


def _explained(lines: list[annotated_bytes.ByteLine]) -> Iterator[str]:
    """Yield annotated lines, each with what the declarations say about it below."""
    width = _width()
    for i, line in enumerate(lines):
        first = i == 0 or (line.side, line.part) != (lines[i - 1].side, lines[i - 1].part)
        yield from list(annotated_bytes.text([line], width))[0 if first else 1 :]
        if line.label and line.doc:
            gate = f" ({line.gate})" if line.gate else ""
            yield f"{' ' * 58}{'  ' * line.depth}{line.doc}{gate}"


def _json(line: annotated_bytes.ByteLine) -> dict[str, Any]:
    return {
        "side": SIDES[line.side],
        "offset": line.offset,
        "bytes": None if line.data is None else line.data.hex(),
        "part": line.part,
        "field": line.label,
        "value": line.value,
        "meaning": line.doc,
        "gate": line.gate,
        "not_shown": line.more,
    }


def _index(form: str) -> int:
    if form == "json":
        print(json.dumps(names()))
        return 0
    kinds: dict[str, list[str]] = {}
    for name, kind in names(values=False).items():
        kinds.setdefault(kind, []).append(name)
    for kind, members in kinds.items():
        print(f"{kind}:")
        print(
            textwrap.fill(
                ", ".join(members),
                room(WIDTH),
                initial_indent="  ",
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
        )
    return 0
