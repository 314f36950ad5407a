"""A capture's parts: who is let in, whom the daemon trusts, what is told of the recording."""

from __future__ import annotations

import argparse
import os
import pwd
import resource
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.relayed_connection import CLIENT
from pix_inspect.capture.upstream import CommandUpstream, SocketUpstream, Upstream
from pix_inspect.options.capture import allow_many_connections, arguments, user_ids, warn_of_trust
from pix_inspect.recording.notes import Peer
from pix_inspect.session.session import Session
from tests.support.processes import HELLO

DAEMON = SocketUpstream(Path("/d"))


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments(parser)
    return parser.parse_args(words)


def test_who_may_connect() -> None:
    own = os.getuid()
    assert user_ids([]) == frozenset({own})
    assert user_ids(["12345", pwd.getpwuid(own).pw_name]) == frozenset({own, 12345})
    assert user_ids(["12345", "all"]) is None
    with pytest.raises(Problem, match="--allow-user ghost: no such user"):
        user_ids(["ghost"])


@pytest.mark.parametrize(
    ("uid", "upstream", "shared", "says"),
    [
        (0, DAEMON, True, ["the daemon sees the relay's user, root, and trusts every client"]),
        (0, DAEMON, False, []),
        (0, CommandUpstream(("nix-daemon",)), True, ["the command sees the relay's user, root"]),
        (1, DAEMON, True, ["sees every client as daemon", "trusts it as that user"]),
        (54321, DAEMON, True, ["sees every client as user 54321"]),
        (1, DAEMON, False, []),
    ],
)
def test_trust_is_warned_of_where_a_client_gains_some(
    monkeypatch: pytest.MonkeyPatch,
    uid: int,
    upstream: SocketUpstream | CommandUpstream,
    shared: bool,
    says: list[str],
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    told: list[str] = []
    warn_of_trust(upstream, shared, told.append)
    assert len(told) == bool(says)
    assert all(words in told[0] for words in says)


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


def test_nobody_to_tell_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as gone:
        monkeypatch.setattr("sys.stderr", gone)
        say("anybody?")
        monkeypatch.setattr("sys.stderr", None)
        say("anybody?")
        monkeypatch.undo()
        try:
            gone.close()
        except BrokenPipeError:
            return


@pytest.mark.parametrize(
    ("upstream", "raised"), [(DAEMON, True), (CommandUpstream(("nix-daemon", "--stdio")), False)]
)
def test_descriptors_are_taken_where_no_command_inherits_the_limit(
    upstream: Upstream, raised: bool
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        allow_many_connections(upstream)
        now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert now == (hard if raised else soft - 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
