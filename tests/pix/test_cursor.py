"""Leaping over a value that arrived whole ends where scanning it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.cursor import CHOICE, LIST, SKIP, TEXT, TEXTS, Cursor, Limits, Program, leap, scan
from pix.errors import DecodeError

words = st.integers(0, 3) | st.sampled_from([8, 9, 1 << 20, 1 << 40, (1 << 64) - 1])
programs = st.recursive(
    st.lists(
        st.sampled_from([(SKIP, 8), (SKIP, 24), (TEXT, None), (TEXTS, 1), (TEXTS, 2)]), max_size=4
    ).map(tuple),
    lambda inner: st.tuples(
        st.tuples(st.just(LIST), inner.filter(bool))
        | st.tuples(st.just(CHOICE), st.dictionaries(st.integers(0, 2), inner, min_size=1)),
        st.just((TEXT, None)),
    ),
    max_leaves=4,
)
data = st.lists(words.map(lambda n: n.to_bytes(8, "little")), max_size=24).map(b"".join)


def by_scan(program: Program, buffer: bytes, limits: Limits) -> int | str | None:
    """Where scanning ends, None where it waits, or what it finds wrong."""
    cursor = Cursor(0, limits)
    cursor.feed(buffer)
    try:
        for _ in scan(cursor, program):
            return None
    except DecodeError as error:
        return str(error)
    return cursor.pos


def by_leap(program: Program, buffer: bytes, limits: Limits) -> int | None:
    cursor = Cursor(0, limits)
    cursor.feed(buffer)
    if leap(cursor, program):
        return cursor.pos
    assert cursor.pos == 0
    return None


@given(programs, data, st.integers(0, 200))
def test_leap_ends_where_scan_ends_or_leaves_it_to_scan(
    program: Program, buffer: bytes, cut: int
) -> None:
    limits = Limits(string=1 << 21, count=100)
    found = by_leap(program, buffer[:cut], limits)
    expected = by_scan(program, buffer[:cut], limits)
    if found is not None:
        assert found == expected
    elif isinstance(expected, int):  # leaving it to scan costs time only
        assert expected >= cut or LIST in steps(program)


def steps(program: Program) -> Iterator[int]:
    for step, arg in program:
        yield step
        if isinstance(arg, dict):
            for inner in arg.values():
                yield from steps(inner)
        elif isinstance(arg, tuple):
            yield from steps(arg)


@pytest.mark.parametrize(
    ("program", "buffer", "end"),
    [
        ((), b"", 0),
        (((SKIP, 8),), b"", 8),
        (((TEXT, None),), bytes(7), None),
        (((TEXT, None),), b"\5" + bytes(7), 16),
        (((TEXTS, 2),), b"\1" + bytes(7) + bytes(16), 24),
        (((CHOICE, {0: (), None: ((TEXT, None),)}),), b"\7" + bytes(15), 16),
        (((CHOICE, {0: ()}),), b"\7" + bytes(7), None),
        (((LIST, ((TEXT, None), (SKIP, 8))),), b"\1" + bytes(23), 24),
    ],
)
def test_leap(program: Program, buffer: bytes, end: int | None) -> None:
    assert by_leap(program, buffer, Limits()) == end
