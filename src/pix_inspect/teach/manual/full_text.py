"""What the manual's search looks through: names that are explained, and all text by section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pix_inspect.describe.annotated_bytes import WORD, ByteLine
from pix_inspect.teach.manual import blocks

Name = tuple[str, str, str, str]
"""Words, of what kind, what it is, where."""
Section = tuple[str, str, str]
"""A title, where, and the text."""


def names(pages: Sequence[blocks.Page]) -> Iterator[Name]:
    """Yield what is explained: a page, or a row of a table."""
    for page in pages:
        words = " ".join((page.title, *(name for name in page.names if name not in page.title)))
        yield words, page.kind, _plain(page.summary), f"{page.path}.html"
        for block in page.blocks:
            if not isinstance(block, blocks.Grid):
                continue
            for row, anchor in zip(block.rows, block.anchors, strict=False):
                if anchor:
                    name = f"{page.names[0]}.{anchor}" if page.names else row[0]
                    said = _plain(row[-1]) if len(row) > 1 else ""
                    yield name, f"in {page.title}", said, f"{page.path}.html#{anchor}"


def sections(pages: Sequence[blocks.Page]) -> Iterator[Section]:
    """Yield the text below each heading of each page, without marks."""
    for page in pages:
        title, anchor, said = page.title, "", [page.summary]
        for block in page.blocks:
            if isinstance(block, blocks.Heading):
                yield _section(page, title, anchor, said)
                title, anchor, said = f"{page.title}: {block.text}", block.anchor, []
            else:
                said += _texts(block)
        yield _section(page, title, anchor, said)


def _section(page: blocks.Page, title: str, anchor: str, said: Sequence[str]) -> Section:
    where = f"{page.path}.html" + (f"#{anchor}" if anchor else "")
    return title, where, _plain(" ".join(said))


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def _texts(block: blocks.Block) -> Iterator[str]:
    match block:
        case blocks.Prose(text):
            yield text
        case blocks.Bullets(items):
            yield from items
        case blocks.Facts(pairs):
            yield from (f"{name} {value}" for name, value in pairs)
        case blocks.Grid():
            yield block.caption
            yield from (" ".join(row) for row in block.rows)
        case blocks.Bytes(caption, lines):
            yield caption
            yield from map(_line, lines)
        case blocks.Code(caption, text):
            yield f"{caption} {text}"
        case blocks.Question(asked, answer):
            yield f"{asked} {answer}"
        case blocks.Heading() | blocks.Picture():
            pass


def _line(line: ByteLine) -> str:
    """Return what a line of bytes is; a word that can be read, such as a tag, as it is read."""
    word = (line.data or b"").rstrip(b"\0")
    tag = word.decode() if len(word) == WORD // 2 and word.isascii() and word.isalpha() else ""
    return f"{line.label} {line.value} {tag}"
