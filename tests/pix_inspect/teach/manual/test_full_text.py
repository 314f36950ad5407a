"""What the search looks through: names, and all text by its section."""

from __future__ import annotations

import pytest

from pix_inspect.teach.manual import full_text
from pix_inspect.teach.manual.blocks import Page
from pix_inspect.teach.manual.links import Links


@pytest.fixture(scope="module")
def sections(manual: list[Page]) -> list[full_text.Section]:
    return list(full_text.sections(manual))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("ptxc", "chapters/log.html#tags"),
        ("0x6e697863", "chapters/connection.html#client"),
        ("content-addressed", "chapters/introduction.html#paths"),
        ("bytes(-len(value) % 8)", "chapters/primitives.html#client"),
        ("stla", "operations/QueryPathInfo.html#example"),
        ("you are not privileged", "chapters/trust.html#refusals"),
    ],
)
def test_text_is_in_its_section(sections: list[full_text.Section], text: str, where: str) -> None:
    assert where in [place for _, place, said in sections if text in said]


def test_every_section_leads_somewhere(sections: list[full_text.Section], links: Links) -> None:
    for title, where, said in sections:
        path, _, anchor = where.partition("#")
        assert title
        assert "`" not in said
        page = path.removesuffix(".html")
        assert page in links.anchors
        assert not anchor or f"{page}#{anchor}" in links.anchors


def test_names_are_those_of_pages_and_rows(manual: list[Page]) -> None:
    names = {(name, where) for name, _, _, where in full_text.names(manual)}
    assert ("QueryPathInfo (26)", "operations/QueryPathInfo.html") in names
    assert ("padding", "chapters/glossary.html#padding") in names
    assert ("padding", "findings/findings.html#padding") in names
