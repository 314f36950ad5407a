"""Sockets: made safely, found at any length, and only what we made is removed."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.machine.sockets import LONGEST_PATH, connect, listen, peer_ids, same_socket


def test_a_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        listener = listen(tmp_path / "s")
    finally:
        os.umask(before)
    status = (tmp_path / "s").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    listener.close()
    assert not (tmp_path / "s").exists()


def test_a_wider_mode_is_given_when_asked_for(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s", 0o660)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
    listener.close()


def test_a_path_longer_than_an_address_works_on_both_sides(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-rather-long-name"] * 12)
    folder.mkdir(parents=True)
    path = folder / "socket"
    assert len(str(path)) > LONGEST_PATH
    listener = listen(path)
    client = connect(path)
    server, _ = listener.sock.accept()
    client.sendall(b"far away")
    assert server.recv(100) == b"far away"
    for sock in (client, server):
        sock.close()
    listener.close()
    assert not path.exists()


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    listen(path).close()


def test_a_live_socket_is_not(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    with pytest.raises(Problem, match="in use by another process"):
        listen(tmp_path / "s")
    assert (tmp_path / "s").exists()
    listener.close()


@pytest.mark.parametrize("kind", ["file", "folder", "link to a socket", "dangling link"])
def test_nothing_else_is_touched(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    other = None
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to a socket":
        other = listen(tmp_path / "other")
        path.symlink_to(tmp_path / "other")
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = os.lstat(path)
    with pytest.raises(Problem, match="exists and is"):
        listen(path)
    assert os.lstat(path).st_ino == before.st_ino
    assert not (tmp_path / "nowhere").exists()
    if other is not None:
        other.close()


def test_only_what_we_made_is_removed(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    (tmp_path / "s").unlink()
    (tmp_path / "s").write_text("somebody else's")
    listener.close()
    assert (tmp_path / "s").read_text() == "somebody else's"


@pytest.mark.parametrize("path", ["missing/s", "file/s"])
def test_where_no_socket_can_be_made_is_a_problem(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot listen on"):
        listen(tmp_path / path)


def test_two_names_of_one_socket_are_known_as_such(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    (tmp_path / "link").symlink_to("s")
    os.link(tmp_path / "s", tmp_path / "hard")
    assert same_socket(tmp_path / "s", tmp_path / "link")
    assert same_socket(tmp_path / "hard", tmp_path / "link")
    assert not same_socket(tmp_path / "s", tmp_path / "missing")
    listener.close()


def test_who_is_at_the_other_end_is_known(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    client = connect(tmp_path / "s")
    server, _ = listener.sock.accept()
    assert peer_ids(server) == (os.getpid(), os.getuid(), os.getgid())
    for sock in (client, server):
        sock.close()
    listener.close()


GIVEN = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
os.dup2(listening.fileno(), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])
from pix.problem import Problem
from pix_inspect.machine.sockets import inherited
try:
    found = inherited()
except Problem as problem:
    print("problem:", problem)
else:
    print(found.path, found.identity, "LISTEN_FDS" in os.environ)
    found.close()
    print(os.path.exists(sys.argv[1]))
"""


def test_a_socket_given_by_the_service_manager_is_taken_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GIVEN, path, "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{path} None False", "True"]


def test_two_given_sockets_are_one_too_many(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GIVEN, tmp_path / "s", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("problem: expected one socket")
