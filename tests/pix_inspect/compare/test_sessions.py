"""Differences: what only one has, what is answered otherwise, and what is masked."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pix_inspect.cli import main
from pix_inspect.compare.exchanges import compare_exchanges, meaning
from pix_inspect.compare.sessions import compare_sessions
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import Connection, connected
from tests.support.words import PATH


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_a_recording_does_not_differ_from_itself(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", str(path), str(path)]) == 0
    assert "no difference" in capsys.readouterr().out


@pytest.mark.parametrize("few", [0, 1 << 40])
def test_few_that_are_looked_at_alone_differ_as_in_a_pass(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(RECORDINGS.glob("*.pcapng"))
    judged = 0
    for one, other in pairwise(paths):
        sessions = Session(one).read_all(), Session(other).read_all()
        expected = compare_sessions(*sessions)
        with monkeypatch.context() as patch:
            patch.setattr("pix_inspect.compare.sessions.FEW", few)
            found = compare_sessions(*sessions)
        assert found.pairings == expected.pairings
        assert found.tallies == expected.tallies
        judged += sum(bool(pairing.pair) for pairing in found.pairings)
    assert judged > 10


def test_what_only_one_did_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = RECORDINGS / "build-with-log.pcapng", RECORDINGS / "build-failure.pcapng"
    assert main(["diff", str(first), str(second), "--format", "json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    one = Session(first).read_all()
    told = {line["operation"] for line in lines if line["difference"] == "only first"}
    asked = {one.row(i).operation or one.row(i).kind for i in range(len(one))}
    assert told
    assert told <= asked
    for line in lines:
        assert bool(line["first"]) == (line["difference"] != "only second")


def test_every_exchange_is_counted_once() -> None:
    first = Session(RECORDINGS / "queries.pcapng").read_all()
    second = Session(RECORDINGS / "untrusted.pcapng").read_all()
    found = compare_sessions(first, second)
    for which, session in enumerate((first, second)):
        listed = [i for pairing in found.pairings for i in pairing.exchanges(which)]
        assert len(listed) == len(set(listed))
        assert sum(pair[which].count for pair in found.tallies.values()) == len(session)
    for pairing in found.pairings:
        for which, session in enumerate((first, second)):
            asked = {session.row(i).operation or session.row(i).kind
                     for i in pairing.exchanges(which)}  # fmt: skip
            assert asked <= {pairing.operation}


def test_two_exchanges_are_compared_field_by_field() -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    infos = [i for i in range(len(session)) if session.row(i).operation == "QueryPathInfo"]
    views = [session.exchange(i) for i in infos]
    assert compare_exchanges(views[0], views[0]) == []
    asked = [meaning(view)["request"]["path"] for view in views]
    other = next(i for i, path in enumerate(asked) if path != asked[0])
    assert "request.path" in {change.path for change in compare_exchanges(views[0], views[other])}


def test_a_field_may_be_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "queries.pcapng")
    assert main(["diff", path, path, "--ignore", "nar_size"]) == 0
    capsys.readouterr()


SECOND = 1_000_000_000


def begun(folder: Path, name: str) -> Connection:
    (folder / name).mkdir()
    return connected(folder / name)


def asked(talk: Connection, *, valid: bool = True, times: int = 1, took: int = 0) -> Session:
    """A session that asks for one path, and then for a derivation to be built."""
    for _ in range(times):
        talk.ask("IsValidPath", path=PATH)
        talk.recording.time += took
        talk.answer("IsValidPath", valid=valid)
    return talk.session()


@pytest.mark.parametrize(
    ("other", "kind", "status"),
    [
        ({}, "same", 0),
        ({"valid": False}, "answered otherwise", 1),
        ({"times": 3}, "more often", 1),
        ({"took": SECOND}, "slower", 0),
    ],
)
def test_kinds_of_differences(
    other: dict[str, Any],
    kind: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = asked(begun(tmp_path, "a"))
    second = asked(begun(tmp_path, "b"), **other)
    found = compare_sessions(first, second)
    kinds = {pairing.operation: pairing.kind for pairing in found.pairings}
    assert kinds == ({} if kind == "same" else {"IsValidPath": kind})
    assert [tally.count for tally in found.tallies["handshake"]] == [1, 1]
    assert main(["diff", str(first.path), str(second.path)]) == status
    said = capsys.readouterr().out
    assert kind in said or kind == "same"
    if kind == "answered otherwise":
        assert "reply.valid: true → false" in said


def test_what_matters_most_is_told_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sessions = []
    for name, often in (("a", (1, 1)), ("b", (3, 9))):
        talk = begun(tmp_path, name)
        for path, times in zip((PATH, PATH + "2"), often, strict=True):
            for _ in range(times):
                talk.ask("IsValidPath", path=path)
                talk.answer("IsValidPath", valid=True)
        sessions.append(str(talk.session().path))
    assert main(["diff", *sessions]) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "…hello-2.12" in line]
    assert "…hello-2.122: 1 time in A, 9 in B" in told[0]
    assert "…hello-2.12: 1 time in A, 3 in B" in told[1]
