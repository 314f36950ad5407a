"""`pix_inspect.open`: exchanges with the values that `dump --json` has, finished or growing."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import pix_inspect
from pix.problem import Problem
from pix_inspect.cli import main
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from tests.support.places import RECORDINGS
from tests.support.processes import HELLO

ALL = sorted(RECORDINGS.glob("*.pcapng"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_values_are_those_of_dump(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "--json", str(path)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with pix_inspect.open(path) as recording:
        found = list(recording)
        assert [exchange.number for exchange in recording] == [one.number for one in found]
        assert len(found) == len(lines)
        for exchange, line in zip(found, lines, strict=True):
            assert exchange.operation == line["operation"]
            assert exchange.request == (line["request"] or {})
            assert exchange.reply == (line["reply"] or {})
            assert (exchange.error is None) == (line["state"] != "error")
            assert exchange.took == line["took"]
            assert exchange.client.connection == line["connection"]
            assert exchange.client.version == line["version"] or line["version"] is None
        assert {client.connection for client in recording.clients} == {
            line["connection"] for line in lines
        }


def test_what_matches_is_what_is_gone_through() -> None:
    with pix_inspect.open(RECORDINGS / "build-failure.pcapng", "error") as recording:
        (failed,) = recording
        assert failed.operation == "BuildPaths"
        assert failed.error is not None
        assert "1 dependency failed" in failed.error
        assert any("parse.c:7:3" in line.text for line in failed.log)
        assert repr(failed) == "<Exchange 16 BuildPaths error>"
        assert failed.started is not None


@pytest.mark.parametrize(("name", "family"), [("queries", "worker"), ("serve-copy", "serve")])
def test_a_client_speaks_one_of_two_protocols(name: str, family: str) -> None:
    with pix_inspect.open(RECORDINGS / f"{name}.pcapng") as recording:
        assert {exchange.client.family for exchange in recording} == {family}


def test_a_payload_is_read_piece_by_piece() -> None:
    with pix_inspect.open(RECORDINGS / "add-tree.pcapng", "op = AddToStore") as recording:
        first = next(iter(recording))
        assert b"".join(first.payload).startswith(b"\x0d\0\0\0\0\0\0\0nix-archive-1")


def test_mistakes_are_problems(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="value is missing"):
        pix_inspect.open(RECORDINGS / "queries.pcapng", "op =")
    with pytest.raises(Problem, match="No such file"):
        pix_inspect.open(tmp_path / "none.pcapng")


@pytest.mark.timeout(300)
def test_a_recording_that_grows_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "r.pcapng"
    writer = RecordingWriter(path, about={})
    first = writer.open(Peer(1), {})
    first.chunk(0, 1_000, HELLO, len(HELLO))
    first.close(2_000)
    threading.Timer(0.3, lambda: writer.open(Peer(2), {}).close(3_000)).start()
    second = None
    with pix_inspect.open(path, follow=True) as recording:
        for exchange in recording:
            second = exchange
            if not exchange.client.command:
                break
    writer.close()
    assert second is not None
    assert second.name == "handshake"
    assert second.state == "error"
