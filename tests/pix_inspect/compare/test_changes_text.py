"""Changes as lines: short values on one, long ones below each other, elements with their sign."""

from __future__ import annotations

from pix_inspect.compare.changes import Change
from pix_inspect.compare.changes_text import lines, parted, shown


def told(changes: list[Change], most: int = 5) -> list[str]:
    return [f"{'  ' * line.depth}{line.text}" for line in lines(changes, most)]


def test_short_values_share_a_line() -> None:
    assert told([Change("reply.valid", True, False), Change("", "a", None)]) == [
        "reply.valid: true → false",
        "all: a → –",
    ]


def test_long_values_stand_below_each_other() -> None:
    assert told([Change("m", "a" * 60, "b" * 60)]) == ["m:", f"  A  {'a' * 60}", f"  B  {'b' * 60}"]


def test_long_values_begin_shortly_before_they_part() -> None:
    first, second = parted("x" * 500 + "one" * 90, "x" * 500 + "two", 60)
    assert second == "…" + "x" * 12 + "two"
    assert first.startswith("…" + "x" * 12 + "oneone")
    assert len(first) == 60


def test_elements_of_one_side_have_a_sign() -> None:
    changes = [Change("p[3]", "a", None), *[Change(f"p[{i}]", None, f"b{i}") for i in range(9)]]
    assert told(changes) == [
        "p: 1 only in A, 9 only in B",
        "  - a",
        *[f"  + b{i}" for i in range(4)],
        "  … 5 more elements",
    ]


def test_fields_beyond_the_limit_are_counted() -> None:
    changes = [Change(f"f{i}", 1, 2) for i in range(7)]
    assert told(changes)[-2:] == ["f4: 1 → 2", "… 2 more fields"]


def test_hostile_text_is_inert() -> None:
    evil = "\x1b]0;title\x07\x1b[31m\u202e"
    said = "".join(told([Change(evil, evil, {evil: evil})]))
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert shown(None) == "–"
