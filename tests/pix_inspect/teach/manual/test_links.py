"""Which words lead where."""

from __future__ import annotations

from pix_inspect.teach.manual.links import Links


def test_ordinary_words_are_no_links(links: Links) -> None:
    pieces = list(links.split("Nix 1.11 names Text and 1.21, `BuildPaths`, STDERR_LAST", "index"))
    assert [(kind, words) for kind, words, target in pieces if target] == [
        ("link", "1.21"),
        ("code", "BuildPaths"),
        ("link", "STDERR_LAST"),
    ]
