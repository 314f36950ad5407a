"""The manual as a site: what it links to is there, and nothing comes from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from posixpath import dirname, join, normpath

from pix_inspect.teach.manual.blocks import Page
from pix_inspect.teach.manual.links import Links


class _Reader(HTMLParser):
    """Collects ids and links; complains of what is not closed."""

    VOID = frozenset({"meta", "link", "input", "br", "path", "rect", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.hrefs: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.hrefs += [given[key] or "" for key in ("href", "src") if given.get(key)]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_every_link_leads_somewhere(site: dict[str, str]) -> None:
    ids: dict[str, set[str]] = {}
    hrefs: list[tuple[str, str]] = []
    for name, text in site.items():
        if not name.endswith(".html"):
            continue
        reader = _Reader()
        reader.feed(text)
        assert reader.open == []
        assert len(set(reader.ids)) == len(reader.ids), name
        ids[name] = set(reader.ids)
        hrefs += [(name, href) for href in reader.hrefs]
    assert len(hrefs) > 2000
    for name, href in hrefs:
        path, _, anchor = href.partition("#")
        target = normpath(join(dirname(name), path)) if path else name
        assert target in site, (name, href)
        assert not anchor or anchor in ids[target], (name, href)


def test_nothing_comes_from_elsewhere(site: dict[str, str]) -> None:
    for name, text in site.items():
        found = re.findall(r"""(?:src|href)=["']([^"']+)|url\(([^)]+)|@import (.+);""", text)
        assert not [each for each in found if "//" in "".join(each)], name


def test_every_search_hit_leads_somewhere(site: dict[str, str], links: Links) -> None:
    index = json.loads(site["index.js"].partition("=")[2].rstrip(";\n"))
    targets = [each[3] for each in index["names"]] + [each[1] for each in index["sections"]]
    assert len(targets) > 1000
    for target in targets:
        path, _, anchor = target.partition("#")
        assert path in site
        assert not anchor or f"{path.removesuffix('.html')}#{anchor}" in links.anchors


def test_next_leads_through_all_chapters_and_previous_back(
    site: dict[str, str], manual: list[Page]
) -> None:
    chapters = [f"{page.path}.html" for page in manual if page.kind == "chapter"]
    for way, order in (("next", chapters), ("prev", chapters[::-1])):
        at, walked = order[0], [order[0]]
        while found := re.search(f'<a rel="{way}" href="([^"]+)"', site[at]):
            at = normpath(join(dirname(at), found.group(1)))
            walked.append(at)
        assert walked == order
    assert len(chapters) == 16
    assert chapters[0] == "chapters/introduction.html"
