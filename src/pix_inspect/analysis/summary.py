"""A recording summed up by operation: the table that `run` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pix_inspect.analysis.statistics import Statistics
from pix_inspect.base.table import aligned
from pix_inspect.base.units import count, duration, size
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.kinds import KINDS
from pix_inspect.recording.about import caveats
from pix_inspect.session.session import Session

MOST_DECODED = 1000
"""Exchanges that are decoded to see whether there is anything to be found."""


def summary(path: Path) -> Iterator[str]:
    """Yield the lines of the table for the recording at `path`. Raises Problem."""
    session = Session(path).read_all()
    heads = ("operation", "count", "total", "slowest", "errors", "up", "down")
    table = [heads]
    operations = Statistics(session).finish().operations.values()
    table += (
        (
            tally.name,
            f"{tally.count:,}",
            duration(tally.total),
            duration(tally.longest),
            str(tally.errors or ""),
            size(tally.up),
            size(tally.down),
        )
        for tally in sorted(operations, key=lambda tally: -tally.total)
    )
    yield from aligned(table)
    found = Findings(session, most_decoded=MOST_DECODED).finish().counts
    grave = [name for name in KINDS if found[name] and KINDS[name].grade != "note"]
    if grave:
        told = ", ".join(f"{KINDS[name].grade} {name}" for name in grave)
        yield f"found: {told}; `pix-inspect check` on the recording explains"
    elapsed = duration(max(session.last - session.started, 0))
    yield ", ".join(
        (count(len(session.connections), "connection"), elapsed, *caveats(session.made))
    )
    session.close()
