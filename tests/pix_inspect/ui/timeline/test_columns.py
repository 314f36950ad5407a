"""The timeline's columns: they fit every width, and the least important give way first."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME
from pix_inspect.ui.timeline.columns import (
    ABOUT,
    ENOUGH_ABOUT,
    LEAST_ABOUT,
    LONGEST_NAME,
    Lane,
    fitted,
    layout,
    seconds,
    took,
)
from tests.support.rows import a_row


def test_columns_fill_the_width() -> None:
    for width, rows in product(range(20, 250), (0, 99, 1_000_000)):
        found = layout(width, rows, 10)
        cells = sum(cells for _, cells in found) + len(found) - 1
        about = dict(found)[ABOUT]
        assert cells == width or (about == 0 and cells > width), (width, rows)
        assert {"number", "state", "operation", "about"} <= {column.name for column, _ in found}
        assert about >= LEAST_ABOUT or len(found) == 4, (width, rows)


def test_wide_screens_show_more() -> None:
    def names(width: int) -> list[str]:
        return [column.name for column, _ in layout(width, 100)]

    assert names(45) == ["number", "state", "operation", "about"]
    assert "lane" not in names(78)
    assert names(160) == [
        "number", "time", "connection", "state", "operation", "about", "took", "up", "down", "lane",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "…"),
        (380_000, "380 µs"),
        (99_000_000, "99 ms"),
        (334_000_000, "△334 ms"),
        (5_230_000_000, "▲5.23 s"),
        (125_000_000_000, "▲2m05s"),
        (3_720_000_000_000, "▲1h02m"),
    ],
)
def test_slow_ones_are_told_without_colour(ns: int | None, text: str) -> None:
    assert took(a_row(took=ns)) == text


def test_times() -> None:
    assert seconds(1_234_567_891) == "1.234567"
    assert seconds(-1_500_000) == "-0.001500"


def test_a_bar_shows_when_and_how_long_and_since_when_the_connection_waited() -> None:
    lane = Lane(0, 100)

    def bar(**about: Any) -> str:
        runs = lane.bar(a_row(**about), 20, 100, 10)
        return "".join(text for _, text in runs)

    assert bar(started=50, took=30) == "  ┄┄┄███  "
    assert bar(started=50, took=1) == "  ┄┄┄▏    "
    assert bar(started=50, took=None, state="open") == "  ┄┄┄▓▓▓▓▓"
    assert all(len(bar(started=at, took=at)) == 10 for at in range(101))


def test_on_a_wide_screen_names_of_operations_stand_whole() -> None:
    longest = max(len(each.name) for each in OPERATIONS.values())
    widths = {column.name: cells for column, cells in layout(140, 30)}
    assert widths["operation"] == LONGEST_NAME == longest
    assert widths["about"] >= ENOUGH_ABOUT
    assert {column.name: cells for column, cells in layout(78, 30)}["operation"] == 18


def test_names_of_the_serve_protocol_can_be_told_from_each_other() -> None:
    names = [name for name in OPERATIONS_BY_NAME if name.startswith("serve.")]
    shown = [fitted(name, 18) for name in names]
    assert len(set(shown)) == len(names) > 5
    assert "…QueryPathInfos" in shown
    assert max(map(len, shown)) <= 18
    assert fitted("serve.QueryPathInfos", 20) == "serve.QueryPathInfos"
    assert fitted("QueryDerivationOutputMap", 18) == "QueryDerivationOutputMap"
