"""`pix-inspect tour`: guided walks through the bundled recordings.

On a terminal in the screen, elsewhere as text.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import textwrap
from collections.abc import Iterator

from pix_inspect.base.terminal_text import show
from pix_inspect.commands.open import check_theme, look_arguments, need_terminal, own_settings
from pix_inspect.describe import annotated_bytes
from pix_inspect.options.output import output_arguments
from pix_inspect.session.session import Session
from pix_inspect.teach import bundled, tours

WIDTH = 100
LINES = 12
"""Lines of bytes that a step shows as text."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", help="which one; without it all are listed")
    parser.add_argument("--text", action="store_true", help="print it, also on a terminal")
    output_arguments(parser, "a tour, or a step of one")
    look_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """List the tours, or take one."""
    check_theme(args)
    if args.name is None:
        found = [(name, tours.tour(name)) for name in tours.names()]
        if args.format == "json":
            for name, each in found:
                print(json.dumps({"tour": name, "title": each.title, "summary": each.summary}))
        else:
            show(f"{name:<14} {each.title}: {each.summary}" for name, each in found)
        return 0
    tour = tours.tour(args.name)
    if args.format == "json":
        for step in tour.steps:
            print(json.dumps(dataclasses.asdict(step)))
        return 0
    if args.text or not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("\n".join(text(tour)))
        return 0
    from pix_inspect.ui.app.touring import Touring

    need_terminal("`pix-inspect tour --text` prints it")
    app = Touring(tour)
    app.configure(own_settings(args), args.theme)
    app.run()
    return 0


def text(tour: tours.Tour) -> Iterator[str]:
    """Yield a tour's lines: each step, and the bytes it means."""
    yield f"{tour.title}: {tour.summary}"
    sessions: dict[str, Session] = {}
    try:
        for number, step in enumerate(tour.steps, 1):
            if step.recording not in sessions:
                sessions[step.recording] = Session(bundled.recording(step.recording)).read_all()
            place = tours.place(step, sessions[step.recording])
            row = place.view.row
            yield ""
            yield f"{number} of {len(tour.steps)}  {step.recording}, exchange {row.number}"
            yield from textwrap.wrap(place.text, WIDTH, initial_indent="  ", subsequent_indent="  ")
            yield from _bytes(place)
    finally:
        for session in sessions.values():
            session.close()


def _bytes(place: tours.Place) -> Iterator[str]:
    row = place.row
    lines = annotated_bytes.annotated(place.view)
    if row.kind == "payload":  # with the words around its pieces
        lines = [line for line in lines if line.part == row.label]
    elif row.side is None or row.end <= row.start:
        return
    else:
        lines = annotated_bytes.within(lines, row.side, row.start, row.end)
    shown = list(annotated_bytes.text(lines[:LINES], WIDTH - 4))
    yield from (f"    {line}" for line in shown)
    if len(lines) > LINES:
        yield f"    … {len(lines) - LINES:,} more lines"
