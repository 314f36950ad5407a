"""`pix-inspect dump`: a recording as text for people, as JSON for programs, or in part.

Exchanges are printed while the recording is read, in order of start; with `--follow` as
they end, while it grows.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.base.narrate import say
from pix_inspect.base.terminal_text import Fit, show
from pix_inspect.describe.text_and_json import LONGEST_LIST
from pix_inspect.export.printer import Printer
from pix_inspect.export.recording_subset import part_of
from pix_inspect.options.output import output_arguments
from pix_inspect.options.progress import Progress
from pix_inspect.options.recording import recording_argument
from pix_inspect.recording.about import caveats
from pix_inspect.recording.notes import made_of
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.session.growth import as_they_end, in_order
from pix_inspect.session.session import Session

if TYPE_CHECKING:
    from pix_inspect.filter.compiled import Filter

LAST = 1 << 62


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    recording_argument(parser)
    output_arguments(
        parser, "an exchange", pcapng="a recording of the connections that what matches stands in"
    )
    parser.add_argument("--oneline", action="store_true", help="a line for each exchange")
    parser.add_argument("--filter", metavar="EXPR", help="only exchanges that match")
    parser.add_argument(
        "--exchange", type=selection, metavar="N[..M]", help="one exchange, or from N to M"
    )
    parser.add_argument("--from", type=number, dest="first", metavar="N", help="from exchange N on")
    parser.add_argument("--to", type=number, dest="last", metavar="M", help="up to exchange M")
    parser.add_argument(
        "--follow", action="store_true", help="go on as the recording grows, until Ctrl-C"
    )
    parser.add_argument("--all", action="store_true", help="show lists whole, however long")
    parser.add_argument(
        "--redact", action="store_true", help="blank what is not known to be harmless"
    )


def number(text: str) -> int:
    """Return an exchange's number. For argparse: raises ArgumentTypeError."""
    found = natural(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not an exchange: they are numbered from 1")
    return found


def selection(text: str) -> tuple[int, int]:
    """Return the first and last number that `5`, `5..9`, `5..` or `..9` mean."""
    match = re.fullmatch(r"(\d*)(\.\.|-)?(\d*)", text, re.ASCII)
    if match is None or not (match[1] or match[3]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a selection: write 5, 5..9, 5.. or ..9")
    first = number(match[1]) if match[1] else 1
    if not match[2]:
        return first, first
    return first, number(match[3]) if match[3] else LAST


def main(args: argparse.Namespace) -> int:
    """Print the exchanges of a recording."""
    first, last = args.exchange or (args.first or 1, args.last or LAST)
    if first > last:
        raise Problem(f"nothing to show from exchange {first} to {last}: swap them")
    wanted = filter_of(args.filter)
    session = Session(args.recording)
    if args.format == "pcapng":
        return _as_recording(session, args, wanted, range(first - 1, last))
    out = sys.stdout
    printer = Printer(
        session,
        "oneline" if args.oneline and args.format == "text" else args.format,
        redacted=args.redact,
        longest=None if args.all else LONGEST_LIST,
    )
    fit: Fit = "as it is" if args.format == "json" else "cut" if args.oneline else "wrap"
    progress = Progress(on=not sys.stdout.isatty())
    source: Iterator[int | None] = islice(with_progress(session, progress), last)
    if args.follow:
        source = as_they_end(session)
    warned = 0
    for i in source:
        if args.follow and i is None:  # there is no end at which to say it
            for warning in session.reader.warnings[warned:]:
                say(warning)
            warned = len(session.reader.warnings)
        if (
            i is None
            or not first <= i + 1 <= last
            or (wanted is not None and not wanted.matches(session, i))
        ):
            continue
        show(printer.lines(i), fit)
        if args.follow:
            out.flush()
    progress.clear()
    out.flush()
    if first > len(session) and first > 1:
        raise Problem(f"{args.recording} has no exchange {first}: it has {len(session):,}")
    report(session, whole=last == LAST)
    return 0


def _as_recording(
    session: Session, args: argparse.Namespace, wanted: Filter | None, chosen: range
) -> int:
    """Write a recording of the connections in which something matches."""
    if args.redact or args.follow:
        raise Problem("--format pcapng copies what was recorded: without --redact and --follow")
    if sys.stdout.isatty():
        raise Problem("a recording is not printed to a terminal: write > part.pcapng")
    session.read_all()
    connections = {
        session.row(i).connection
        for i in range(len(session))
        if i in chosen and (wanted is None or wanted.matches(session, i))
    }
    if not connections:
        raise Problem(f"nothing in {args.recording} matches")
    for piece in part_of(session, connections):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return 0


def filter_of(text: str | None) -> Filter | None:
    """Return the filter of that text. Raises Problem."""
    if text is None:
        return None
    from pix_inspect.filter.compiled import compile_filter
    from pix_inspect.filter.syntax import FilterError

    try:
        return compile_filter(text)
    except FilterError as error:
        raise Problem(str(error)) from None


def with_progress(session: Session, progress: Progress) -> Iterator[int]:
    """Yield the exchanges in order of start, and show how far the recording was read."""
    return in_order(session, lambda: progress.show("reading", session.consumed, session.size))


def report(session: Session, *, whole: bool) -> None:
    """Say on stderr what the recording lacks, as far as it was read, and what it is not like."""
    report_reading(session.reader, session.lost, whole=whole)
    for connection in session.connections.values():
        if connection.guessed:
            say(
                f"the beginning of connection {connection.number} was not recorded: it is read as"
                f" {connection.protocol}, which is a guess"
            )


def report_reading(reader: RecordingReader, unrecorded: int, *, whole: bool) -> None:
    """Say the same of a recording that was read otherwise, with the bytes it says it lost."""
    for warning in (*caveats(made_of(reader.about)), *reader.warnings):
        say(warning)
    if whole and reader.truncated is not None:
        offset, lost = reader.truncated
        say(
            f"{reader.path} is cut at byte {offset}: the last {lost} bytes are an incomplete block"
            " and are left out"
        )
    if unrecorded:
        say(f"{unrecorded:,} bytes were not recorded when this was made")
