"""What a page of the manual consists of.

Text may hold `code` in backticks; words that name a page become links when it is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from pix.dataclass import dataclass, field
from pix_inspect.describe.annotated_bytes import ByteLine


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a page; `anchor` is what links point to."""

    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of short paragraphs."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Grid:
    """A table. A row's anchor is empty when nothing points to it.

    `names` are the columns (from 0) whose cells are names, shown as code; `targets` the
    pages that the first cells lead to.
    """

    caption: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    anchors: Sequence[str] = field(default_factory=list)
    names: tuple[int, ...] = (0,)
    targets: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bytes:
    """An annotated exchange, or a part of one, and where it was recorded."""

    caption: str
    lines: tuple[ByteLine, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing (SVG); `name` is a file name without ending, `says` is it in words."""

    name: str
    svg: str
    says: str


@dataclass(frozen=True, slots=True)
class Code:
    """A program, or what is typed, line by line."""

    caption: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """An exercise and its answer, which is not seen at once where that can be."""

    asked: str
    answer: str


Block = Heading | Prose | Bullets | Facts | Grid | Bytes | Picture | Code | Question


@dataclass(frozen=True, slots=True)
class Example:
    """Stands in a chapter for an annotated exchange: `of` is an operation, frame or type, or
    `handshake`."""

    of: str
    picture: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Stands in a chapter for what was asked in a recording, in a table."""

    recording: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """Stands in a chapter for a question about a recording, and the answer that is in it.

    `where` is the filter that finds it, `field` the value; `answer` has names in braces for what
    the recording says (see `exercises`).
    """

    recording: str
    asks: str
    where: str
    field: str
    answer: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter; its name is the page's."""

    name: str
    title: str
    summary: str
    parts: tuple[Block | Example | Asked | Exercise, ...]


@dataclass(slots=True)
class Page:
    """One page: `path` is a folder and a name without ending, `names` what it explains.

    `anchored` are names that are explained in a row of it, which has the name as its anchor.
    """

    path: str
    title: str
    kind: str
    summary: str
    blocks: list[Block] = field(default_factory=list)
    names: tuple[str, ...] = ()
    anchored: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """How many folders lie above the page."""
        return self.path.count("/")


Around = tuple[Page | None, Page | None]
"""The chapters before and after one."""


def neighbours(pages: Sequence[Page]) -> dict[str, Around]:
    """Return the chapter before and the one after each chapter, by its path."""
    chapters = [page for page in pages if page.kind == "chapter"]
    before = [None, *chapters[:-1]]
    after = [*chapters[1:], None]
    return {
        page.path: (previous, following)
        for page, previous, following in zip(chapters, before, after, strict=True)
    }
