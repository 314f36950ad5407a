"""Bars and columns of block characters."""

from __future__ import annotations

from pix_inspect.analysis.statistics import BUCKETS
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.ui.screens.charts import bar, columns, filter_of


def test_a_bar_is_never_nothing_for_something() -> None:
    assert bar(0, 10) == " " * 10
    assert bar(0.0001, 10) == "▏" + " " * 9
    assert bar(1, 10) == "█" * 10
    assert bar(0.55, 10) == "█████▌    "


def test_columns_are_as_high_as_their_values() -> None:
    assert columns([], 2) == ["", ""]
    assert columns([0, 0], 2) == ["  ", "  "]
    assert columns([0, 1, 8, 16], 2) == ["   █", " ▁██"]


def test_every_bar_of_the_histogram_has_a_filter() -> None:
    for at in range(len(BUCKETS) + 1):
        compile_filter(filter_of(at))
