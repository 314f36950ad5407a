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
        ("state ~ eror", 0, "no state has 'eror' in it: open, ok"),
        ("op ~ Bulid", 0, "no operation has 'Bulid' in its name"),
        ("request.mode ~ Nrmal", 0, "no request.mode has 'Nrmal' in it: Normal"),
        ("request.path > 5", 0, "request.path is text: = != ~, and never > '5'"),
        ("reply.result.status > 5", 0, "reply.result.status is a name: = != ~"),
        ("reply.valid > 0", 0, "reply.valid is true or false: = !="),
        ("ok reply.valid = 1", 3, "reply.valid is true or false, and never = '1'"),
        ("reply.info.nar_size = big", 0, "reply.info.nar_size is a number"),
        ("payload != much", 0, "payload is a number"),
        ("about > 5", 0, "about is text"),
        ("grpc.caller < 5", 0, "grpc.caller is text"),
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
