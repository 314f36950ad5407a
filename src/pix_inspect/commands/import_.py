"""`pix-inspect import`: raw streams and other tools' captures made into a recording."""

from __future__ import annotations

import argparse
from pathlib import Path

from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.base.narrate import say
from pix_inspect.base.units import count
from pix_inspect.importing.captures import (
    Captured,
    captured,
    files_of,
    one_after_the_other,
    write_recording,
)
from pix_inspect.importing.raw_streams import raw_streams
from pix_inspect.importing.remarks import Remarks
from pix_inspect.options.payload_limit import payload_argument
from pix_inspect.recording.about import caveats, with_declarations
from pix_inspect.recording.notes import Made


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "captures", nargs="*", type=Path, metavar="FILE",
        help="a capture of TCP (pcap or pcapng, with --port; all its files) or of sockdump, a"
        " .nixwire file, a log of `socat -x`, or one of `strace -f -xx -s 1000000` (of -ff: its"
        " files, or what their names begin with); also .gz, .xz or .zst",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=port, metavar="N", help="the TCP port at which the daemon was reached"
    )
    parser.add_argument("--client", type=Path, metavar="FILE", help="the bytes the client sent")
    parser.add_argument("--daemon", type=Path, metavar="FILE", help="the bytes the daemon sent")
    parser.add_argument(
        "--events", type=Path, metavar="FILE", help="JSON lines with the time of each chunk"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="REC", help="the recording to make"
    )
    payload_argument(parser)


def port(text: str) -> int:
    """Return a port's number. For argparse: raises ArgumentTypeError."""
    found = natural(text)
    if not found or found > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 1 to 65535")
    return found


def main(args: argparse.Namespace) -> int:
    """Make a recording of other tools' captures, or of two raw streams."""
    about: dict[str, object] = {}
    found: list[Captured] = []
    streams = (args.client, args.daemon)
    if args.captures:
        if any((*streams, args.events)):
            raise Problem("give either captures or --client and --daemon, not both")
        found = [captured(each, args.port) for each in files_of(args.captures, args.port)]
        about["formats"] = [each.form for each in found]
        if any(each.timeless for each in found):
            about["events"] = False
        passed = one_after_the_other(each.passed for each in found)
    elif args.port is not None:
        raise Problem("--port is for captures of TCP: name them, FILE…")
    elif None in streams:
        raise Problem("say what to import: FILE…, or --client FILE --daemon FILE")
    else:
        told = Remarks()
        passed = raw_streams(*streams, args.events, remarks=told)
        found = [Captured("raw", passed, lambda: told.lines(str(args.events)))]
        about["events"] = args.events is not None
    made = Made.of(tool="pix-inspect import", **with_declarations(), **about)
    connections = write_recording(passed, args.output, about=made, payload_limit=args.payload)
    say(f"{args.output}: {count(connections, 'connection')}")
    for each in found:
        for remark in each.remarks():
            say(remark)
    for caveat in caveats(Made.read(made) or Made()):
        say(caveat)
    return 0
