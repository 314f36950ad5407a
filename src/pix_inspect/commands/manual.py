"""`pix-inspect manual`: the whole protocol manual as a folder of pages."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import narrate
from pix_inspect.teach import bundled
from pix_inspect.teach.manual import html, markdown
from pix_inspect.teach.manual.blocks import Bytes, Page
from pix_inspect.teach.manual.links import Links
from pix_inspect.teach.manual.pages import pages
from pix_inspect.teach.manual.specimens import Specimens

MARK = "made-by-pix-inspect"
FIRST = {"html": "index.html", "markdown": "index.md", "man": "pix-inspect.1"}
IN_ONE_PAGE = ("chapter", "handshake", "operation", "STDERR frame")
"""Kinds of pages that the man page on the protocols consists of."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="a new folder, or one that a manual was in",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("html", "markdown", "man"), default="html",
        help="html (default), markdown, or man pages of commands and protocol",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int:
    """Write the manual; a folder that holds anything else is left alone."""
    folder: Path = args.output
    try:
        _ready(folder)
        with Specimens() as specimens:
            made = pages(specimens)
        total = 0
        for name, text in _files(made, args.format):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            total += 1
        if args.format != "man":
            _hand_out(folder / "recordings")
    except OSError as error:
        raise Problem(f"{error.filename or folder}: {error.strerror}") from None
    first = folder / FIRST[args.format]
    narrate(f"{len(made)} pages, {total} files; begin with {first}")
    return 0


def _files(made: list[Page], form: str) -> Iterator[tuple[str, str]]:
    if form == "man":
        from pix_inspect.commands.man_pages import man_pages

        told = [page for page in made if page.kind in IN_ONE_PAGE]
        for page in told:
            if page.kind != "chapter":  # `explain` shows the bytes of each
                page.blocks = [block for block in page.blocks if not isinstance(block, Bytes)]
        return man_pages(told)
    return (html.site if form == "html" else markdown.site)(made, Links(made))


def _hand_out(folder: Path) -> None:
    """Put the recordings there that the exercises are about."""
    folder.mkdir(exist_ok=True)
    for recording in sorted(bundled.folder().glob("*.pcapng")):
        shutil.copyfile(recording, folder / recording.name)


def _ready(folder: Path) -> None:
    """Make the folder. Raises Problem when something else is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / f".{MARK}"
    if not mark.exists() and any(folder.iterdir()):
        raise Problem(f"{folder} is not empty: name a new folder, or one that the manual was in")
    mark.write_text("")
