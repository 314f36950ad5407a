from __future__ import annotations

import pytest

from pix.codec.lazy import Made


def test_items_are_made_when_they_are_looked_at() -> None:
    asked: list[int] = []

    def doubled(n: int) -> int:
        asked.append(n)
        return 2 * n

    made = Made(range(1_000_000), doubled)
    assert len(made) == 1_000_000
    assert asked == []
    assert (made[3], made[-1]) == (6, 1_999_998)
    assert asked == [3, 999_999]
    assert made[10:14:2] == [20, 24]
    assert next(iter(made)) == 0
    with pytest.raises(IndexError):
        made[1_000_000]


def test_what_comes_later_is_there_too() -> None:
    sources = ["a"]
    made = Made(sources, str.upper)
    sources.append("b")
    assert list(made) == ["A", "B"]
    assert made[1:] == ["B"]
