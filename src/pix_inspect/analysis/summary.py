"""A recording summed up by operation: the table that `run` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pix_inspect.base.units import count, duration, size
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.kinds import KINDS
from pix_inspect.recording.about import made_distant
from pix_inspect.session.session import Session

MOST_DECODED = 1000
"""Exchanges that are decoded to see whether there is anything to be found."""


@dataclass(slots=True)
class Total:
    """What one operation came to: times in nanoseconds, sizes in bytes."""

    count: int = 0
    time: int = 0
    slowest: int = 0
    errors: int = 0
    up: int = 0
    down: int = 0


def totals(session: Session) -> dict[str, Total]:
    """Return the totals by operation, those with the most time first."""
    found: dict[str, Total] = {}
    for i in range(len(session)):
        row = session.row(i)
        name = row.operation or (row.kind if row.code is None else f"operation {row.code}")
        total = found.setdefault(name, Total())
        total.count += 1
        total.time += row.took or 0
        total.slowest = max(total.slowest, row.took or 0)
        total.errors += row.state == "error"
        total.up += row.request_bytes
        total.down += row.reply_bytes
    return dict(sorted(found.items(), key=lambda item: -item[1].time))


def summary(path: Path) -> Iterator[str]:
    """Yield the lines of the table for the recording at `path`. Raises Problem."""
    session = Session(path).read_all()
    heads = ("operation", "count", "total", "slowest", "errors", "up", "down")
    table = [heads]
    for name, total in totals(session).items():
        table.append(
            (
                name,
                f"{total.count:,}",
                duration(total.time),
                duration(total.slowest),
                str(total.errors or ""),
                size(total.up),
                size(total.down),
            )
        )
    widths = [max(len(line[i]) for line in table) for i in range(len(heads))]
    for line in table:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()
    found = Findings(session, most_decoded=MOST_DECODED).finish().counts
    grave = [name for name in KINDS if found[name] and KINDS[name].grade != "note"]
    if grave:
        told = ", ".join(f"{KINDS[name].grade} {name}" for name in grave)
        yield f"found: {told}; `pix-inspect check` on the recording explains"
    elapsed = duration(session.last - session.started)
    distance = made_distant(session.about)
    far = f", the daemon made distant: {distance}" if distance else ""
    yield f"{count(len(session.connections), 'connection')}, {elapsed}{far}"
    session.close()
