"""`pix-inspect analyse`: where the time of a recording went, and what distance would cost."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from pix_inspect.analysis.round_trips import Analysis, Analyst, Distance
from pix_inspect.analysis.text import as_text
from pix_inspect.base.terminal_text import show
from pix_inspect.commands.dump import report_reading
from pix_inspect.options.output import output_arguments
from pix_inspect.options.progress import Progress
from pix_inspect.options.quantities import rate_given, time_given
from pix_inspect.options.recording import recording_argument


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    recording_argument(parser)
    parser.add_argument(
        "--at-rtt",
        type=time_given,
        metavar="TIME",
        help="what it would cost at this round trip: 50ms",
    )
    parser.add_argument(
        "--rate",
        type=rate_given,
        default=0.0,
        metavar="SIZE",
        help="and so many bytes a second: 20M",
    )
    output_arguments(parser, "in all")


def main(args: argparse.Namespace) -> int:
    """Print the analysis of a recording."""
    distance = None
    if args.at_rtt is not None or args.rate:
        distance = Distance(args.at_rtt or 0, args.rate)
    with Progress() as progress:
        analyst = Analyst(
            args.recording, distance, lambda done, whole: progress.show("reading", done, whole)
        )
        found = analyst.read()
    if args.format == "json":
        print(json.dumps(as_json(found, distance, analyst.predicted)))
    else:
        show(as_text(found, distance, analyst.predicted))
    report_reading(analyst.reader, analyst.lost, whole=True)
    return 0


def as_json(found: Analysis, distance: Distance | None, predicted: int) -> dict[str, Any]:
    """Return the analysis as JSON; times in seconds."""
    return {
        "elapsed": found.elapsed / 1e9,
        "exchanges": found.exchanges,
        "connections": found.connections,
        "handshakes": found.handshakes / 1e9,
        "thinking": found.thinking / 1e9,
        "round_trips": found.round_trips,
        "bytes": {"up": found.up, "down": found.down},
        "repeated": {"requests": found.repeated, "bytes": found.repeated_bytes},
        "again": [asdict(again) for again in found.again],
        "stalls": {
            side: {"time": idle.time / 1e9, "count": idle.count, "lasting": idle.lasting}
            for side, idle in zip(("client", "daemon"), found.stalls, strict=True)
        },
        "operations": [
            {
                "operation": split.name,
                "count": split.count,
                "errors": split.errors,
                "total": split.total / 1e9,
                "p50": (split.percentile(50) or 0) / 1e9,
                "p95": (split.percentile(95) or 0) / 1e9,
                "max": (split.slowest or 0) / 1e9,
                "requesting": split.requesting / 1e9,
                "waiting": split.waiting / 1e9,
                "answering": split.answering / 1e9,
                "up": split.up,
                "down": split.down,
                "reads": split.reads,
            }
            for split in sorted(found.operations.values(), key=lambda split: -split.total)
        ],
        "runs": [
            {
                "operation": run.operation,
                "connection": run.connection,
                "count": run.count,
                "distinct": run.distinct,
                "time": run.time / 1e9,
                "thinking": run.thinking / 1e9,
                "advice": run.advice,
            }
            for run in found.runs
        ],
        "at_distance": None
        if distance is None
        else {"rtt": distance.rtt / 1e9, "rate": distance.rate, "elapsed": predicted / 1e9},
    }
