"""`pix-inspect dump`: a recording as text for people, or as JSON for programs.

One line of JSON an exchange, in order of start. Knows rendering; nothing of decoding.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pix_inspect.render import LONGEST_LIST, json_of, text_of
from pix_inspect.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recording", type=Path, help="a recording (.pcapng, also .gz or .zst)")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default) or JSON lines"
    )
    parser.add_argument("--all", action="store_true", help="show lists whole, however long")


def main(args: argparse.Namespace) -> int:
    """Print the exchanges of a recording."""
    session = Session(args.recording).read_all()
    as_json = args.format == "json"
    longest = None if args.all else LONGEST_LIST
    out = sys.stdout
    for i in range(len(session)):
        view = session.exchange(i)
        if as_json:
            out.write(json.dumps(json_of(view, session.started)) + "\n")
        else:
            for line in text_of(view, session.started, longest):
                out.write(line + "\n")
    report(session)
    return 0


def report(session: Session) -> None:
    """Say on stderr what the recording lacks."""
    for warning in session.reader.warnings:
        print(f"pix-inspect: {warning}", file=sys.stderr)
    if session.truncated is not None:
        offset, lost = session.truncated
        print(
            f"pix-inspect: {session.path} is cut at byte {offset}: the last {lost} bytes are no"
            " whole block and are left out",
            file=sys.stderr,
        )
    if session.lost:
        print(
            f"pix-inspect: {session.lost:,} bytes were not recorded when this was made",
            file=sys.stderr,
        )
