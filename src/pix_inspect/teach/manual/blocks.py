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


Block = Heading | Prose | Bullets | Facts | Grid | Bytes | Picture


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
