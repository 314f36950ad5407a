"""`pix-inspect excerpt FILE N..M`: some exchanges as Markdown, ready for an issue tracker."""

from __future__ import annotations

import argparse
import json
import sys

from pix_inspect.base.narrate import say
from pix_inspect.commands.dump import report, selection
from pix_inspect.export.excerpt import MOST_BYTES, MOST_OF_AN_ISSUE, excerpt
from pix_inspect.options.output import output_arguments
from pix_inspect.options.recording import recording_argument
from pix_inspect.session.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    recording_argument(parser)
    parser.add_argument(
        "exchanges", type=selection, metavar="N..M", help="5, 5..9, 5.. or ..9, counted from 1"
    )
    parser.add_argument(
        "--bytes", type=int, default=MOST_BYTES, metavar="N",
        help=f"bytes shown of each side of an exchange ({MOST_BYTES}); 0: none",
    )  # fmt: skip
    parser.add_argument(
        "--no-redact", action="store_true",
        help="show secrets, tokens, names of users, commands, and what files hold, as they are",
    )  # fmt: skip
    output_arguments(parser, "with the Markdown in it")


def main(args: argparse.Namespace) -> int:
    """Print the excerpt."""
    session = Session(args.recording).read_all()
    first, last = args.exchanges
    text = excerpt(session, first, last, redacted=not args.no_redact, most_bytes=max(args.bytes, 0))
    if args.format == "json":
        about = {"recording": str(args.recording), "first": first, "last": min(last, len(session))}
        print(json.dumps(about | {"redacted": not args.no_redact, "markdown": text}))
    else:
        sys.stdout.write(text)
    report(session, whole=last >= len(session))
    if len(text) > MOST_OF_AN_ISSUE:
        say(
            f"this has {len(text):,} characters, issue trackers take {MOST_OF_AN_ISSUE:,}:"
            " choose fewer exchanges, or --bytes 0"
        )
    return 0
