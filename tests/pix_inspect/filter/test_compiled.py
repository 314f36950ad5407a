"""Filters: what they let through, and what they say of mistakes."""

from __future__ import annotations

import pytest

from pix_inspect.filter.compiled import compile_filter
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
        ("reply.valid = false", {"IsValidPath"}),
        ("request.verbosity ~ Inf and request.verbosity = 3", {"SetOptions"}),
        ("op ~ 26 or op ~ shak", {"handshake"}),
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
