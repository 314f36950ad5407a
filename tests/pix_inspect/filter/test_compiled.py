"""Filters: what they let through, and what they say of mistakes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.fields import completions, fields
from pix_inspect.filter.syntax import FilterError
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(RECORDINGS / "build-with-log.pcapng").read_all()


def names(session: Session, text: str) -> set[str]:
    chosen = compile_filter(text)
    found = (session.row(i) for i in range(len(session)) if chosen.matches(session, i))
    return {row.operation or row.kind for row in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("op = QueryPathInfo", {"QueryPathInfo"}),
        ("op = querypathinfo", {"QueryPathInfo"}),
        ("op = 26", {"QueryPathInfo"}),
        ("querypathinfo", {"QueryPathInfo"}),
        ("op ~ pathinfo", {"QueryPathInfo"}),
        ("op = SetOptions or handshake", {"SetOptions", "handshake"}),
        ("handshake and conn = 99", set()),
        ("number <= 2", {"handshake", "SetOptions"}),
        ("not (number > 2)", {"handshake", "SetOptions"}),
        ('request.name = "greeting.txt"', {"AddToStore"}),
        ("request.method ~ /^text:/ op = AddToStore", {"AddToStore"}),
        ("reply.daemon_nix_version = 2.34.8", {"handshake"}),
        ("reply.info.nar_size > 100 and op = QueryPathInfo", {"QueryPathInfo"}),
        ("reply.trusted = trusted", {"handshake"}),
        ("payload > 0", {"AddToStore"}),
        ("log ~ /BuildLogLine|STDERR_RESULT/ and op = BuildPaths", {"BuildPaths"}),
        ("error", set()),
        ("frames > 5", {"BuildPaths"}),
        ('"no such text anywhere"', set()),
    ],
)
def test_lets_through(session: Session, text: str, expected: set[str]) -> None:
    assert names(session, text) == expected


def test_an_empty_filter_lets_everything_through(session: Session) -> None:
    chosen = compile_filter("  ")
    assert all(chosen.matches(session, i) for i in range(len(session)))
    assert not chosen.deep


def test_a_filter_and_its_negation_part_the_session(session: Session) -> None:
    for text in ("took > 1ms", "bytes > 200", "request.path ~ hello", "error", "greeting"):
        yes, no = compile_filter(text), compile_filter(f"not ({text})")
        for i in range(len(session)):
            assert yes.matches(session, i) is not no.matches(session, i)


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


def test_completion_offers_fields_with_their_docs() -> None:
    start, offered = completions("op = AddToStore and request.na", 30)
    assert start == 20
    assert offered[0] == ("request.name", fields()["request.name"])


def test_completion_offers_operations_behind_op() -> None:
    _, offered = completions("op = QueryP", 11)
    assert offered[0][0] in ("QueryPathHash", "QueryPathInfo")
    assert all("QueryP" in name or "queryp" in name.lower() for name, _ in offered)


def test_every_field_of_every_declaration_can_be_named() -> None:
    for path in fields():
        compile_filter(f"{path} = 1")
