"""The glossary: in order, each word once, and those that the chapters use are in it."""

from __future__ import annotations

import pytest

from pix_inspect.teach.manual.glossary import GLOSSARY, TERMS, anchor


def test_words_stand_in_order_with_an_anchor_each() -> None:
    assert list(TERMS) == sorted(TERMS, key=str.casefold)
    assert len({anchor(term) for term in TERMS}) == len(TERMS)
    (grid,) = GLOSSARY.parts
    assert len(grid.anchors) == len(TERMS)  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["NAR", "closure", "derivation", "frame", "root", "trusted"])
def test_words_of_the_chapters_are_in_it(word: str) -> None:
    assert word in TERMS
