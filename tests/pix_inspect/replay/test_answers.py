"""Recorded answers found by value."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.codec.gates import Protocol
from pix.protocol.logging import StderrError
from pix.protocol.operations import (
    AddIndirectRoot,
    AddPermRoot,
    AddTextToStore,
    AddToStore,
    QueryRealisation,
    QueryValidPaths,
)
from pix_inspect.replay.answers import Digest, Repertoire, key
from pix_inspect.replay.recorded import RecordedSession
from tests.support.replayed import END, P, Q, story

NO_MORE = StderrError(message="the store is full")


def test_sets_and_defaults_make_no_difference() -> None:
    one = QueryValidPaths(paths=frozenset({P, Q}))
    two = QueryValidPaths(paths=frozenset({Q, P}), substitute=False)
    assert key(one) == key(two)
    assert key(one) != key(QueryValidPaths(paths=frozenset({P})))


def test_realisations_are_told_apart_by_their_id() -> None:
    """`id` is volatile in log frames, where it names an activity, and nowhere else."""
    one, two = (QueryRealisation(id=f"sha256:{digit * 64}!out") for digit in "ab")
    assert key(one) != key(two)


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ("/tmp/nix-build-17-0/result", "/tmp/nix-build-4711-807342668/result"),
        ("/tmp/tmp.Xa81bQz0pT/a/result", "/tmp/mine/a/result"),
        ("/var/tmp/x/result-dev", "/var/tmp/y/result-dev"),
        ("/home/me/tmp.Xa81bQz0pT/result", "/home/me/tmp.0000000000/result"),
    ],
)
def test_links_are_told_by_their_names_not_by_temporary_folders(recorded: str, asked: str) -> None:
    assert key(AddIndirectRoot(link=recorded)) == key(AddIndirectRoot(link=asked))
    one, two = (AddPermRoot(path=P, gc_root=link) for link in (recorded, asked))
    assert key(one) == key(two)


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ("/tmp/x/result", "/tmp/x/result-dev"),
        ("/tmp/x/result", "/tmp/x/y/result"),
        ("/home/me/result", "/home/you/result"),
        ("/tmp/result", "/tmp/other"),
        ("/tmp/x/result", "/var/tmp/x/result"),
    ],
)
def test_other_links_are_other_links(recorded: str, asked: str) -> None:
    assert key(AddIndirectRoot(link=recorded)) != key(AddIndirectRoot(link=asked))


def test_a_request_without_an_answer_is_told_what_was_expected(tmp_path: Path) -> None:
    asked = AddIndirectRoot(link="/tmp/nix-build-17-0/result")
    lines = (1, Protocol(38), asked, NO_MORE, QueryValidPaths(paths=frozenset({P})), NO_MORE, END)
    repertoire = Repertoire(RecordedSession(story(tmp_path / "s.pcapng", lines)))
    said = repertoire.regrets(AddIndirectRoot(link="/tmp/nix-build-18-0/other"))
    assert "AddIndirectRoot(link=/tmp/nix-build-18-0/other)" in said
    assert "the nearest is #2, where link is /tmp/…/result" in said
    said = repertoire.regrets(QueryValidPaths(paths=frozenset({Q}), substitute=True))
    assert "the nearest is #3, where paths" in said
    assert "more difference" in said


def test_a_text_added_by_an_old_client_is_found_by_a_new_one(tmp_path: Path) -> None:
    asked = AddTextToStore(name="x", text="the text")
    path = story(tmp_path / "s.pcapng", (1, Protocol(21), asked, NO_MORE, END))
    repertoire = Repertoire(RecordedSession(path))
    new = AddToStore(name="x", method="text:sha256", dump=b"")
    found = repertoire.candidates(new)
    assert [each.index for each in found] == [1]
    assert repertoire.chosen(new, found, Digest().of([b"the ", b"text"])) == 1
    assert repertoire.chosen(new, found, Digest().of([b"another"])) is None
    assert "the payload differs" in repertoire.regrets(new)


def test_elided_payload_counts_by_its_size(tmp_path: Path) -> None:
    asked = AddToStore(name="x", dump=b"y" * 2000)
    lines = (1, Protocol(38), asked, NO_MORE, END)
    repertoire = Repertoire(RecordedSession(story(tmp_path / "s.pcapng", lines, payload=10)))
    found = repertoire.candidates(asked)
    assert repertoire.chosen(asked, found, Digest().of([b"z" * 2000])) == 1
    assert repertoire.chosen(asked, found, Digest().of([b"z" * 2001])) is None
