"""A capture's parts: who is let in, whom the daemon trusts, what is told of the recording."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.relayed_connection import CLIENT
from pix_inspect.capture.upstream import SocketUpstream
from pix_inspect.options.capture import arguments
from pix_inspect.recording.notes import Peer
from pix_inspect.session.session import Session
from tests.support.processes import HELLO

DAEMON = SocketUpstream(Path("/d"))


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments(parser)
    return parser.parse_args(words)


def test_what_the_capture_was_stands_in_the_recording(tmp_path: Path) -> None:
    taken = Capture(tmp_path / "r", DAEMON, options("--payload", "none"), listen="/s")
    tap = taken.open_tap(Peer(pid=1, uid=2))
    tap.chunk(CLIENT, memoryview(HELLO), 1_700_000_000_000_000_000)
    tap.closed(1_700_000_000_000_000_001)
    taken.close()
    session = Session(tmp_path / "r").read_all()
    about = session.about["about"]
    assert about["upstream"] == "/d"
    assert about["listen"] == "/s"
    assert about["payload"] == 0
    assert about["uid"] == os.getuid()
    assert session.connections[1].peer == Peer(1, 2)
    session.close()


def test_one_cannot_be_taken_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "r").touch()
    with pytest.raises(Problem, match="exists: choose another name"):
        Capture(tmp_path / "r", DAEMON, options())
