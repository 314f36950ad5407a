"""Who is at the other end, as far as the system tells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pix_inspect.capture.peer import peer_of
from pix_inspect.machine.processes import command_line, parent, parents

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def test_this_process_is_known_to_itself() -> None:
    one, other = socket.socketpair()
    peer = peer_of(one)
    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert peer.command == command_line(os.getpid())
    one.close()
    other.close()


def test_names_that_look_like_fields_of_proc_do_not_confuse(tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to(sys.executable)
    words = [str(odd), "-c", "print(); input()"]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"\n"
    assert parent(child.pid) == os.getpid()
    assert parents(child.pid)[0] == Path("/proc/self/comm").read_text().strip()
    assert (command_line(child.pid) or "").startswith(f"{odd} -c")
    child.communicate(b"\n")


def test_a_process_that_is_gone_is_unknown() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert command_line(child.pid) is None
    assert parent(child.pid) is None
    assert parents(child.pid) == ()
