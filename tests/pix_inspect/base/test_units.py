"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.base.units import (
    count,
    duration,
    moment,
    parse_duration,
    parse_size,
    size,
)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "–"), (0, "0 µs"), (9, "0.009 µs"), (1_500, "1.5 µs"), (999_499, "999 µs"),
        (999_600, "1 ms"), (1_234_567, "1.23 ms"), (999_499_999, "999 ms"), (999_500_000, "1 s"),
        (99_000_000_000, "99 s"), (100 * 10**9, "1 min 40 s"), (3599 * 10**9, "59 min 59 s"),
        (7260 * 10**9, "2 h 01 min"), (-1_500, "-1.5 µs"),
    ],
)  # fmt: skip
def test_duration(ns: int | None, text: str) -> None:
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1,000 B"), (1023, "1,023 B"), (1024, "1 KiB"),
        (1_268_000, "1.21 MiB"),
        (1 << 30, "1 GiB"), (1 << 60, "1 EiB"), ((1 << 64) - 1, "16 EiB"),
    ],
)  # fmt: skip
def test_size(number: int, text: str) -> None:
    assert size(number) == text


@given(st.integers(0, 1 << 64))
def test_no_number_is_long(number: int) -> None:
    assert len(size(number)) <= 9
    assert "e+" not in size(number)
    assert "e+" not in duration(number)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01 00:00:00 UTC"),
        (1_700_000_000, "2023-11-14 22:13:20 UTC"),
        (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        (253_402_300_800, ""),
        (1 << 64, ""),
    ],
)
def test_moment(seconds: int, text: str) -> None:
    assert moment(seconds) == text


def test_count() -> None:
    assert count(1, "path") == "1 path"
    assert count(1204, "path") == "1,204 paths"
    assert count(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("4096B", 4096), ("64K", 65536), ("1.5MiB", 1_572_864), ("2g", 2 << 30), ("7 B", 7)],
)
def test_parse_size(text: str, number: int) -> None:
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "1X", "inf", "nan", "K", "1e99"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write 512B, 64K, 10M, 2G"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("50ms", 50_000_000),
        ("2s", 2 * 10**9),
        ("1.5min", 90 * 10**9),
        ("7us", 7000),
        ("0", 0),
    ],
)
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("read", "text", "meant"),
    [
        (parse_duration, "5", "write 5s or 5ms or 5min"),
        (parse_duration, "0.5", "write 0.5s"),
        (parse_size, "64", "write 64B or 64K or 64M"),
        (parse_size, "4096", "write 4096B"),
    ],
)
def test_without_a_unit_it_says_what_to_type(
    read: Callable[[str], int], text: str, meant: str
) -> None:
    with pytest.raises(ValueError, match=f"{text} has no unit: {meant}"):
        read(text)


@pytest.mark.parametrize("text", ["", "ms", "-1s", "5 parsecs", "nan", "1e30s"])
def test_what_is_no_duration_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_duration(text)
