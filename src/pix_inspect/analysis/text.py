"""An analysis in words: where the time went, what was asked again, what distance costs."""

from __future__ import annotations

from collections.abc import Iterator

from pix_inspect.analysis.round_trips import Analysis, Distance, Split
from pix_inspect.base.safe_text import inert
from pix_inspect.base.table import aligned
from pix_inspect.base.units import count, duration, size

MOST_RUNS_SHOWN = 10
MOST_AGAIN_SHOWN = 5

FRAMED = {
    "AddToStoreNar": "from 1.23 on it is sent without being asked for",
    "ImportPaths": "AddMultipleToStore (operation 44, from 1.32 on) sends all without being asked",
}
"""What does without STDERR_READ."""


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
    yield from _not_reading(found)
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
            yield line
            if run.advice:
                yield f"      {run.advice}"
        if len(found.runs) > MOST_RUNS_SHOWN:
            yield f"  … {len(found.runs) - MOST_RUNS_SHOWN} more runs"
    yield from _asked_again(found)
    yield from _asked_for(found)
    if distance is not None:
        yield ""
        rate = f" and {size(int(distance.rate))} a second" if distance.rate else ""
        factor = predicted / max(found.elapsed, 1)
        times = f"{factor:,.0f}" if factor >= 100 else f"{factor:.3g}"
        longer = "as long as it did" if times == "1" else f"{times} times as long"
        yield (
            f"with a round trip of {duration(distance.rtt)}{rate} it would have taken about"
            f" {duration(predicted)}, {longer}"
        )


def _not_reading(found: Analysis) -> Iterator[str]:
    """Say who kept the other from going on, because it did not read."""
    for side, idle in zip(("client", "daemon"), found.stalls, strict=True):
        if idle.count:
            other = "daemon" if side == "client" else "client"
            times = "once" if idle.count == 1 else f"{idle.count:,} times"
            least = "at least " if idle.lasting else ""
            still = ", and does not yet" if idle.lasting else ""
            took = f"{least}{duration(idle.time)}"
            yield f"the {side} did not read for {took}, {times}{still}: the {other} waited"


def _asked_again(found: Analysis) -> Iterator[str]:
    """Say which requests were made most often."""
    often = [again for again in found.again if again.count > 2][:MOST_AGAIN_SHOWN]
    if often:
        yield ""
        yield "the same request, asked or sent most often:"
    width = max((len(f"{again.count:,}") for again in often), default=0)
    for again in often:
        about = f" {inert(again.path, 200)}" if again.path else ""
        yield f"  {again.count:>{width},} × {again.operation}{about}, {size(again.bytes)} more"


def _asked_for(found: Analysis) -> Iterator[str]:
    """Say which payload went in small pieces, each asked for."""
    asking = [split for split in found.operations.values() if split.reads]
    if asking:
        yield ""
        yield "payload that the daemon asked for piece by piece, each a round trip:"
    for split in sorted(asking, key=lambda split: -split.reads):
        line = (
            f"  {split.name}: {count(split.reads, 'STDERR_READ')} for {size(split.up)},"
            f" {size(split.up // split.reads)} each"
        )
        advice = FRAMED.get(split.name)
        yield line
        if advice:
            yield f"      {advice}"


def _operations(found: Analysis, whole: int) -> Iterator[str]:
    heads = ("operation", "count", "errors", "total", "share", "p50", "p95", "max", "request",
             "wait", "answer", "up", "down")  # fmt: skip
    splits = sorted(found.operations.values(), key=lambda split: -split.total)
    yield from aligned([heads, *(_cells(split, whole) for split in splits)])


def _cells(split: Split, whole: int) -> tuple[str, ...]:
    return (
        split.name,
        f"{split.count:,}",
        str(split.errors or ""),
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
    )
