"""The manual as Markdown: one file a page, pictures beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os.path import relpath

from pix_inspect.describe.annotated_bytes import text as annotated_text
from pix_inspect.teach.manual import blocks
from pix_inspect.teach.manual.links import Links

WIDTH = 110


def site(pages: Sequence[blocks.Page], links: Links) -> Iterator[tuple[str, str]]:
    """Yield every file of the manual: its path and its text."""
    around = blocks.neighbours(pages)
    for page in pages:
        writer = _Writer(page, links, around.get(page.path, (None, None)))
        yield f"{page.path}.md", writer.page()
        yield from writer.pictures


class _Writer:
    """Writes one page."""

    def __init__(self, page: blocks.Page, links: Links, around: blocks.Around) -> None:
        self.here = page
        self.links = links
        self.around = around
        self.pictures: list[tuple[str, str]] = []

    def page(self) -> str:
        page = self.here
        parts = [f"# {page.title}", self._text(page.summary)]
        parts += [self._block(block) for block in page.blocks]
        if page.path != "index":
            ways = zip(("Previous: ", "Next: "), self.around, strict=True)
            last = [f"{way}[{_plain(other.title)}]({self._href(other.path)})"
                    for way, other in ways if other is not None]  # fmt: skip
            parts.append(" · ".join([*last, f"[Contents]({self._href('index')})"]))
        return "\n\n".join(parts) + "\n"

    def _href(self, target: str) -> str:
        path, sharp, anchor = target.partition("#")
        folder = self.here.path.rpartition("/")[0] or "."
        return f"{relpath(path, folder)}.md{sharp}{anchor}"

    def _text(self, text: str, *, prose: bool = True) -> str:
        out = []
        for kind, words, target in self.links.split(text, self.here.path, prose=prose):
            shown = f"`{words}`" if kind == "code" else _plain(words)
            out.append(f"[{shown}]({self._href(target)})" if target else shown)
        return "".join(out)

    def _block(self, block: blocks.Block) -> str:
        match block:
            case blocks.Heading(text, anchor):
                own = f'<a id="{anchor}"></a>\n' if anchor else ""
                return f"{own}## {_plain(text)}"
            case blocks.Prose(text):
                return self._text(text)
            case blocks.Bullets(items):
                return "\n".join(f"* {self._text(item)}" for item in items)
            case blocks.Facts(pairs):
                return "\n".join(
                    f"* {_plain(name)}: {self._text(value, prose=False)}" for name, value in pairs
                )
            case blocks.Grid():
                return self._grid(block)
            case blocks.Bytes(caption, lines):
                shown = "\n".join(annotated_text(lines, WIDTH))
                return f"{_plain(caption)}\n\n```text\n{shown}\n```"
            case blocks.Code(caption, text):
                code = text.strip("\n")
                return f"{_plain(caption)}:\n\n```\n{code}\n```"
            case blocks.Question(asked, answer):
                said = self._text(answer)
                fold = f"<details><summary>Answer</summary>\n\n{said}\n\n</details>"
                return f"{self._text(asked)}\n\n{fold}"
            case blocks.Picture(name, svg, says):
                self.pictures.append((f"pictures/{name}.svg", f"{svg}\n"))
                folder = self.here.path.rpartition("/")[0] or "."
                return f"![{_plain(says)}]({relpath(f'pictures/{name}.svg', folder)})"

    def _grid(self, grid: blocks.Grid) -> str:
        out = [f"| {' | '.join(grid.heads)} |", f"|{' --- |' * len(grid.heads)}"]
        for i, row in enumerate(grid.rows):
            anchor = grid.anchors[i] if i < len(grid.anchors) else ""
            cells = [self._text(cell, prose=j != 1) for j, cell in enumerate(row)]
            if grid.targets:
                cells[0] = f"[{_plain(row[0])}]({self._href(grid.targets[i])})"
            if anchor:
                cells[0] = f'<a id="{anchor}"></a>{cells[0]}'
            out.append(f"| {' | '.join(cells)} |")
        return "\n".join(out)


def _plain(text: str) -> str:
    """Return text without anything that Markdown would take for more."""
    for char in "\\`*_[]<>|":
        text = text.replace(char, f"\\{char}")
    return text
