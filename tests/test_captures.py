"""The shared captures and golden data are read as they are meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support import captures, surroundings
from tests.support.captures import Run
from tests.support.golden import Golden


def test_runs_have_names_and_streams(captured_runs: tuple[Run, ...]) -> None:
    assert len(captured_runs) > 900
    names = [run.name for run in captured_runs]
    assert names == sorted(set(names))
    run = captures.run("2.3.7-2.3.7/add-tree")
    assert (run.client, run.daemon, run.trusted, run.scenario) == (
        "2.3.7",
        "2.3.7",
        True,
        "add-tree",
    )
    assert run.connections[0].about["ops"] == [19, 7]
    assert any(not run.trusted for run in captured_runs)


def test_events_cover_the_streams(captured_runs: tuple[Run, ...]) -> None:
    for run in captured_runs:
        for connection in run.connections:
            for direction, stream in (("c2s", connection.c2s), ("s2c", connection.s2c)):
                chunks = [event for event in connection.events if event.get("dir") == direction]
                assert sum(event.get("len", 0) for event in chunks) == len(stream), run.name


def test_golden_files_have_their_sums(golden_values: tuple[Golden, ...]) -> None:
    assert any(value.is_nar for value in golden_values)
    for value in golden_values:
        assert hashlib.sha256(value.data).hexdigest() == value.entry["sha256"], value.name
        assert len(value.data) == value.entry["size"]


def test_missing_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIX_SHARED", str(tmp_path))
    with pytest.raises(captures.Missing, match=r"captures\.tar\.xz is missing; set PIX_SHARED"):
        captures.shared("captures.tar.xz")


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("PIX_REQUIRE_NIX", "1")])
def test_what_lacks_fails_where_all_has_to_be_there(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("PIX_REQUIRE_NIX", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such thing"):
        surroundings.lacking("no such thing")
    monkeypatch.setenv(name, value)
    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        surroundings.lacking("no such thing")
