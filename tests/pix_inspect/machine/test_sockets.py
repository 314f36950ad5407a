"""Sockets of others: taken over from a service manager, and compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pix.problem import Problem
from pix.sockets import listen
from pix_inspect.machine.sockets import inherited, same_socket


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


@pytest.mark.parametrize("said", ["0", "", "²", "-1", "9" * 9])
def test_a_number_that_no_sockets_have_is_said(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", said)
    with pytest.raises(Problem, match=f"gave no sockets: LISTEN_FDS is '{said}'"):
        inherited("a")


def test_a_socket_that_is_not_there_is_said(tmp_path: Path) -> None:
    program = GIVEN.replace("os.dup2(listening.detach(), 3 + i)", "os.closerange(3, 99)")
    words = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "s"), "1", "", ""]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "problem: the socket from the service manager: Bad file descriptor\n"
