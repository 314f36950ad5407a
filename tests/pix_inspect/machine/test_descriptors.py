"""What a process has open, of processes that really have it open."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pix_inspect.machine.descriptors import descriptor, internet_peers, opened

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
OWN = os.getpid()


def test_kinds_and_directions(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "x.lock").touch()
    (tmp_path / "\x1b]0;name\x07").touch()
    read, write = os.pipe()
    with (
        socket.socket(socket.AF_UNIX) as sock,
        (tmp_path / "x.lock").open() as lock,
        (tmp_path / "\x1b]0;name\x07").open("w") as file,
    ):
        fifo = os.open(tmp_path / "fifo", os.O_RDWR)
        try:
            found = {each.descriptor: each for each in opened(OWN)}
            numbers = (read, write, sock.fileno(), lock.fileno(), file.fileno(), fifo)
            kinds = [found[number].kind for number in numbers]
            assert kinds == ["pipe", "pipe", "socket", "lock", "file", "named pipe"]
            ways = [(found[number].reads, found[number].writes) for number in (read, write, fifo)]
            assert ways == [(True, False), (False, True), (True, True)]
            assert found[read].inode == found[write].inode
            assert found[fifo].name == str(tmp_path / "fifo")
            assert "\x1b" not in found[file.fileno()].words
        finally:
            for number in (read, write, fifo):
                os.close(number)
    assert descriptor(OWN, read) is None


def test_who_made_a_terminal_waits_for_those_on_it() -> None:
    made, on_it = os.openpty()
    try:
        (mine, theirs) = (descriptor(OWN, number) for number in (made, on_it))
        assert mine is not None
        assert theirs is not None
        assert mine.words == "its pseudo-terminal"
        assert theirs.words == f"the terminal {os.ttyname(on_it)}"
    finally:
        os.close(made)
        os.close(on_it)


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_other_end_of_a_connection(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as listening, socket.socket(family) as client:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        listening.listen()
        port = listening.getsockname()[1]
        client.connect((host, port))
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        assert internet_peers(OWN)[os.fstat(client.fileno()).st_ino] == name


def test_nothing_is_known_of_no_process() -> None:
    assert descriptor(0, 0) is None
    assert internet_peers(0) == {}
    with pytest.raises(OSError, match="0"):
        opened(0)
