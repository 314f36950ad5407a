"""Sockets: made safely, found at any length, and only what we made is removed."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from pix.problem import Problem
from pix.sockets import LONGEST_ADDRESS, LONGEST_NAME, address, connect, listen, peer_ids


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


@pytest.mark.parametrize("descriptors", ["/proc/self/fd", "/nowhere"])
def test_a_path_longer_than_an_address_works_on_both_sides(
    tmp_path: Path, descriptors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix.sockets.DESCRIPTORS", Path(descriptors))
    folder = tmp_path.joinpath(*["a-rather-long-name"] * 12)
    folder.mkdir(parents=True)
    path = folder / ("s" * LONGEST_NAME)
    assert len(str(path)) > LONGEST_ADDRESS
    with address(path) as name:
        assert len(name) <= LONGEST_ADDRESS
        way = Path(name).parent
        assert way.samefile(folder)
    assert not way.exists()
    listener = listen(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    client = connect(path)
    server, _ = listener.sock.accept()
    client.sendall(b"far away")
    assert server.recv(100) == b"far away"
    for sock in (client, server):
        sock.close()
    listener.close()
    assert not path.exists()


def test_a_file_name_may_be_too_long(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="the file name is too long for a socket"):
        connect(tmp_path / ("s" * (LONGEST_ADDRESS + 1)))


def test_nobody_accepts_and_the_wait_is_bounded(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen(0)
        with connect(tmp_path / "s", 5) as first:
            assert first.getblocking()
            with pytest.raises(TimeoutError, match=r"nobody accepted .* within 0\.01 s"):
                connect(tmp_path / "s", 0.01)
            with pytest.raises(Problem, match="in use by another process"):
                listen(tmp_path / "s")


def test_a_socket_can_be_named_before_it_is_connected(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    client = connect(tmp_path / "s", before=lambda sock: sock.bind(str(tmp_path / "client")))
    server, where = listener.sock.accept()
    assert where == str(tmp_path / "client")
    for sock in (client, server):
        sock.close()
    listener.close()


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


def test_who_is_at_the_other_end_is_known(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    client = connect(tmp_path / "s")
    server, _ = listener.sock.accept()
    assert peer_ids(server) == (os.getpid(), os.getuid(), os.getgid())
    for sock in (client, server):
        sock.close()
    listener.close()
