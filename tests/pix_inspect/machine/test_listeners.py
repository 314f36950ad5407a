"""Who listens, and who waits to be accepted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from pix_inspect.machine.listeners import accepting, listening, suspended_listener
from tests.pix_inspect.machine.test_kernel_queues import told

pytestmark = pytest.mark.skipif(not told(), reason="the kernel does not tell of its sockets")


def test_those_that_are_not_accepted(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(path))
        assert listening(str(path)) is None
        server.listen(7)
        (tmp_path / "link").symlink_to(path)
        found = listening(str(tmp_path / "link"))
        assert found is not None
        assert found.inode == os.fstat(server.fileno()).st_ino
        assert (found.waiting, found.most) == ((), 7)
        client.connect(str(path))
        found = listening(str(path))
        assert found is not None
        assert found.waiting == (os.fstat(client.fileno()).st_ino,)
        server.accept()[0].close()
        found = listening(str(path))
        assert found is not None
        assert found.waiting == ()


def test_no_socket(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in (str(tmp_path / "file"), str(tmp_path / "nothing"), "a\0b"):
        assert listening(name) is None


def test_who_was_started_for_a_socket_accepts_on_it() -> None:
    own, above = os.getpid(), os.getppid()
    assert accepting([above, own]) == own
    assert accepting([own]) == own


def test_who_listens_and_is_suspended(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert suspended_listener(path) is None
        child = subprocess.Popen(["/bin/sleep", "600"], stdin=server.fileno())
    try:
        assert suspended_listener(path) is None
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        assert suspended_listener(path) == child.pid
    finally:
        child.kill()
        child.wait()
    assert suspended_listener(path) is None
