"""The commands `repl` and `send` as programs: piped input, status, history, recording."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.commands import repl, send
from pix_inspect.repl.repl import Session as Repl
from pix_inspect.session.session import Session
from pix_store import EmbeddedDaemon

WAIT = 60.0


def test_a_long_wait_is_said_and_by_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that never answers, and is then found to be suspended."""
    path = str(tmp_path / "s")
    said: list[str] = []
    session = Repl(path)

    def heard(line: str) -> None:
        said.append(line)
        session.interrupt()

    monkeypatch.setattr(send, "say", heard)
    monkeypatch.setattr(send, "PATIENCE", 0.2)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        for pid in (None, 4711):
            monkeypatch.setattr(send, "suspended_listener", lambda path, pid=pid: pid)
            with pytest.raises(Problem, match="interrupted"):
                send.carried_out(session, "QueryAllValidPaths()")
    assert said == [
        f"waiting for {path}; Ctrl-C ends this",
        f"waiting for {path}: process 4711, which listens there, is suspended: `kill -CONT 4711`"
        " lets it go on",
    ]


@pytest.fixture
def daemon() -> Iterator[EmbeddedDaemon]:
    with EmbeddedDaemon() as daemon:
        yield daemon


def run(folder: Path, *words: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pix_inspect", *words],
        input=lines, capture_output=True, text=True, timeout=WAIT * 4, check=False,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
    )  # fmt: skip


def test_piped_lines_are_carried_out_one_by_one(daemon: EmbeddedDaemon, tmp_path: Path) -> None:
    script = """
# a comment
a = AddToStore(name="a", method="text:sha256", dump=b"hello").reply.path
IsValidPath(path=a).reply.valid

nonsense(
[IsValidPath(path=p).reply.valid for p in QueryAllValidPaths().reply.paths]
"""
    done = run(tmp_path, "repl", "--upstream", str(daemon.path), lines=script)
    assert done.returncode == 1  # because of the nonsense, the rest is done
    assert done.stdout == "true\n1 element\n  [0] true\n"
    said = done.stderr.splitlines()
    assert len(said) == 2
    assert "column" in said[0]
    recorded = Path(said[1].removeprefix("pix-inspect: recorded in "))
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o600
    session = Session(recorded).read_all()
    assert len(session) == 5
    session.close()


def test_as_json_every_line_gets_one(daemon: EmbeddedDaemon, tmp_path: Path) -> None:
    script = "n = 2\nQueryAllValidPaths()\nlen([n])\n"
    words = ("--json", "--no-recording", "--upstream", str(daemon.path))
    done = run(tmp_path, "repl", *words, lines=script)
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first, second["reply"], third) == (None, {"paths": []}, 1)


def test_a_recording_goes_where_it_is_wanted(daemon: EmbeddedDaemon, tmp_path: Path) -> None:
    target = tmp_path / "r.pcapng"
    words = ("--upstream", str(daemon.path))
    done = run(tmp_path, "repl", *words, "-o", str(target), lines="QueryAllValidPaths()")
    assert (done.returncode, target.exists()) == (0, True)
    done = run(tmp_path, "repl", *words, "--no-recording", lines="QueryAllValidPaths()")
    assert (done.returncode, done.stderr) == (0, "")
    sent = tmp_path / "s.pcapng"
    done = run(tmp_path, "send", *words, "--json", "-o", str(sent), "QueryAllValidPaths()")
    assert json.loads(done.stdout)["reply"] == {"paths": []}
    assert sent.exists()
    done = run(tmp_path, "send", *words, "QueryAllValidPaths()")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "state").exists() or not list((tmp_path / "state").rglob("*.pcapng"))


def test_the_history_is_the_users_alone(daemon: EmbeddedDaemon, tmp_path: Path) -> None:
    """Typed at a terminal: lines are edited, completed, paged, interrupted, and kept."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pix_inspect", "repl", "--upstream", str(daemon.path)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm"},
    )  # fmt: skip
    os.close(slave)
    try:
        wait_for(master, ">>> ")
        os.write(master, b"x = QueryAllV\t)\r")
        wait_for(master, "protocol 1.38")
        wait_for(master, ">>> ")
        os.write(master, b"[len(x.reply.paths), 77]\r")
        wait_for(master, "[1] 77")
        os.write(master, b"help()\r")
        wait_for(master, "more: Enter")
        os.write(master, b"q\r")
        wait_for(master, ">>> ")
        os.write(master, b"\x04")
        wait_for(master, "recorded in")
        assert process.wait(WAIT) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    history = tmp_path / "state" / "pix-inspect" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "x = QueryAllValidPaths()" in history.read_text()


def wait_for(master: int, text: str) -> None:
    """Read from the terminal until a text has come."""
    seen = ""
    until = time.monotonic() + WAIT
    while text not in seen:
        ready, _, _ = select.select([master], [], [], max(until - time.monotonic(), 0))
        assert ready, f"no {text!r} in {seen!r}"
        seen += os.read(master, 4096).decode(errors="replace")


def test_piped_input_without_an_end_of_line_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repl, "LONGEST", 8)
    monkeypatch.setattr(sys, "stdin", io.StringIO("x = 1\nx" + "x" * 100))
    lines = repl._typed(False)
    assert next(lines) == "x = 1"
    with pytest.raises(Problem, match="longer than 8 B"):
        next(lines)
    monkeypatch.setattr(sys, "stdin", io.StringIO("x = 12"))
    assert list(repl._typed(False)) == ["x = 12"]
