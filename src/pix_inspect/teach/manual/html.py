"""The manual as HTML: one file a page, one style sheet, one script, nothing from elsewhere.

Works from a folder, without a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from pix.conversation.exchange import CLIENT
from pix_inspect.base.units import count
from pix_inspect.describe.annotated_bytes import ByteLine
from pix_inspect.teach.manual import blocks, full_text
from pix_inspect.teach.manual.links import Links

ASSETS = ("style.css", "search.js")
REFERENCE = (("operations/handshake", "Handshake"), ("versions/versions", "Versions"))
"""What stands in the menu behind the chapters."""


def site(pages: Sequence[blocks.Page], links: Links) -> Iterator[tuple[str, str]]:
    """Yield every file of the manual: its path and its text."""
    around = blocks.neighbours(pages)
    chapters = [(page.path, page.title) for page in pages if page.kind == "chapter"]
    menu = (("index", "Contents"), *chapters, *REFERENCE)
    for page in pages:
        yield f"{page.path}.html", _Writer(page, links, menu, around.get(page.path)).page()
    for asset in ASSETS:
        yield asset, files("pix_inspect.teach.manual").joinpath(asset).read_text(encoding="utf-8")
    index = {"names": list(full_text.names(pages)), "sections": list(full_text.sections(pages))}
    yield "index.js", f"window.MANUAL = {json.dumps(index, ensure_ascii=False)};\n"


class _Writer:
    """Writes one page."""

    def __init__(
        self,
        page: blocks.Page,
        links: Links,
        menu: Sequence[tuple[str, str]],
        around: blocks.Around | None,
    ) -> None:
        self.here = page
        self.links = links
        self.menu = menu
        self.around = around
        self.up = "../" * page.depth

    def page(self) -> str:
        page = self.here
        body = "\n".join(self._block(block) for block in page.blocks)
        title = escape(page.title)
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="{escape(page.summary)}">
<title>{title} – the Nix daemon protocol</title>
<link rel="stylesheet" href="{self.up}style.css">
<script defer src="{self.up}index.js"></script>
<script defer src="{self.up}search.js" data-up="{self.up}"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the text</a>
<header>
<a class="name" href="{self.up}index.html">The Nix daemon protocol</a>
<div class="search" role="search">
<label for="search">Search</label>
<input id="search" type="search" autocomplete="off" placeholder="operation, field, value …"
 aria-controls="hits" aria-expanded="false" role="combobox">
<ul id="hits" role="listbox" aria-label="Hits" hidden></ul>
</div>
</header>
<nav aria-label="Chapters"><details id="menu"><summary>Chapters</summary>
<ul>{self._menu()}</ul></details></nav>
<main id="main">
<p class="kind">{escape(page.kind)}</p>
<h1>{title}</h1>
<p class="summary">{self._text(page.summary)}</p>
{body}
{self._neighbours()}</main>
<footer>Made by pix-inspect from the declarations it decodes with.</footer>
</body>
</html>
"""

    def _menu(self) -> str:
        out = []
        for path, title in self.menu:
            current = ' aria-current="page"' if path == self.here.path else ""
            out.append(f'<li><a href="{self.up}{path}.html"{current}>{escape(title)}</a></li>')
        return "".join(out)

    def _neighbours(self) -> str:
        """Return the links to the chapters before and after this one."""
        out = []
        for way, page in zip(("prev", "next"), self.around or (None, None), strict=True):
            if page is not None:
                said = "Previous" if way == "prev" else "Next"
                out.append(
                    f'<a rel="{way}" href="{self._href(page.path)}"><small>{said}</small> '
                    f"{escape(page.title)}</a>"
                )
        if not out:
            return ""
        return f'<div class="ways" role="navigation" aria-label="Next">{"".join(out)}</div>\n'

    def _href(self, target: str) -> str:
        path, sharp, anchor = target.partition("#")
        return escape(f"{self.up}{path}.html{sharp}{anchor}")

    def _text(self, text: str, *, prose: bool = True) -> str:
        out = []
        for kind, words, target in self.links.split(text, self.here.path, prose=prose):
            shown = escape(words)
            if kind == "code":
                shown = f"<code>{shown}</code>"
            if target:
                shown = f'<a href="{self._href(target)}">{shown}</a>'
            out.append(shown)
        return "".join(out)

    def _block(self, block: blocks.Block) -> str:
        match block:
            case blocks.Heading(text, anchor):
                own = f' id="{escape(anchor)}"' if anchor else ""
                return f"<h2{own}>{escape(text)}</h2>"
            case blocks.Prose(text):
                return f"<p>{self._text(text)}</p>"
            case blocks.Bullets(items):
                return "<ul>" + "".join(f"<li>{self._text(item)}</li>" for item in items) + "</ul>"
            case blocks.Facts(pairs):
                rows = "".join(
                    f"<dt>{escape(name)}</dt><dd>{self._text(value, prose=False)}</dd>"
                    for name, value in pairs
                )
                return f"<dl>{rows}</dl>"
            case blocks.Grid():
                return self._grid(block)
            case blocks.Bytes(caption, lines):
                return self._bytes(caption, lines)
            case blocks.Code(caption, text):
                name, code = escape(caption), text.strip("\n")
                return (
                    f'<figure class="code"><figcaption>{name}</figcaption><pre tabindex="0" '
                    f'aria-label="{name}"><code>{escape(code)}</code></pre></figure>'
                )
            case blocks.Question(asked, answer):
                return (
                    f'<div class="question"><p>{self._text(asked)}</p><details><summary>Answer'
                    f"</summary><p>{self._text(answer)}</p></details></div>"
                )
            case blocks.Picture(_, svg, _):
                return f'<figure tabindex="0">{svg}</figure>'

    def _grid(self, grid: blocks.Grid) -> str:
        heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in grid.heads)
        rows = []
        for i, row in enumerate(grid.rows):
            anchor = grid.anchors[i] if i < len(grid.anchors) else ""
            own = f' id="{escape(anchor)}"' if anchor else ""
            cells = []
            for j, cell in enumerate(row):
                shown = self._text(cell, prose=not (j in grid.names or j == 1))
                if j == 0 and grid.targets:
                    shown = f'<a href="{self._href(grid.targets[i])}">{escape(cell)}</a>'
                if j in grid.names and cell:
                    shown = f"<code>{shown}</code>"
                cells.append(f'<th scope="row">{shown}</th>' if j == 0 else f"<td>{shown}</td>")
            rows.append(f"<tr{own}>{''.join(cells)}</tr>")
        caption = escape(grid.caption)
        return (
            f'<div class="table" tabindex="0" role="region" aria-label="{caption}">'
            f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _bytes(self, caption: str, lines: Sequence[ByteLine]) -> str:
        rows = []
        part = None
        for line in lines:
            side = "client" if line.side == CLIENT else "daemon"
            if (line.side, line.part) != part:
                part = (line.side, line.part)
                arrow = "↑ the client" if line.side == CLIENT else "↓ the daemon"
                rows.append(
                    f'<tr class="{side} part"><th scope="rowgroup" colspan="4">{arrow}: '
                    f"{escape(line.part)}</th></tr>"
                )
            value = f" {escape(line.value)}" if line.value else ""
            more = (
                f' <span class="more">… {count(line.more, "more byte")}</span>' if line.more else ""
            )
            says = f' title="{escape(line.doc)}"' if line.doc else ""
            label = f"<b>{escape(line.label)}</b>" if line.label else ""
            what = f'<td class="what" style="--depth:{line.depth}"{says}>{label}{value}{more}</td>'
            rows.append(
                f'<tr class="{side}"><td class="at">{line.offset:06x}</td>'
                f'<td class="hex">{escape(line.hex)}</td><td class="ascii">{escape(line.text)}</td>'
                f"{what}</tr>"
            )
        shown = escape(caption)
        return (
            f'<div class="table bytes" tabindex="0" role="region" aria-label="{shown}">'
            f"<table><caption>{shown}</caption><thead><tr>"
            '<th scope="col">offset</th><th scope="col">bytes</th><th scope="col">ASCII</th>'
            f'<th scope="col">what</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        )
