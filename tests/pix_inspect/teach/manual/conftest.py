"""The manual, made once for all that look at it."""

from __future__ import annotations

import pytest

from pix_inspect.teach.manual import html
from pix_inspect.teach.manual.blocks import Page
from pix_inspect.teach.manual.links import Links
from pix_inspect.teach.manual.pages import pages
from pix_inspect.teach.manual.specimens import Specimens


@pytest.fixture(scope="session")
def manual() -> list[Page]:
    with Specimens() as specimens:
        return pages(specimens)


@pytest.fixture(scope="session")
def links(manual: list[Page]) -> Links:
    return Links(manual)


@pytest.fixture(scope="session")
def site(manual: list[Page], links: Links) -> dict[str, str]:
    return dict(html.site(manual, links))
