"""Lines of output: on a terminal in colour and wrapped at words, elsewhere as they are.

What a line says decides its tone where it is made; here that becomes a colour. NO_COLOR
(https://no-color.org) and TERM=dumb leave colours out. Words longer than the terminal is wide,
store paths among them, are left whole, so that they can be copied. Tables end behind a column.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from enum import Enum
from typing import Literal, TypeAlias

from pix_inspect.base.table import TableLine

Fit: TypeAlias = Literal["wrap", "cut", "as it is"]
"""What becomes of lines too long for a terminal; data stays as it is."""

NARROWEST = 20
"""Columns below which nothing is wrapped."""


class Tone(Enum):
    """How a line is meant, with its colour (ECMA-48, SGR)."""

    HEADING = "1"
    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    ASIDE = "2"


class Toned(str):
    """A line with a tone; everywhere else it is its text."""

    __slots__ = ("tone",)
    tone: Tone

    def __new__(cls, text: str, tone: Tone) -> Toned:
        line = super().__new__(cls, text)
        line.tone = tone
        return line


def show(lines: Iterable[str], fit: Fit = "wrap") -> None:
    """Print lines on standard output."""
    out = sys.stdout
    if fit == "as it is" or not out.isatty():
        for line in lines:
            out.write(f"{line}\n")
        return
    width = shutil.get_terminal_size().columns
    coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for line in lines:
        tone = line.tone if coloured and isinstance(line, Toned) else None
        for piece in wrapped(line, width) if fit == "wrap" else [_cut(line, width)]:
            out.write(f"{piece}\n" if tone is None else f"\x1b[{tone.value}m{piece}\x1b[0m\n")


def room(most: int) -> int:
    """Return the columns that standard output has, at most `most`; where it is a file, those."""
    return min(shutil.get_terminal_size((most, 24)).columns, most) if sys.stdout.isatty() else most


def wrapped(line: str, width: int) -> list[str]:
    """Return a line in pieces of at most `width` columns, the further ones indented more."""
    if len(line) <= width or width < NARROWEST:
        return [line]
    if isinstance(line, TableLine):
        return [line.fitted(width)]
    indent = min(len(line) - len(line.lstrip()) + 4, width // 2)
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
