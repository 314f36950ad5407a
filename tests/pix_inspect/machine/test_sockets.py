"""Sockets of others: taken over from a service manager, and compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pix.sockets import listen
from pix_inspect.machine.sockets import same_socket


def test_two_names_of_one_socket_are_known_as_such(tmp_path: Path) -> None:
    listener = listen(tmp_path / "s")
    (tmp_path / "link").symlink_to("s")
    os.link(tmp_path / "s", tmp_path / "hard")
    assert same_socket(tmp_path / "s", tmp_path / "link")
    assert same_socket(tmp_path / "hard", tmp_path / "link")
    assert not same_socket(tmp_path / "s", tmp_path / "missing")
    listener.close()


GIVEN = """
import os, socket, sys
count, names, wanted = int(sys.argv[2]), sys.argv[3], sys.argv[4]
for i in range(count):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1] if i == 0 else f"{sys.argv[1]}{i}")
    listening.listen()
    os.dup2(listening.detach(), 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=names)
from pix.problem import Problem
from pix_inspect.machine.sockets import inherited
try:
    found = inherited(wanted or None)
except Problem as problem:
    print("problem:", problem)
else:
    print(found.path, found.identity, "LISTEN_FDS" in os.environ)
    found.close()
    print(os.path.exists(sys.argv[1]))
"""


def given(path: Path, count: int, names: str = "", wanted: str = "") -> list[str]:
    """Return what a process says that was given so many sockets, with these names."""
    words = [sys.executable, "-W", "ignore", "-c", GIVEN, str(path), str(count), names, wanted]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_socket_given_by_the_service_manager_is_taken_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert given(path, 1) == [f"{path} None False", "True"]


def test_of_several_given_sockets_the_name_says_which(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert given(path, 2, "clients:admin", "admin")[0] == f"{path}1 None False"
    (said,) = given(tmp_path / "t", 2, "clients:admin")
    assert "2 sockets (LISTEN_FDS: clients, admin); choose one with --listen NAME" in said
    (said,) = given(tmp_path / "u", 2, "a:a", "a")
    assert "2 of them called a" in said
    (said,) = given(tmp_path / "v", 1, "a", "/tmp/s")
    assert "none of them called /tmp/s" in said
