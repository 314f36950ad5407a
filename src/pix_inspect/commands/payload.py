"""`pix-inspect payload`: what was sent along with operations, as trees of files, and saving it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pix.codec.declare import OPERATIONS
from pix.codec.wire import Node
from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.base.narrate import say
from pix_inspect.base.new_files import AlreadyThere, save
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Fit, show
from pix_inspect.base.units import count, size
from pix_inspect.describe.about import about
from pix_inspect.describe.field_rows import node_row
from pix_inspect.options.output import output_arguments
from pix_inspect.options.recording import recording_argument
from pix_inspect.payload.contents import NOT_KEPT, PayloadContents, Place
from pix_inspect.payload.unpacking import archive_of, mode_of, pieces_of, unpack
from pix_inspect.session.session import Row, Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    recording_argument(parser)
    parser.add_argument(
        "which",
        nargs="?",
        type=chosen,
        metavar="N[:ENTRY]",
        help="the payload of exchange N, or a file, directory or archive in it; without it, all"
        " exchanges that have a payload are listed",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="save it: an archive as a NAR, a file as it is"
    )
    parser.add_argument(
        "--unpack", action="store_true", help="save a directory as the new directory OUT"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it is there")
    output_arguments(parser, "a payload, or an entry of one")


def chosen(text: str) -> tuple[int, str | None]:
    """Return the exchange and the entry that `12:bin/hello` means. For argparse."""
    number, colon, entry = text.partition(":")
    exchange = natural(number)
    if not exchange:
        raise argparse.ArgumentTypeError(f"{text!r} is not a payload: write 12, or 12:bin/hello")
    return exchange, entry if colon else None


def main(args: argparse.Namespace) -> int:
    """List payloads, or the files of one, or save."""
    if args.which is None and (args.output is not None or args.unpack):
        raise Problem("which payload? name the exchange: N, or N:ENTRY")
    if args.unpack and args.output in (None, "-"):
        raise Problem("--unpack needs -o DIRECTORY")
    as_json = args.format == "json"
    fit: Fit = "as it is" if as_json else "wrap"
    session = Session(args.recording).read_all()
    try:
        if args.which is None:
            show(_listed(session, as_json=as_json), fit)
            return 0
        number, entry = args.which
        contents = _contents(session, number, args.recording)
        if args.output is None:
            show(_tree(contents, entry, as_json=as_json), fit)
        else:
            _save(contents, entry, args)
    finally:
        session.close()
    return 0


def _contents(session: Session, number: int, name: Path) -> PayloadContents:
    if number > len(session):
        raise Problem(f"{name} has no exchange {number}: it has {len(session):,}")
    contents = PayloadContents(session.exchange(number - 1))
    contents.read()
    return contents


def has_payload(row: Row) -> bool:
    """Return whether an exchange's operation has a payload in some version."""
    operation = OPERATIONS.get(row.code) if row.code is not None else None
    return operation is not None and any(
        part.payload is not None for part in (operation.request, operation.reply)
    )


# Listing --------------------------------------------------------------------------------


def _listed(session: Session, *, as_json: bool) -> Iterator[str]:
    found = False
    for i in range(len(session)):
        if not has_payload(session.row(i)):
            continue
        view = session.exchange(i)
        payload = view.payload
        if payload is None:
            continue
        found = True
        row = view.row
        if as_json:
            yield json.dumps({"exchange": row.number, "operation": row.operation,
                              "about": about(view), "content": payload.content,
                              "bytes": payload.bytes, "kept": payload.kept})  # fmt: skip
            continue
        lacks = payload.bytes - payload.kept
        note = f"  ({size(lacks)} not kept)" if lacks else ""
        yield (
            f"{row.number:>7}  {row.operation or '':<20} {size(payload.bytes):>9}  "
            f"{inert(about(view), 120)}{note}"
        )
    if not found and not as_json:
        say("no exchange has a payload")


KINDS = {"regular": "-", "executable": "x", "symlink": "l", "directory": "d"}


