"""`pix-inspect export`: to a file, to standard output, to a collector while the recording grows."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from tests.support.otlp import attributes_of, away, collector, spans_in
from tests.support.places import RECORDINGS
from tests.support.processes import HELLO, RelayProcess, is_there, recording, started_by
from tests.support.relaying import WAIT, until

QUERIES = str(RECORDINGS / "queries.pcapng")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "sqlite"], "name a file with -o"),
        (["--to", "chrome", "-o", "http://127.0.0.1:1"], "a collector takes otlp, not chrome"),
        (["--to", "otlp", "--follow"], "--follow is for a collector"),
        (["--to", "otlp", "--until-eof"], "--until-eof is for --follow"),
        (["--to", "otlp", "-o", "htp:/x"], "write http://HOST:4318"),
        (["--to", "otlp", "-o", "localhost:4318"], "write http://HOST:4318"),
        (["--to", "otlp", "--filter", "op ="], "a value is missing"),
        (["--to", "nothing"], "nothing"),
    ],
)
def test_what_makes_no_sense_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", QUERIES, *words]) == 2
    assert said in capsys.readouterr().err


def test_nothing_is_overwritten_unless_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("chrome", "sqlite", "otlp"):
        file = tmp_path / form
        words = ["export", QUERIES, "--to", form, "-o", str(file)]
        assert main(words) == 0
        before = file.read_bytes()
        assert main(words) == 2
        assert "already exists; --force replaces it" in capsys.readouterr().err
        assert main([*words, "--force", "--filter", "op = IsValidPath"]) == 0
        assert file.read_bytes() != before
    assert {file.name for file in tmp_path.iterdir()} == {"chrome", "sqlite", "otlp"}


def test_whatever_a_recording_says_of_itself_is_text_elsewhere(tmp_path: Path) -> None:
    """Lone surrogates and NUL, which JSON can escape and UTF-8 has not."""
    name = tmp_path / "odd\udcff.pcapng"
    writer = RecordingWriter(name, about={"host": "h\ud800\0"})
    log = writer.open(Peer(command="a\udcff\0b"), {}, time=10**18)
    log.chunk(0, 10**18, HELLO, len(HELLO))
    log.close(10**18)
    writer.close(WAIT)
    for form in ("otlp", "chrome", "sqlite"):
        words = ["export", str(name), "--to", form, "-o", str(tmp_path / form)]
        assert main(words) == 0
    for request in (tmp_path / "otlp").read_text().splitlines():
        assert spans_in(json.loads(request))
    events = json.loads((tmp_path / "chrome").read_text())["traceEvents"]
    assert "a?" in events[0]["args"]["name"]
    assert "\\ud" not in (tmp_path / "chrome").read_text()
    with contextlib.closing(sqlite3.connect(tmp_path / "sqlite")) as base:
        assert base.execute("select host from recording").fetchone()[0].startswith("h?")


def test_a_recording_is_sent_to_a_collector(capsys: pytest.CaptureFixture[str]) -> None:
    with collector() as received:
        received.refusals = [503]
        assert main(["export", QUERIES, "--to", "otlp", "-o", received.url]) == 0
        assert f"{len(received.spans)} spans sent" in capsys.readouterr().err
        assert "rpc.server.call.duration" in received.metrics


def test_what_the_collector_rejects_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with collector() as received:
        received.answer = b'{"partialSuccess": {"rejectedSpans": 2}}'
        assert main(["export", QUERIES, "--to", "otlp", "-o", received.url]) == 1
    assert "rejected" in capsys.readouterr().err


def test_a_relay_sends_what_passes_while_it_passes(tmp_path: Path) -> None:
    with collector() as received, recording(tmp_path, "--otlp", received.url) as relay:
        greeted(relay)
        until(lambda: any(span.name.endswith("handshake") for span in received.spans))
        assert relay.stop() == 0
        until(lambda: "nix.worker.io" in received.metrics)
        last = next(span for span in received.spans if span.name == "nix.worker connection")
        assert attributes_of(last)["nix.connection"] == 1


def greeted(relay: RelayProcess) -> None:
    """Let a client say hello, and both sides go."""
    client, server = relay.pair()
    client.sendall(HELLO)
    assert server.recv(100) == HELLO
    client.close()
    server.close()


def test_a_collector_that_comes_late_gets_all(tmp_path: Path) -> None:
    with away() as (url, kept), recording(tmp_path, "--otlp", url) as relay:
        greeted(relay)
        with collector(kept) as received:
            assert relay.stop() == 0
    names = {span.name for span in received.spans}
    assert names == {"nix.worker/handshake", "nix.worker connection"}
    assert any("2 spans sent to" in line for line in relay.said)


def test_a_relay_ends_though_nobody_takes_its_spans(tmp_path: Path) -> None:
    with away() as (url, _), recording(tmp_path, "--otlp", url) as relay:
        greeted(relay)
        assert relay.stop() == 0
    said = "".join(relay.said)
    assert "0 spans sent" in said
    assert "2 were not taken in time" in said
    assert "pix-inspect export r.pcapng --to otlp -o" in said


def test_what_sends_spans_ends_with_the_relay_however_that_ends(tmp_path: Path) -> None:
    with collector() as received, recording(tmp_path, "--otlp", received.url) as relay:
        until(lambda: bool(started_by(relay.process.pid)))  # soon after it says that it listens
        (sender,) = started_by(relay.process.pid)
        relay.process.kill()
        until(lambda: not is_there(sender))


def test_following_ends_when_told_and_delivers_the_rest() -> None:
    with collector() as received:
        words = [sys.executable, "-m", "pix_inspect", "export", QUERIES, "--to", "otlp", "-o"]
        sender = subprocess.Popen([*words, received.url, "--follow"], stderr=subprocess.DEVNULL)
        until(lambda: len(received.spans) > 3)
        sender.send_signal(signal.SIGTERM)
        assert sender.wait(WAIT) == 0
        assert "nix.worker.io" in received.metrics
