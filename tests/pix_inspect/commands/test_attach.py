"""`pix-inspect attach`: which relay was meant, and the screen on its recording."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.commands.attach import chosen
from pix_inspect.machine.running_relays import Running
from tests.support.processes import PIX, environment, pix, recording
from tests.support.relaying import WAIT, until

ONE = Running(100, 1, "/run/one/sock", "/d", "/var/first.pcapng")
TWO = Running(200, 2, "/run/two/sock", "/d", "/var/second.pcapng")
PIPED = Running(300, 3, "/run/piped", "/d", None)


@pytest.mark.parametrize(
    ("name", "relay"),
    [
        (None, TWO),
        ("100", ONE),
        ("/run/one/sock", ONE),
        ("first", ONE),
        ("second.pcapng", TWO),
        ("/var/second.pcapng", TWO),
        (os.path.relpath("/var/second.pcapng"), TWO),
    ],
)
def test_a_relay_goes_by_its_number_socket_or_recording(name: str | None, relay: Running) -> None:
    assert chosen(name, [ONE, TWO, PIPED]) == relay


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sock", "any of the relays 100, 200"),
        ("third", "pix-inspect list shows"),
        ("300", "no relay '300'"),
    ],
)
def test_what_names_none_or_several_is_a_problem(name: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        chosen(name, [ONE, TWO, PIPED])


def test_without_a_relay_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="record --listen"):
        chosen(None, [PIPED])
    assert pix("attach", cwd=tmp_path).returncode == 2


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        until(lambda: bool(json.loads(pix("list", "--json", cwd=tmp_path).stdout)["relays"]))
        done = pix("attach", str(relay.process.pid), cwd=tmp_path)
        assert done.returncode == 2
        assert "needs a terminal" in done.stderr
        assert relay.stop() == 0


def test_the_screen_opens_on_the_relays_recording(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        until(lambda: bool(json.loads(pix("list", "--json", cwd=tmp_path).stdout)["relays"]))
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        until_then = time.monotonic() + WAIT
        screen = subprocess.Popen(
            [*PIX, "attach", "s"], cwd=tmp_path, stdin=follower, stdout=follower, stderr=follower,
            env=environment(tmp_path, {"TERM": "xterm-256color"}),
            start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        try:
            shown = bytearray()
            asked = False
            while screen.poll() is None:
                if select.select([leader], [], [], WAIT)[0]:
                    try:
                        shown += os.read(leader, 1 << 16)
                    except OSError:  # nobody has the other end any more
                        break
                if b"conns" in shown and not asked:
                    asked = True
                    os.write(leader, b"q")
                assert time.monotonic() < until_then, shown[-2000:]
            assert screen.wait(WAIT) == 0
        finally:
            screen.kill()
            screen.wait()
            os.close(leader)
        assert relay.process.poll() is None, "the relay goes on without the screen"
        assert relay.stop() == 0
