"""Entries of the manual as lines of text, for the terminal and for panes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pix_inspect.base.terminal_text import Tone, Toned
from pix_inspect.teach.entries import Entry, Table

WIDTH = 100
WIDEST_CELL = 44


def text(found: Entry, room: int = WIDTH) -> Iterator[str]:
    """Yield the lines of an entry, prose wrapped to so many columns."""
    yield Toned(f"{found.title} ({found.kind})", Tone.HEADING)
    yield f"  {found.summary}"
    if found.facts:
        yield ""
        width = max(len(key) for key, _ in found.facts)
        for key, value in found.facts:
            yield from textwrap.wrap(
                value,
                room,
                initial_indent=f"  {key:<{width}}  ",
                subsequent_indent=" " * (width + 4),
            )
    for title, table in found.tables:
        yield ""
        yield f"  {title}"
        yield from _table(table)
    if found.notes:
        yield ""
        for note in found.notes:
            yield from _point(note, room)
    if found.documents:
        yield ""
        yield "  where documents are wrong, or somebody does it otherwise"
        for wrong in found.documents:
            yield from _point(wrong, room)


def _point(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, initial_indent="  * ", subsequent_indent="    ")


def _table(table: Table) -> Iterator[str]:
    used = [i for i in range(len(table.heads)) if any(row[i] for row in table.rows)]
    widths = [
        min(max(len(row[i]) for row in [table.heads, *table.rows]), WIDEST_CELL) for i in used
    ]
    for row in table.rows:
        cells = [row[i].ljust(width) for i, width in zip(used, widths, strict=True)]
        yield f"    {'  '.join(cells)}".rstrip()
