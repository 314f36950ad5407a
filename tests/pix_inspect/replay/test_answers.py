"""Recorded answers found by value."""

from __future__ import annotations

from pathlib import Path

from pix.codec.gates import Protocol
from pix.protocol.logging import StderrError
from pix.protocol.operations import AddTextToStore, AddToStore, QueryRealisation, QueryValidPaths
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
