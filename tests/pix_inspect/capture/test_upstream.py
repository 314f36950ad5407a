"""Where the daemon is: what options and environment mean, and what is said when it is not there."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from pix.problem import Problem
from pix.sockets import listen
from pix_inspect.capture.upstream import (
    DEFAULT_SOCKET,
    CommandUpstream,
    SocketUpstream,
    complaint,
    require,
    upstream_of,
)
from tests.support.processes import descriptors
from tests.support.relaying import received, until


@pytest.mark.parametrize(
    ("option", "environment", "path"),
    [
        (None, {}, str(DEFAULT_SOCKET)),
        (None, {"NIX_DAEMON_SOCKET_PATH": "/a/s"}, "/a/s"),
        (None, {"NIX_DAEMON_SOCKET_PATH": ""}, str(DEFAULT_SOCKET)),
        (None, {"NIX_REMOTE": "unix:///b/s?root=/r"}, "/b/s"),
        (None, {"NIX_REMOTE": "unix://"}, str(DEFAULT_SOCKET)),
        (None, {"NIX_REMOTE": "daemon"}, str(DEFAULT_SOCKET)),
        (None, {"NIX_REMOTE": "unix:///b/s", "NIX_DAEMON_SOCKET_PATH": "/a/s"}, "/a/s"),
        ("/c/s", {"NIX_DAEMON_SOCKET_PATH": "/a/s"}, "/c/s"),
        ("unix:///c/s", {}, "/c/s"),
        ("d/../s", {}, f"{Path.cwd()}/s"),
    ],
)
def test_which_socket_is_meant(
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    environment: dict[str, str],
    path: str,
) -> None:
    for name in ("NIX_DAEMON_SOCKET_PATH", "NIX_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert upstream_of(option, None) == SocketUpstream(Path(path))


def test_a_command_is_split_as_a_shell_does() -> None:
    upstream = upstream_of(None, "nix-daemon --stdio --store '/a b'")
    assert upstream == CommandUpstream(("nix-daemon", "--stdio", "--store", "/a b"))
    assert str(upstream) == "nix-daemon --stdio --store '/a b'"


@pytest.mark.parametrize(
    ("path", "command", "says"),
    [("/s", "cat", "exclude each other"), (None, "'", "quotation"), (None, "", "empty")],
)
def test_options_that_mean_nothing(path: str | None, command: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        upstream_of(path, command)


def test_a_command_speaks_on_its_standard_streams() -> None:
    upstream = CommandUpstream((sys.executable, "-c", "print(input()[::-1])"))
    sock, process = upstream.connect()
    assert process is not None
    sock.sendall(b"daemon\n")
    assert received(sock) == b"nomead\n"
    assert process.wait() == 0
    sock.close()


def test_a_command_that_is_none_leaves_nothing_open() -> None:
    before = descriptors()
    upstream = CommandUpstream(("/no/such/command",))
    with pytest.raises(FileNotFoundError) as caught:
        upstream.connect()
    assert "cannot start /no/such/command" in complaint(upstream, caught.value)
    until(lambda: descriptors() <= before)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOENT, "is the daemon running?"),
        (errno.ECONNREFUSED, "no daemon listens on it"),
        (errno.EACCES, "this user may not connect"),
        (errno.EIO, "name another with --upstream"),
    ],
)
def test_why_it_cannot_be_reached_and_what_to_do(code: int, says: str) -> None:
    line = complaint(SocketUpstream(Path("/s")), OSError(code, os.strerror(code)))
    assert line.startswith("cannot reach the daemon at /s: ")
    assert says in line


def test_a_socket_is_required_before_anybody_connects(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    require(SocketUpstream(tmp_path / "s"))
    require(CommandUpstream(("cat",)))
    listener.close()
    (tmp_path / "file").touch()
    for path in ("s", "file", "file/s"):
        with pytest.raises(Problem, match="--upstream"):
            require(SocketUpstream(tmp_path / path))
    with pytest.raises(Problem, match="no such command"):
        require(CommandUpstream(("no-such-command",)))


def test_a_long_path_is_reached(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["a-rather-long-name"] * 8) / "s"
    path.parent.mkdir(parents=True)
    listener = listen(path)
    sock, process = SocketUpstream(path).connect()
    assert process is None
    assert sock.family == socket.AF_UNIX
    sock.close()
    listener.close()
    with pytest.raises(FileNotFoundError):
        SocketUpstream(path.parent / "gone" / "s").connect()
