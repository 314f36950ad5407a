"""The manual is complete: everything declared has its place, and every link leads somewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from posixpath import dirname, join, normpath

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR
from pix.codec.records import Record
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.names import enumerations, records, scalars
from pix.protocol.types import FEATURES
from pix_inspect.teach.errata import ERRATA
from pix_inspect.teach.manual import html, markdown
from pix_inspect.teach.manual.blocks import Bytes, Page, Picture
from pix_inspect.teach.manual.links import Links
from pix_inspect.teach.manual.pages import pages
from pix_inspect.teach.manual.specimens import Specimens


@pytest.fixture(scope="module")
def manual() -> list[Page]:
    with Specimens() as specimens:
        return pages(specimens)


@pytest.fixture(scope="module")
def links(manual: list[Page]) -> Links:
    return Links(manual)


@pytest.fixture(scope="module")
def site(manual: list[Page], links: Links) -> dict[str, str]:
    return dict(html.site(manual, links))


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


def anchors_of(record: Record, path: str, prefix: str) -> set[str]:
    found = {f"{path}#{prefix}{part.name}" for part in record.fields}
    if record.payload is not None:
        found.add(f"{path}#{prefix}{record.payload.name}")
    return found


def test_everything_declared_has_its_place(links: Links) -> None:
    wanted = {f"versions/1.{minor}" for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1)}
    for operation in OPERATIONS.values():
        path = f"operations/{operation.name}"
        wanted.add(path)
        wanted |= anchors_of(operation.request, path, "request.")
        wanted |= anchors_of(operation.reply, path, "reply.")
    for frame in STDERR_FRAMES.values():
        wanted.add(f"frames/{frame.name}")
        wanted |= anchors_of(frame.fields, f"frames/{frame.name}", "layout.")
    for name, record in records().items():
        wanted.add(f"types/{name}")
        if name not in ("ClientHello", "DaemonHello"):
            wanted |= anchors_of(record, f"types/{name}", "layout.")
    for cls, prefix in ((ClientHello, "request."), (DaemonHello, "reply.")):
        hello = wire_of(cls)
        assert isinstance(hello, Record)
        wanted |= anchors_of(hello, "operations/handshake", prefix)
    for name, wire in enumerations().items():
        wanted |= {f"types/{name}#{label}" for label in wire.by_label}
    assert {"ActivityType", "ResultType", "BuildStatus"} <= set(enumerations())
    wanted |= {f"types/scalars#{name}" for name in scalars()}
    wanted |= {f"features/{name}" for name in FEATURES}
    assert wanted - links.anchors == set()


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
    for _, _, _, target in json.loads(site["index.js"].partition("=")[2].rstrip(";\n")):
        path, _, anchor = target.partition("#")
        assert path in site
        assert not anchor or f"{path.removesuffix('.html')}#{anchor}" in links.anchors


def test_every_markdown_link_leads_somewhere(manual: list[Page], links: Links) -> None:
    files = dict(markdown.site(manual, links))
    for name, text in files.items():
        outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"(?<!\\)\]\(([^)]+)\)", outside):
            path, _, anchor = target.partition("#")
            found = normpath(join(dirname(name), path))
            assert found in files, (name, target)
            assert not anchor or f'id="{anchor}"' in files[found], (name, target)


def test_examples_are_recorded(manual: list[Page]) -> None:
    shown = {page.names[0]: page for page in manual if page.kind == "operation"}
    recorded = {
        name for name, page in shown.items() if any(isinstance(b, Bytes) for b in page.blocks)
    }
    assert len(recorded) >= 39
    for name in recorded:
        (data,) = (b for b in shown[name].blocks if isinstance(b, Bytes))
        assert data.lines
        assert any(isinstance(b, Picture) and "<svg" in b.svg for b in shown[name].blocks)


def test_every_erratum_is_told_where_it_belongs(manual: list[Page], links: Links) -> None:
    text = {page.path: str(page.blocks) for page in manual}
    for erratum in ERRATA:
        for subject in erratum.subjects:
            assert subject in links.targets, subject
            assert repr(erratum.fact)[1:-1] in text[links.targets[subject].partition("#")[0]]


def test_a_layout_tells_what_each_version_brought(site: dict[str, str]) -> None:
    page = site["operations/QueryPathInfo.html"]
    assert "info.valid" in page
    assert "info.ultimate" in page
    page = site["operations/AddToStore.html"]
    assert "+ method" in page
    assert "− fixed" in page


def test_ordinary_words_are_no_links(links: Links) -> None:
    pieces = list(links.split("Nix 1.11 names Text and 1.21, `BuildPaths`, STDERR_LAST", "index"))
    assert [(kind, words) for kind, words, target in pieces if target] == [
        ("link", "1.21"),
        ("code", "BuildPaths"),
        ("link", "STDERR_LAST"),
    ]
