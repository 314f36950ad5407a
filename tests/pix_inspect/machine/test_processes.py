"""What the system tells of processes that really run, are stopped, or cannot write."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pix_inspect.machine.doings import Deed, Doing, doing
from pix_inspect.machine.processes import (
    holders,
    named_after,
    process,
    process_state,
    sockets_of,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
SECONDS = 60.0


def eventually(so: Callable[[], bool]) -> bool:
    until = time.monotonic() + SECONDS
    while not so() and time.monotonic() < until:
        time.sleep(0.02)
    return so()


def test_running_stopped_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        command = f"{sys.executable} -c input()"
        # while it is being executed, nothing is told of its words
        assert eventually(lambda: process_state(child.pid, "another command") == "gone")
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        assert process_state(child.pid, command) == "stopped"
        stopped = process(child.pid, command)
        assert stopped.words == "stopped"
        child.kill()
        child.wait()
        assert process_state(child.pid, command) == "gone"


def test_what_a_process_waits_for() -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as child:
        try:
            assert eventually(lambda: doing(child.pid) == Doing(Deed.SLEEPS))
        finally:
            child.kill()


def test_a_process_whose_output_nobody_reads() -> None:
    words = "import os\nwhile True: os.write(2, bytes(4096))"
    with subprocess.Popen([sys.executable, "-c", words], stderr=subprocess.PIPE) as child:
        try:
            assert eventually(lambda: process(child.pid).writing)
            found = process(child.pid)
            assert "standard error" in found.words or "a pipe" in found.words
        finally:
            child.kill()


def test_who_has_a_socket() -> None:
    one, other = socket.socketpair()
    with one, other:
        inode = os.fstat(one.fileno()).st_ino
        assert inode in sockets_of(os.getpid())
        assert holders([inode]) == {inode: [os.getpid()]}
        assert holders([]) == {}


def test_children_named_after_the_client_they_serve() -> None:
    own = str(os.getpid())
    code = ["-c", "import sys; sys.stdout.write('.'); sys.stdout.flush(); input()"]
    children = []
    for _ in range(2):
        child = subprocess.Popen(
            [own, *code], executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        children.append(child)
    try:
        assert named_after(os.getpid()) == []
        renamed = subprocess.Popen(
            ["/bin/nix-daemon", own, "600"], executable="/bin/sleep", stderr=subprocess.DEVNULL
        )
        children.append(renamed)
        assert eventually(lambda: named_after(os.getpid()) == [renamed.pid])
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_nothing_is_known_of_no_process() -> None:
    assert doing(0) is None
    assert sockets_of(0) == []
