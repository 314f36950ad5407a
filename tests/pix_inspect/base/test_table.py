"""Tables as text: columns stand under each other, and none is cut in the middle."""

from __future__ import annotations

from pix_inspect.base.table import aligned

TABLE = [("name", "n", ""), ("a", "1,000", "x"), ("longer", "", "")]


def test_a_table_has_its_columns_under_each_other() -> None:
    assert list(aligned(TABLE)) == ["name        n", "a       1,000  x", "longer"]


def test_a_narrow_place_ends_it_behind_a_column() -> None:
    lines = list(aligned(TABLE))
    assert [line.fitted(16) for line in lines] == lines
    assert [line.fitted(15) for line in lines] == [
        "name        n …",
        "a       1,000 …",
        "longer        …",
    ]
    assert [line.fitted(10) for line in lines] == ["name   …", "a      …", "longer …"]
    assert [line.fitted(4) for line in lines] == ["nam…", "a  …", "lon…"]
