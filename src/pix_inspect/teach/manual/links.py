"""Which words of the manual lead where.

A name leads to the page that explains it; a field, value or number of a table to its row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pix_inspect.teach.manual.blocks import Grid, Heading, Page

WORD = re.compile(
    r"`[^`]*`|STDERR_[A-Z_]+|[A-Za-z]+(?:-[a-z]+)+|[A-Z][A-Za-z0-9]+|(?<!Nix )\b1\.\d\d\b"
)


class Links:
    """The targets of all pages: `path` or `path#anchor`, by name."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self.targets: dict[str, str] = {}
        self.anchors: set[str] = set()
        for page in pages:
            self.anchors.add(page.path)
            for name in page.names:
                self.targets.setdefault(name, page.path)
            for name in page.anchored:
                self.targets.setdefault(name, f"{page.path}#{name}")
            for anchor in anchors(page):
                self.anchors.add(f"{page.path}#{anchor}")

    def find(self, word: str, here: str, *, prose: bool = True) -> str | None:
        """Return where a word leads, None for nowhere and for the page `here` itself.

        In prose only words that cannot be ordinary ones are links.
        """
        target = self.targets.get(word)
        if target is None or target.partition("#")[0] == here:
            return None
        ordinary = word.isalpha() and sum(char.isupper() for char in word) < 2
        return None if prose and ordinary and word != "handshake" else target

    def split(self, text: str, here: str, *, prose: bool = True) -> Iterator[tuple[str, str, str]]:
        """Yield the pieces of a text: what kind (text, code, link), the words, the target."""
        at = 0
        for match in WORD.finditer(text):
            word = match.group()
            if word.startswith("`"):
                kind, target = "code", self.find(word[1:-1], here, prose=False) or ""
                word = word[1:-1]
            else:
                kind, target = "link", self.find(word, here, prose=prose) or ""
                if not target:
                    continue
            if match.start() > at:
                yield "text", text[at : match.start()], ""
            yield kind, word, target
            at = match.end()
        if at < len(text):
            yield "text", text[at:], ""


def anchors(page: Page) -> Iterator[str]:
    """Yield the anchors of a page."""
    for block in page.blocks:
        if isinstance(block, Heading) and block.anchor:
            yield block.anchor
        if isinstance(block, Grid):
            yield from (anchor for anchor in block.anchors if anchor)
