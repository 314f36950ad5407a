"""Each operation knows the gateway's call it was asked for: in dump, filters, the timeline."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pix.worker_service import WorkerServiceClient
from pix_inspect.capture.peer import ourselves
from pix_inspect.capture.relayed_connection import now
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.cli import main
from pix_inspect.describe.about import about
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.recording.notes import GrpcCall, Made
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.grpc_calls import GrpcCalls
from pix_inspect.session.session import Session
from pix_store import EmbeddedDaemon
from tests.support.worker_service import SECONDS, serving


def test_what_begins_behind_a_note_is_of_that_call() -> None:
    calls = GrpcCalls()
    assert calls.at(0) is calls.at(-1) is None
    calls.begin(100, GrpcCall("A", "me"))
    calls.begin(100, GrpcCall("B", "me"))
    calls.begin(300, GrpcCall("A", "me"))
    assert [call and call.method for call in map(calls.at, (99, 100, 299, 300, 900, -1))] == [
        None, "B", "B", "A", "A", None,
    ]  # fmt: skip


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of a gateway's daemon connections, for three calls of one client."""
    path = tmp_path / "grpc.pcapng"
    writer = RecordingWriter(path, about=Made.of(tool="test"))

    def open_tap() -> RecordingTap:
        return RecordingTap(writer.open(ourselves("grpc"), {}, time=now()))

    with (
        EmbeddedDaemon() as daemon,
        serving(daemon.path, tmp_path / "grpc", open_tap=open_tap) as (_, address, _),
        WorkerServiceClient(address, timeout=SECONDS) as client,
    ):
        hello = client.add_text_to_store("hello", "world")
        client.is_valid_path(hello)
        client.query_path_info(hello)
    writer.close()
    return path


def test_dump_and_filters(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "--json", str(recording)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(line["operation"], (line["grpc"] or {}).get("method")) for line in lines]
    assert told == [
        (None, None),
        ("SetOptions", "AddTextToStore"),
        ("AddToStore", "AddTextToStore"),
        ("IsValidPath", "IsValidPath"),
        ("QueryPathInfo", "QueryPathInfo"),
    ]
    assert lines[-1]["grpc"]["caller"].startswith(f"pid {os.getpid()} uid {os.getuid()}")

    assert main(["dump", str(recording), "--filter", "grpc.method = AddTextToStore"]) == 0
    text = capsys.readouterr().out
    assert "← gRPC AddTextToStore" in text
    assert f"AddTextToStore for pid {os.getpid()}" in text
    assert "IsValidPath" not in text


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("grpc.method = isvalidpath", [4]),
        ("grpc.method ~ path", [4, 5]),
        ("grpc.method != IsValidPath", [1, 2, 3, 5]),
        ("grpc.method = none", [1]),
        ('grpc.caller ~ "pid PID" and op = AddToStore', [3]),
    ],
)
def test_filters(recording: Path, text: str, numbers: list[int]) -> None:
    session = Session(recording).read_all()
    chosen = compile_filter(text.replace("PID", str(os.getpid())))
    assert not chosen.deep
    assert [i + 1 for i in range(len(session)) if chosen.matches(session, i)] == numbers
    assert about(session.exchange(3)) == "…hello ← gRPC IsValidPath"
    session.close()
