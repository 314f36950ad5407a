"""Filter texts that are none: where the mistake is."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.syntax import FilterError


@pytest.mark.parametrize(
    ("text", "start", "about"),
    [
        ("op = QueryPathInf", 5, "did you mean QueryPathInfo"),
        ("reqest.path = 1", 0, "did you mean request.path"),
        ("took > 5", 0, "wants a unit"),
        ("took > 5M", 0, "wants a time"),
        ("took >", 6, "a value is missing"),
        ("(error", 0, "not closed"),
        ("error)", 5, "unexpected"),
        ('"open', 0, "not closed"),
        ("and", 0, "joins two conditions"),
        ("error or", 8, "something is missing"),
        ("op < 3", 0, "is a name"),
        ("log ~ /(/", 6, "not a regular expression"),
        ("conn = two", 0, "wants a number"),
        ("state = fine", 0, "is one of"),
    ],
)
def test_says_where_a_mistake_is(text: str, start: int, about: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert about in caught.value.message
    assert caught.value.start == start
    shown, caret = caught.value.caret().split("\n")
    assert shown == text
    assert caret.index("^") == start


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    with suppress(FilterError):
        compile_filter(text)


@given(st.text("()! \"'~/=<>andorterq.1mK", max_size=40))
def test_texts_that_look_like_filters_too(text: str) -> None:
    with suppress(FilterError):
        compile_filter(text)
