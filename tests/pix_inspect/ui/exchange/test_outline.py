"""Trees of rows: which line is which row, pages, bytes, and shapes that are carried over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.describe.field_rows import FieldRow
from pix_inspect.ui.exchange.outline import PAGE, Outline, Path

Make = Callable[[FieldRow], Sequence[FieldRow]]


def leaf(label: str, start: int = -1, end: int = -1, side: int = 0) -> FieldRow:
    return FieldRow(label, side=side if start >= 0 else None, start=start, end=end)


def row(label: str, *children: FieldRow, start: int = -1, end: int = -1) -> FieldRow:
    side = 0 if start >= 0 else None
    make: Make | None = (lambda _: children) if children else None
    return FieldRow(label, side=side, start=start, end=end, make=make)


class Counted(Sequence[FieldRow]):
    """A long list that counts how many of its rows were made."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.made = 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> FieldRow:  # type: ignore[override]
        if not 0 <= index < self.length:
            raise IndexError(index)
        self.made += 1
        return leaf(str(index), index * 8, index * 8 + 8)


def long_list(length: int) -> tuple[Outline, Counted]:
    children = Counted(length)
    top = FieldRow("list", side=0, start=0, end=length * 8, make=lambda _: children)
    return Outline([top, leaf("after")]), children


def shown(outline: Outline) -> list[str]:
    found = []
    for number in range(len(outline)):
        line = outline.line(number)
        label = f"+{line.more}" if line.row is None else line.row.label
        found.append("  " * (len(line.path) - 1) + label)
    return found


def tree() -> Outline:
    inner = row("inner", leaf("x"), leaf("y"))
    return Outline([row("a", leaf("b"), inner, leaf("c")), leaf("d"), row("e", leaf("f"))])


def test_rows_open_and_close() -> None:
    outline = tree()
    assert shown(outline) == ["a", "d", "e"]
    assert outline.open((0,))
    assert not outline.open((0,))
    outline.open((0, 1))
    outline.open((2,))
    assert shown(outline) == ["a", "  b", "  inner", "    x", "    y", "  c", "d", "e", "  f"]
    assert outline.close((0,))
    assert not outline.close((0,))
    assert shown(outline) == ["a", "d", "e", "  f"]


def test_a_row_inside_a_closed_one_is_found_at_the_nearest_row_above() -> None:
    outline = tree()
    assert outline.find((0, 1, 1)) == 0
    outline.open((0,))
    assert outline.find((0, 1, 1)) == 2
    outline.reveal((0, 1, 1))
    assert outline.line(outline.find((0, 1, 1))).row is outline.row((0, 1, 1))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))))
def test_every_line_is_found_by_its_path(paths: list[Path]) -> None:
    outline = tree()
    for path in paths:
        outline.open(path)
    for number in range(len(outline)):
        assert outline.find(outline.line(number).path) == number
    with pytest.raises(IndexError):
        outline.line(len(outline))


def test_a_long_list_is_counted_and_shown_in_pages() -> None:
    outline, children = long_list(1_000_000)
    outline.open((0,))
    assert len(outline) == 1 + PAGE + 1 + 1
    assert outline.line(PAGE + 1).more == 1_000_000 - PAGE
    assert outline.line(PAGE + 2).row is outline.row((1,))
    outline.more((0, PAGE))
    assert len(outline) == 1 + 2 * PAGE + 1 + 1
    assert children.made == 0, "rows are made when they are looked at"


def test_an_element_far_down_a_list_is_found_by_its_bytes_without_making_all() -> None:
    outline, children = long_list(1_000_000)
    path = outline.at_byte(0, 8 * 765_432 + 3)
    assert path == (0, 765_432)
    outline.reveal(path)
    line = outline.line(outline.find(path))
    assert line.row is not None
    assert line.row.label == "765432"
    assert children.made < 100


def test_a_byte_belongs_to_the_innermost_row() -> None:
    inner = row("inner", leaf("x", 16, 24), leaf("y", 24, 32), start=16, end=32)
    outline = Outline([row("a", leaf("b", 8, 16), inner, start=0, end=40), leaf("d", 0, 8, side=1)])
    assert outline.at_byte(0, 25) == (0, 1, 1)
    assert outline.at_byte(0, 33) == (0,)
    assert outline.at_byte(1, 3) == (1,)
    assert outline.at_byte(1, 30) == ()


def test_what_is_open_is_carried_over_by_name() -> None:
    outline = tree()
    outline.open((0, 1))
    inner = row("inner", leaf("x"), leaf("y"))
    grown = Outline([leaf("new"), row("a", inner, leaf("c")), row("e", leaf("f"))])
    grown.take_shape(outline.shape())
    assert shown(grown) == ["new", "a", "  inner", "    x", "    y", "  c", "e"]
    labels = outline.labels((0, 1, 1))
    assert labels == ("a", "inner", "y")
    assert grown.at_labels(labels) == (1, 0, 1)


def test_everything_opens_up_to_a_bound() -> None:
    outline = tree()
    outline.open_all((0,))
    assert shown(outline) == ["a", "  b", "  inner", "    x", "    y", "  c", "d", "e"]
    outline, _ = long_list(1000)
    outline.open_all((0,), most=50)
    assert len(outline) == 1 + PAGE + 1 + 1


def test_what_is_opened_by_itself_has_room() -> None:
    outline, _ = long_list(1000)
    outline.open_usual()
    assert shown(outline) == ["list", "after"], "no long lists"
    outline = tree()
    outline.open_usual()
    assert len(outline) == 9
