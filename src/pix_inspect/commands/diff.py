"""`pix-inspect diff A B`: what two recordings, or two exchanges, do not have in common.

Exit status 1 if there is anything.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Tone, Toned, show
from pix_inspect.base.units import duration
from pix_inspect.commands.dump import report
from pix_inspect.compare.changes import VOLATILE
from pix_inspect.compare.changes_text import lines
from pix_inspect.compare.exchanges import compare_exchanges
from pix_inspect.compare.sessions import Differences, compare_sessions
from pix_inspect.compare.sessions_text import as_json, as_text, changes_as_json
from pix_inspect.describe.about import about
from pix_inspect.options.output import output_arguments
from pix_inspect.options.progress import Progress
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session

LIMIT = 5
ELEMENTS = 20
"""Fields, and elements of each list, that are shown of two exchanges."""
EVERY = 1 << 40
SLICE = 0.2
"""Seconds of reading between two looks at how far it has come."""
WIDTH = 200
"""Characters of a value where two exchanges are compared."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.usage = (
        "%(prog)s [options] A B          two recordings\n"
        "       %(prog)s [options] A N B M      exchange N of A and exchange M of B\n"
        "       %(prog)s [options] A N M        two exchanges of one recording"
    )
    parser.add_argument(
        "what", nargs="+", metavar="RECORDING", help="recordings, and exchanges by number"
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help=f"do not compare this field; always ignored: {', '.join(sorted(VOLATILE))}",
    )
    parser.add_argument(
        "--everything",
        action="store_true",
        help="compare also what differs from run to run",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=None,
        metavar="N",
        help=f"differences of a kind that are shown for each operation ({LIMIT}), or fields and "
        f"elements of two exchanges ({ELEMENTS}); 0 for all",
    )
    output_arguments(parser, "a difference")


def main(args: argparse.Namespace) -> int:
    """Print the differences; slowness alone is told, but does not count."""
    if args.limit is not None and args.limit < 0:
        raise Problem("--limit is a number of differences, 0 for all")
    paths, numbers = _meant(args.what)
    mask = frozenset(args.ignore) | (frozenset() if args.everything else VOLATILE)
    progress = Progress()
    try:
        sessions = [_read(path, progress) for path in paths]
        first, second = sessions[0], sessions[-1]
        if numbers:
            return _exchanges(_view(first, numbers[0]), _view(second, numbers[1]), mask, args)
        found = compare_sessions(
            first, second, mask, lambda done, whole: progress.show("comparing", done, whole)
        )
    finally:
        progress.clear()
    for session in sessions:
        report(session, whole=True)
    _print(found, args)
    return 1 if any(pairing.kind != "slower" for pairing in found.pairings) else 0


def _meant(words: list[str]) -> tuple[list[Path], list[int]]:
    """Return the recordings and the numbers of exchanges that are meant. Raises Problem."""
    files, numbers = words, []
    if len(words) == 3:
        files, numbers = words[:1], words[1:]
    elif len(words) == 4:
        files, numbers = words[::2], words[1::2]
    meant = [number for number in map(natural, numbers) if number is not None]
    if len(words) not in (2, 3, 4) or len(meant) < len(numbers):
        raise Problem("give two recordings, A B, or two exchanges by number: A N B M, or A N M")
    return [Path(file) for file in files], meant


def _read(path: Path, progress: Progress) -> Session:
    session = Session(path)
    while session.poll(SLICE):
        progress.show(f"reading {inert(path.name, 40)}", session.consumed, session.size)
    return session


def _view(session: Session, number: int) -> ExchangeView:
    if not 1 <= number <= len(session):
        raise Problem(f"{session.path} has no exchange {number}: they are 1 to {len(session):,}")
    return session.exchange(number - 1)


def _print(found: Differences, args: argparse.Namespace) -> None:
    if args.format == "json":
        for pairing in found.pairings:
            print(json.dumps(as_json(found, pairing)))
        return
    limit = LIMIT if args.limit is None else args.limit or EVERY
    show(as_text(found, limit))


def _exchanges(
    first: ExchangeView, second: ExchangeView, mask: frozenset[str], args: argparse.Namespace
) -> int:
    """Print how two exchanges differ; 1 if they do."""
    changes = compare_exchanges(first, second, mask)
    if args.format == "json":
        print(json.dumps({"first": first.row.number, "second": second.row.number,
                          "changes": changes_as_json(changes)}))  # fmt: skip
        return 1 if changes else 0
    for side, view in zip("AB", (first, second), strict=True):
        row = view.row
        what = f"{inert(row.name)} {about(view)}".rstrip()
        head = f"{side}  #{row.number} {what}, took {duration(row.took)}"
        show([Toned(head, Tone.HEADING)])
    most = ELEMENTS if args.limit is None else args.limit or EVERY
    show(f"  {'  ' * line.depth}{line.text}" for line in lines(changes, most, WIDTH))
    if not changes:
        print("no difference")
    return 1 if changes else 0
