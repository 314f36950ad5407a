"""OpenTelemetry: every recording's spans are read by the official classes and hang together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import SERVE
from pix_inspect.cli import main
from pix_inspect.export.spans import MOST_EVENTS, Spans, attributes
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.session import Session
from tests.support.otlp import attributes_of, metrics_in, spans_in
from tests.support.places import RECORDINGS

ALL = sorted(RECORDINGS.glob("*.pcapng"))
TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def exported(path: Path, capsys: pytest.CaptureFixture[str], form: str = "otlp") -> list[Any]:
    assert main(["export", str(path), "--to", form]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_spans_of_every_recording_form_traces(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = [span for body in exported(path, capsys) for span in spans_in(body)]
    session = Session(path).read_all()
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    assert len(by_id) == len(spans), "no number is given twice"
    servers = [span for span in spans if span.kind == span.SPAN_KIND_SERVER]
    assert len(servers) == len(session)
    for span in spans:
        assert len(span.trace_id) == 16
        assert len(span.span_id) == 8
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        if span.parent_span_id:
            above = by_id[span.trace_id, span.parent_span_id]
            assert above.start_time_unix_nano <= span.start_time_unix_nano
    for i, span in enumerate(servers):
        row, said = session.row(i), attributes_of(span)
        family = session.connections[row.connection].family
        name = row.name.removeprefix("serve.")
        assert span.name == said["rpc.method"] == f"nix.{family}/{name}"
        assert said["network.transport"] == ("pipe" if family is SERVE else "unix")
        assert said["nix.bytes.request"] == row.up
        has_failed = row.state in ("error", "cut")
        assert (span.status.code == span.status.STATUS_CODE_ERROR) == has_failed
        assert ("error.type" in said) == has_failed
    session.close()


def test_a_serve_session_is_of_a_service_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    path = RECORDINGS / "serve-closure.pcapng"
    (body,) = exported(path, capsys)
    (resource,) = body["resourceSpans"]
    assert resource["resource"]["attributes"][0]["value"]["stringValue"] == "nix-store"
    names = {span.name for span in spans_in(body)}
    assert {"nix.serve connection", "nix.serve/handshake", "nix.serve/QueryClosure"} <= names
    (body,) = exported(path, capsys, "otlp-metrics")
    assert {"rpc.server.call.duration", "nix.serve.io"} == set(metrics_in(body))


def test_the_same_recording_is_exported_alike(capsys: pytest.CaptureFixture[str]) -> None:
    path = RECORDINGS / "build-with-log.pcapng"
    assert exported(path, capsys) == exported(path, capsys)


def test_what_the_daemon_works_on_is_below_its_operation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bodies = exported(RECORDINGS / "build-with-log.pcapng", capsys)
    spans = [span for body in bodies for span in spans_in(body)]
    build = next(span for span in spans if span.name == "Build")
    assert attributes_of(build)["nix.activity.about"].endswith(".drv")
    assert {event.name for event in build.events} == {"log"}
    names = {span.span_id: span for span in spans}
    above = names[build.parent_span_id]
    while above.kind != above.SPAN_KIND_SERVER:
        above = names[above.parent_span_id]
    assert above.name == "nix.worker/BuildPaths"


def test_a_failure_says_its_kind_and_the_daemons_words(capsys: pytest.CaptureFixture[str]) -> None:
    bodies = exported(RECORDINGS / "build-failure.pcapng", capsys)
    spans = [span for body in bodies for span in spans_in(body)]
    failed = next(span for span in spans if span.name == "nix.worker/BuildPaths")
    assert attributes_of(failed)["rpc.response.status_code"] == "ERROR"
    assert attributes_of(failed)["error.type"] == "nix.Error"
    assert "1 dependency failed" in failed.status.message
    assert failed.events[-1].name == "exception"


def test_metrics_count_what_spans_say(capsys: pytest.CaptureFixture[str]) -> None:
    path = RECORDINGS / "queries.pcapng"
    (body,) = exported(path, capsys, "otlp-metrics")
    metrics = metrics_in(body)
    session = Session(path).read_all()
    rows = [session.row(i) for i in range(len(session))]
    points = metrics["rpc.server.call.duration"].histogram.data_points
    assert sum(point.count for point in points) == sum(row.took is not None for row in rows)
    for point in points:
        assert sum(point.bucket_counts) == point.count
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    io = metrics["nix.worker.io"].sum.data_points
    assert sum(point.as_int for point in io) == sum(
        row.up + row.down for row in rows if row.took is not None
    )
    session.close()


@pytest.mark.parametrize(
    ("said", "continued"),
    [
        (f"00-{TRACE}-{ABOVE}-01", True),
        (f"00-{'0' * 32}-{ABOVE}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        ("00-x", False),
        (None, False),
    ],
)
def test_a_clients_trace_is_continued(said: str | None, continued: bool, tmp_path: Path) -> None:
    path = tmp_path / "r.pcapng"
    writer = RecordingWriter(path, about={})
    writer.open(Peer(7, traceparent=said), {}, time=1).close(2)
    writer.close()
    session = Session(path).read_all()
    spans = Spans(session)
    (span,) = spans_in(spans.request([spans.connection(session.connections[1])]))
    assert (span.trace_id.hex() == TRACE) == continued
    assert (span.parent_span_id.hex() == ABOVE) == continued
    session.close()


def test_text_that_is_no_text_is_made_one() -> None:
    (said,) = attributes({"a": "\x1b[31mred\udc80\x1b[0m", "b": None})
    assert said["value"]["stringValue"] == "red?"
    assert attributes({"n": 1 << 63})[0]["value"] == {"stringValue": str(1 << 63)}
    assert MOST_EVENTS < 1000
