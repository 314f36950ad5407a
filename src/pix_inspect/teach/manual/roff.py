"""Pages of the manual as man pages, in the macros of man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import pix
from pix.conversation.exchange import CLIENT
from pix_inspect.describe.annotated_bytes import WORD, ByteLine
from pix_inspect.teach.manual import blocks

WIDTH = 70
"""Columns of bytes and what they are: man pages are read at 80."""

_CODE = re.compile("`([^`]+)`")
_LONG = re.compile(r"(\S{30})(?=\S)")
"""Where a word is broken that would not fit in a line."""
_BREAK = "\1"
_SPECIAL = {
    "\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", "…": r"\&...",
    "→": r"\(->", "←": r"\(<-", "×": r"\(mu", "–": r"\(en", "—": r"\(em", "“": r"\(lq",
    "”": r"\(rq", "’": r"\(cq", "·": r"\(pc", "µ": r"\(mc", "≥": r"\(>=", "≤": r"\(<=",
    _BREAK: r"\:",
}  # fmt: skip


def man_page(pages: Sequence[blocks.Page], name: str, section: int, summary: str) -> str:
    """Return one man page of these pages, each a section of it unless it is the only one."""
    lines = [
        f'.TH {_escaped(name).upper()} {section} "" "pix\\-inspect {_escaped(pix.__version__)}"',
        ".ad l",  # a line that is one long path cannot be adjusted
        ".SH NAME",
        f"{_escaped(name)} \\- {_escaped(summary)}",
    ]
    for page in pages:
        if len(pages) > 1:
            lines += [f'.SH "{_quoted(page.title)}"', *_paragraph(page.summary)]
        for block in page.blocks:
            lines += _block(block, ".SS" if len(pages) > 1 else ".SH")
    # the first paragraph behind a heading needs no macro
    lines = [each for above, each in zip(["", *lines], lines, strict=False)
             if each != ".PP" or not above.startswith((".SH", ".SS"))]  # fmt: skip
    return "\n".join(lines) + "\n"


def _block(block: blocks.Block, heading: str) -> Iterator[str]:
    match block:
        case blocks.Heading(text):
            yield f'{heading} "{_quoted(text)}"'
        case blocks.Prose(text):
            yield from _paragraph(text)
        case blocks.Bullets(items):
            for item in items:
                yield from (r".IP \(bu 2", _text(item))
        case blocks.Facts(pairs):
            for name, value in pairs:
                yield from (".TP", f"\\fB{_escaped(name)}\\fR", _text(value) or r"\&")
        case blocks.Grid():
            yield from _grid(block)
        case blocks.Bytes(caption, lines):
            yield from _paragraph(caption)
            yield from _verbatim(_bytes(lines))
        case blocks.Code(caption, text):
            yield from _paragraph(caption)
            # a program's lines are long: they begin at the edge
            paragraph, *program = _verbatim(text.strip("\n").splitlines())
            yield from (paragraph, ".in 0", *program, ".in")
        case blocks.Question(asked, answer):
            yield from (*_paragraph(asked), ".RS 4", *_paragraph(answer), ".RE")
        case blocks.Picture(says=says):
            yield from _paragraph(says)


def _bytes(lines: Iterable[ByteLine]) -> Iterator[str]:
    """Yield a line for each value: where it stands, its first word, what it is."""
    part = None
    for line in lines:
        if (line.side, line.part) != part:
            part = (line.side, line.part)
            yield f"{'client' if line.side == CLIENT else 'daemon'}: {line.part}"
        if line.label:
            first = (line.data or b"")[:WORD].hex(" ")
            said = f"{'  ' * line.depth}{line.label}  {line.value}"
            yield f"  {line.offset:06x}  {first:<23}  {said}"[:WIDTH].rstrip()


def _grid(grid: blocks.Grid) -> Iterator[str]:
    """Yield a table as paragraphs: a man page is too narrow for five columns of prose."""
    for row in grid.rows:
        cells = [f"{head}: {cell}" if i > 1 else cell for i, (head, cell) in
                 enumerate(zip(grid.heads, row, strict=False)) if cell and i]  # fmt: skip
        yield from (".TP", f"\\fB{_escaped(row[0])}\\fR", _text("; ".join(cells)) or r"\&")


def _verbatim(lines: Iterable[str]) -> Iterator[str]:
    yield from (".PP", ".nf")
    yield from (_line(_escaped(line)) for line in lines)
    yield ".fi"


def verbatim(text: str) -> str:
    """Return the text of a Prose that stands as it is, line by line."""
    return f"\0{text}"


def _paragraph(text: str) -> Iterator[str]:
    if text.startswith("\0"):
        yield from _verbatim(text[1:].splitlines())
    elif text:
        yield from (".PP", _text(text))


def _text(text: str) -> str:
    said = _LONG.sub(rf"\1{_BREAK}", " ".join(text.split()))
    words = (
        f"\\fB{_escaped(piece)}\\fR" if i % 2 else _escaped(piece)
        for i, piece in enumerate(_CODE.split(said))
    )
    return _line("".join(words))


def _line(text: str) -> str:
    """Return a line that no macro begins."""
    return f"\\&{text}" if text.startswith((".", "\\(aq")) else text


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\(dq")
