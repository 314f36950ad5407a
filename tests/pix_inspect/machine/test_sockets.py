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
