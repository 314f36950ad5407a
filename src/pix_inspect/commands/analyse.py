"""`pix-inspect analyse`: where the time of a recording went, and what distance would cost.

Knows how an analysis looks as text and as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix_inspect.analysis import Analysis, Analyst, Distance, Split
from pix_inspect.quantities import rate_given, time_given
from pix_inspect.units import count, duration, size

MOST_RUNS_SHOWN = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recording", type=Path)
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
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(args: argparse.Namespace) -> int:
    """Print the analysis of a recording."""
    distance = None
    if args.at_rtt is not None or args.rate:
        distance = Distance(args.at_rtt or 0, args.rate)
    analyst = Analyst(args.recording, distance, _progress())
    found = analyst.read()
    if args.format == "json":
        print(json.dumps(as_json(found, distance, analyst.predicted)))
    else:
        print("\n".join(as_text(found, distance, analyst.predicted)))
    return 0


def _progress() -> Any:
    if not sys.stderr.isatty():
        return lambda done, whole: None

    def show(done: int, whole: int) -> None:
        if whole > 32 << 20:
            end = "\n" if done >= whole else ""
            print(f"\rpix-inspect: {done * 100 // whole} %", end=end, file=sys.stderr, flush=True)

    return show


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


def as_text(found: Analysis, distance: Distance | None, predicted: int) -> Iterator[str]:
    """Yield the lines of the analysis."""
    yield (
        f"{count(found.exchanges, 'exchange')} on {count(found.connections, 'connection')} in"
        f" {duration(found.elapsed)}; {count(found.round_trips, 'round trip')},"
        f" {size(found.up)} up, {size(found.down)} down"
    )
    busy = sum(split.total for split in found.operations.values())
    whole = max(busy + found.thinking, 1)
    yield (
        f"clients thought {duration(found.thinking)} ({found.thinking * 100 // whole} %),"
        f" handshakes took {duration(found.handshakes)}"
    )
    if found.repeated:
        about = "at least " if found.forgotten else ""
        yield (
            f"{about}{count(found.repeated, 'request')} said what had been said before"
            f" ({size(found.repeated_bytes)})"
        )
    yield ""
    yield from _operations(found, whole)
    if found.runs:
        yield ""
        yield "again and again, each after the answer to the last:"
        for run in found.runs[:MOST_RUNS_SHOWN]:
            each = duration(run.time // run.count)
            line = (
                f"  {run.count:,} × {run.operation} on connection {run.connection},"
                f" {run.distinct * 100 // run.count} % distinct, {each} each"
            )
            yield f"{line}: {run.advice}" if run.advice else line
        if len(found.runs) > MOST_RUNS_SHOWN:
            yield f"  … {len(found.runs) - MOST_RUNS_SHOWN} more runs"
    if distance is not None:
        yield ""
        rate = f" and {size(int(distance.rate))} a second" if distance.rate else ""
        factor = predicted / max(found.elapsed, 1)
        yield (
            f"with a round trip of {duration(distance.rtt)}{rate} it would have taken about"
            f" {duration(predicted)}, {factor:.3g} times as long"
        )


def _operations(found: Analysis, whole: int) -> Iterator[str]:
    heads = ("operation", "count", "total", "share", "p50", "p95", "max", "request", "wait",
             "answer", "up", "down", "errors")  # fmt: skip
    splits = sorted(found.operations.values(), key=lambda split: -split.total)
    table = [heads, *(_cells(split, whole) for split in splits)]
    widths = [max(len(line[i]) for line in table) for i in range(len(heads))]
    for line in table:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _cells(split: Split, whole: int) -> tuple[str, ...]:
    return (
        split.name,
        f"{split.count:,}",
        duration(split.total),
        f"{split.total * 100 // whole} %",
        duration(split.percentile(50)),
        duration(split.percentile(95)),
        duration(split.slowest),
        duration(split.requesting),
        duration(split.waiting),
        duration(split.answering),
        size(split.up),
        size(split.down),
        str(split.errors or ""),
    )
