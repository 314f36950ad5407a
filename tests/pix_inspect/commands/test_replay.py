"""The command that plays a recording: its choices, its recording, its refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection
from pix_inspect.cli import main
from pix_store import EmbeddedDaemon
from tests.support.places import RECORDINGS
from tests.support.relaying import until
from tests.support.replayed import client, played
from tests.support.words import text, word


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_only_what_was_asked_for_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDINGS / "queries.pcapng"
    with played(path) as (socket, _):
        assert client(path, socket, "--json", "--connection", "3", "--connection", "7") == 0
        chosen = {line["connection"] for line in lines(capsys)}
        assert client(path, socket, "--json", "--filter", "op = QueryReferrers") == 0
        operations = [line["operation"] for line in lines(capsys)]
    assert chosen == {3, 7}
    assert operations == ["handshake", "QueryReferrers"]


def test_what_deletes_is_skipped_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    path = RECORDINGS / "garbage-collection.pcapng"
    with EmbeddedDaemon() as daemon:
        with DaemonConnection(daemon.path) as connection:
            kept = connection.add_text_to_store("precious", "precious")
        words = ["replay", "client", str(path), "--upstream", str(daemon.path), "--fast", "--json"]
        main(words)
        told = {line["operation"]: line for line in lines(capsys)}
        assert told["CollectGarbage"]["outcome"] == "skipped"
        assert "--yes" in told["CollectGarbage"]["why"]
        with DaemonConnection(daemon.path) as connection:
            assert connection.is_valid_path(kept)
        main([*words, "--yes"])
        with DaemonConnection(daemon.path) as connection:
            assert not connection.is_valid_path(kept)


def test_a_payload_that_would_delete_where_its_request_is_refused_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its frames are 20 bytes long: a daemon that did not read them finds CollectGarbage there."""
    hello = word(0x126) + word(0)
    frames = word(20) + word(2) + bytes(12) + word(20) + bytes(20) + word(0)
    refused = text(b"x") + text(b"no-method:sha256") + word(0) + word(0)
    said = b"cxin" + bytes(4) + hello + word(0) * 2 + word(7) + refused + frames
    (tmp_path / "c2s").write_bytes(said)
    heard = b"oixd" + bytes(4) + hello + text(b"2.34.8") + word(1) + b"stla" + bytes(4)
    (tmp_path / "s2c").write_bytes(heard + b"stla" + bytes(4))
    path = str(tmp_path / "r.pcapng")
    streams = ["--client", str(tmp_path / "c2s"), "--daemon", str(tmp_path / "s2c")]
    assert main(["import", *streams, "-o", path]) == 0
    with EmbeddedDaemon() as daemon:
        main(["replay", "client", path, "--upstream", str(daemon.path), "--json"])
    told = {line["operation"]: line for line in lines(capsys)}
    assert told["AddToStore"]["outcome"] == "skipped"
    assert "--yes" in told["AddToStore"]["why"]


def test_the_replay_is_recorded_for_looking_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDINGS / "build-with-log.pcapng"
    again = tmp_path / "again.pcapng"
    with played(path) as (socket, _):
        assert client(path, socket, "-o", str(again)) == 0
    capsys.readouterr()
    assert main(["diff", str(path), str(again)]) == 0


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--upstream", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--connection", "99"], "no connection 99"),
        (["--filter", "op ="], "filter"),
        (["--filter", "op = VerifyStore"], "no exchange"),
        (["--version", "two"], "--version"),
        (["--version", "1.21", "--features", "x"], "--features"),
        (["-o", "/"], "/"),
    ],
)
def test_bad_input_is_one_line(
    options: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDINGS / "copy.pcapng"
    with played(path) as (socket, _):
        words = ["replay", "client", str(path), "--upstream", str(socket), *options]
        assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert what in err


def test_what_is_not_compared_can_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--list-volatile"]) == 0
    said = capsys.readouterr().out
    assert "registration_time" in said
    assert "processor time" in said


def test_a_session_of_the_serve_protocol_is_none_for_a_daemon(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = RECORDINGS / "serve-closure.pcapng"
    with EmbeddedDaemon() as daemon:
        assert main(["replay", "client", str(path), "--upstream", str(daemon.path)]) == 1
        assert "the daemon closed the connection" in capsys.readouterr().out
        until(lambda: daemon.clients == 0)
