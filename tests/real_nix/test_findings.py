"""Findings with real daemons: clients that make a known mistake, and what comes of it."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest

from pix_inspect.capture.tap import RecordingTap
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.finding import Finding
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.session import Session
from tests.real_nix.daemons import Daemon
from tests.support.words import PATH, text, word

pytestmark = pytest.mark.real_nix

PATIENCE = 60.0


MAGIC = word(0x6E697863)


def talk(daemon: Daemon, folder: Path, *said: bytes) -> list[Finding]:
    """Say this to a daemon, then nothing more, and return what is found in the recording."""
    path = folder / "talk.pcapng"
    writer = RecordingWriter(path, about={})
    time = 1_700_000_000_000_000_000
    log = writer.open(Peer(), {}, time=time)
    tap = RecordingTap(log, None)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(daemon.socket))
        for data in said:
            time += 1
            tap.chunk(0, memoryview(data), time)  # a relay hears it, though nobody may read it
            with suppress(ConnectionError):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while data := client.recv(1 << 16):
                time += 1
                tap.chunk(1, memoryview(data), time)
    tap.closed(time + 1)
    writer.close()
    return Findings(Session(path).read_all()).finish().kept


def diagnosed(found: list[Finding]) -> str:
    return "\n".join(line for finding in found for line in finding.explanation)


def kinds(found: list[Finding]) -> set[str]:
    return {finding.kind.name for finding in found}


ASKED = word(1) + text(PATH.encode())
HELLO_38 = (MAGIC + word(0x126), word(0) + word(0) + word(0))


@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
def test_nothing_is_found_when_nothing_is_wrong(daemon: Daemon, tmp_path: Path) -> None:
    path = text(f"{daemon.state.store}/00000000000000000000000000000000-x".encode())
    assert talk(daemon, tmp_path, *HELLO_38, word(1) + path) == []


@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
def test_a_client_that_announces_1_38_and_goes_on_as_1_37(daemon: Daemon, tmp_path: Path) -> None:
    found = talk(daemon, tmp_path, MAGIC + word(0x126), word(0) + word(0), ASKED)
    assert "misannounced-version" in kinds(found)
    assert "“missing feature list”" in diagnosed(found)


@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
def test_a_number_that_is_no_operation(daemon: Daemon, tmp_path: Path) -> None:
    """All was sent at once: whether it belongs to the request before is not to be known."""
    path = text(f"{daemon.state.store}/00000000000000000000000000000000-x".encode())
    found = talk(daemon, tmp_path, *HELLO_38, word(1) + path + word(6568))
    assert "unknown-operation" in kinds(found)
    assert "desync" not in kinds(found)
    assert "“" not in diagnosed(found)


@pytest.mark.parametrize("nix", ["2.3.7"], indirect=True)
def test_a_daemon_that_reads_a_word_more_than_1_10_has(daemon: Daemon, tmp_path: Path) -> None:
    """It takes the operation for the reserved space, and the path's length for the operation."""
    found = talk(daemon, tmp_path, MAGIC + word(0x10A), ASKED)
    assert "peer-out-of-step" in kinds(found)
    assert "the length of request.path" in diagnosed(found)


@pytest.mark.parametrize("nix", ["2.3.7", "2.8.0"], indirect=True)
def test_a_version_said_twice(daemon: Daemon, tmp_path: Path) -> None:
    found = talk(daemon, tmp_path, MAGIC + word(0x115) + word(0x115) + word(0) + word(0))
    assert "doubled-version" in kinds(found)


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_a_daemon_that_refuses(daemon: Daemon, tmp_path: Path) -> None:
    """The client's text is named; nothing is held against a daemon that turns it away."""
    assert kinds(talk(daemon, tmp_path, b"x" * 16)) == {"foreign-text"}
