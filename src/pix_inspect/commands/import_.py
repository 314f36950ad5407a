"""`pix-inspect import`: raw streams and other tools' captures made into a recording."""

from __future__ import annotations

import argparse
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.units import count
from pix_inspect.importing.captures import (
    captured,
    files_of,
    one_after_the_other,
    write_recording,
)
from pix_inspect.importing.raw_streams import raw_streams
from pix_inspect.importing.remarks import Remarks
from pix_inspect.importing.strace import has_times
from pix_inspect.options.payload_limit import payload_limit
from pix_inspect.recording.about import caveats
from pix_inspect.recording.notes import Made


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "captures", nargs="*", type=Path, metavar="FILE",
        help="a .nixwire file, or a log of `strace -f -xx -s 1000000` (of -ff: its files, or what"
        " their names begin with); also .gz, .xz or .zst",
    )  # fmt: skip
    parser.add_argument("--client", type=Path, metavar="FILE", help="the bytes the client sent")
    parser.add_argument("--daemon", type=Path, metavar="FILE", help="the bytes the daemon sent")
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
    """Make a recording of other tools' captures, or of two raw streams."""
    about: dict[str, object] = {}
    remarks: dict[str, Remarks] = {}
    streams = (args.client, args.daemon)
    if args.captures:
        if any((*streams, args.events)):
            raise Problem("give either captures or --client and --daemon, not both")
        files = files_of(args.captures)
        remarks = {str(each[0]): Remarks() for each in files}
        found = [captured(each, told) for each, told in zip(files, remarks.values(), strict=True)]
        about["formats"] = [form for form, _ in found]
        if any(
            form == "strace" and not all(map(has_times, each))
            for each, (form, _) in zip(files, found, strict=True)
        ):
            about["events"] = False
        passed = one_after_the_other(events for _, events in found)
    elif None in streams:
        raise Problem("say what to import: FILE…, or --client FILE --daemon FILE")
    else:
        remarks = {str(args.events): Remarks()}
        passed = raw_streams(*streams, args.events, remarks=remarks[str(args.events)])
        about["events"] = args.events is not None
    made = Made.of(tool="pix-inspect import", **about)
    connections = write_recording(passed, args.output, about=made, payload_limit=args.payload)
    say(f"{args.output}: {count(connections, 'connection')}")
    for name, told in remarks.items():
        for remark in told.lines(name):
            say(remark)
    for caveat in caveats(Made.read(made) or Made()):
        say(caveat)
    return 0