def _tree(contents: PayloadContents, entry: str | None, *, as_json: bool) -> Iterator[str]:
    places: Iterable[Place] = contents.places
    if entry is not None:
        first = contents.find(entry)
        places = contents.places[first : contents.places[first].last]
    for place in places:
        info = contents.info(place.item) if place.depth == 0 else None
        if as_json:
            yield json.dumps(_json(contents, place) | {"info": info.plain() if info else None})
            continue
        yield _line(contents, place)
        if info is not None:
            yield from _info(info, contents.side)
    if entry is None:
        for line in remarks(contents):
            say(line)


def _line(contents: PayloadContents, place: Place) -> str:
    entry = place.entry
    target = f" → {inert(entry.target or '', 400)}" if entry.kind == "symlink" else ""
    lacks = place.end - place.start - contents.kept(place.start, place.end)
    note = f"  ({size(lacks)} not kept)" if lacks and place.is_file else ""
    bytes_ = f"{place.total:,}" if entry.kind != "symlink" else ""
    name = inert(contents.entry_path(place), 1000)
    return f"{KINDS[entry.kind]} {bytes_:>14}  {name}{target}{note}"


def _info(info: Node, side: int) -> Iterator[str]:
    """Lines that say what a batch tells of a path."""
    for row in node_row(info, side, 0).children:
        for field in row.children or (row,):
            inner = " ".join(each.value for each in field.children) or field.value
            yield f"{'':16}  {field.label}: {inner}"


def _json(contents: PayloadContents, place: Place) -> dict[str, Any]:
    spans = contents.spans(place.start, place.end)
    return {
        "entry": contents.entry_path(place),
        "kind": place.entry.kind,
        "bytes": place.total,
        "kept": contents.kept(place.start, place.end) if place.is_file else None,
        "target": place.entry.target,
        "stream": {"side": ("client", "daemon")[spans[0][0]], "start": spans[0][1],
                   "end": spans[-1][2]} if spans else None,
    }  # fmt: skip


def remarks(contents: PayloadContents) -> list[str]:
    """Return what has to be said of a payload: what was not kept or not understood."""
    said = []
    lacks = contents.size - contents.kept(0, contents.size)
    if lacks:
        said.append(f"{size(lacks)} of {size(contents.size)} were not recorded; {NOT_KEPT}")
    error = contents.error
    if error is not None and not lacks:
        said.append(f"not understood from byte {error.offset} of the content on: {error}")
    elif error is not None:
        said.append(f"what follows byte {error.offset} of the content is not known")
    elif not contents.complete and contents.done:
        said.append("the payload is cut off")
    return [inert(line, 400) for line in said]


# Saving ---------------------------------------------------------------------------------


def _save(contents: PayloadContents, entry: str | None, args: argparse.Namespace) -> None:
    number = contents.find(entry) if entry is not None else None
    if args.unpack:
        _unpack(contents, number, Path(args.output))
        return
    mode = 0o666
    if number is None:
        _, pieces = archive_of(contents)
    else:
        place = contents.places[number]
        if place.depth == 0 and len(contents.items) > 1:
            _, pieces = archive_of(contents, place.item)
        else:
            pieces = pieces_of(contents, place)
            mode = mode_of(place)
    if args.output == "-":
        _print(pieces)
        return
    try:
        written = save(Path(args.output), pieces, mode=mode, replace=args.force)
    except AlreadyThere as there:
        raise Problem(f"{there}; --force replaces it") from None
    say(f"{size(written)} in {args.output}")


def _unpack(contents: PayloadContents, number: int | None, folder: Path) -> None:
    roots = [i for i, place in enumerate(contents.places) if place.depth == 0]
    if number is None and len(roots) != 1:
        raise Problem(f"the payload holds {len(roots)} archives: choose one, N:NAME")
    entries = unpack(contents, roots[0] if number is None else number, folder)
    words = count(entries, "entry", "entries")
    say(f"{words} in {folder}")


def _print(pieces: Iterable[bytes]) -> None:
    if os.isatty(sys.stdout.fileno()):
        raise Problem("contents are not printed to a terminal: give -o FILE, or a pipe")
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
