"""`pix-inspect import`: raw streams made into a recording.

Knows arguments; the work is `pix_inspect.importing`'s.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pix_inspect.importing import write_recording
from pix_inspect.raw_streams import raw_streams
from pix_inspect.tap import payload_limit
from pix_inspect.units import count


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--client", type=Path, required=True, metavar="FILE", help="the bytes the client sent"
    )
    parser.add_argument(
        "--daemon", type=Path, required=True, metavar="FILE", help="the bytes the daemon sent"
    )
    parser.add_argument(
        "--events", type=Path, metavar="FILE", help="JSON lines with the time of each chunk"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="REC", help="the recording to make"
    )
    parser.add_argument(
        "--payload",
        type=payload_limit,
        default="64K",
        metavar="full|none|SIZE",
        help="how much of each payload to keep (default 64K)",
    )


def main(args: argparse.Namespace) -> int:
    """Make a recording of two raw streams."""
    connections = write_recording(
        raw_streams(args.client, args.daemon, args.events),
        args.output,
        about={"tool": "pix-inspect import", "events": args.events is not None},
        payload_limit=args.payload,
    )
    print(f"pix-inspect: {args.output}: {count(connections, 'connection')}", file=sys.stderr)
    return 0
