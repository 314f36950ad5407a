"""The manual as Markdown: what it links to is there."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath

from pix_inspect.teach.manual import markdown
from pix_inspect.teach.manual.blocks import Page
from pix_inspect.teach.manual.links import Links


def test_every_markdown_link_leads_somewhere(manual: list[Page], links: Links) -> None:
    files = dict(markdown.site(manual, links))
    for name, text in files.items():
        outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"(?<!\\)\]\(([^)]+)\)", outside):
            path, _, anchor = target.partition("#")
            found = normpath(join(dirname(name), path))
            assert found in files, (name, target)
            assert not anchor or f'id="{anchor}"' in files[found], (name, target)
