"""The command line as a user meets it: real processes, wrong input, one clear line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pix_inspect.cli import COMMANDS
from pix_inspect.session import Session
from pix_inspect.sockets import connect, listen

RECORDING = Path(__file__).parents[2] / "recordings" / "queries.pcapng"
PIX = [sys.executable, "-m", "pix_inspect"]
WAIT = 20.0


def pix(
    *words: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PIX, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "XDG_STATE_HOME": str(cwd / "state"), **(env or {})},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("no recording at all")
    (tmp_path / "empty.pcapng").write_bytes(b"")
    (tmp_path / "cut.pcapng").write_bytes(RECORDING.read_bytes()[:17])
    (tmp_path / "folder").mkdir()
    return tmp_path


WRONG = [
    (["open", "missing.pcapng"], "missing.pcapng"),
    (["dump", "missing.pcapng"], "missing.pcapng"),
    (["dump", "text.txt"], "not a"),
    (["dump", "empty.pcapng"], "empty"),
    (["dump", "cut.pcapng"], "cut"),
    (["dump", "folder"], "folder"),
    (["dump"], "required"),
    (["dump", str(RECORDING), "--format", "xml"], "invalid choice"),
    (["nonsense"], "neither a command nor a file"),
    (["dmp", str(RECORDING)], "did you mean dump?"),
    (["record"], "no socket to listen on"),
    (["record", "--listen", "text.txt", "--upstream", "d"], "not a socket"),
    (["record", "--listen", "none/s", "--upstream", "d"], "cannot listen"),
    (["record", "--listen", "s", "--upstream", "s"], "both the relay and its daemon"),
    (["record", "--listen", "s", "--upstream", "d", "-o", "text.txt/x.pcapng"], "text.txt"),
    (["record", "--listen", "s", "--upstream", "d", "-o", "text.txt"], "text.txt"),
    (["record", "--listen", "s", "--upstream", "d", "--mode", "rw"], "no mode"),
    (["record", "--listen", "s", "--upstream", "d", "--allow-user", "nobody-like-this"], "no such"),
    (["record", "--listen", "s", "--upstream", "d", "--payload", "lots"], "no size"),
    (["record", "--listen", "s", "--upstream", "d", "--upstream-command", "x"], "exclude each"),
    (["record", "--listen", "s", "--upstream-command", "'"], "quotation"),
    (["run"], "no command to run"),
    (["run", "--upstream", "d", "-o", "text.txt/x", "--", "true"], "text.txt"),
    (["stdio", "--upstream", "none"], "cannot reach the daemon"),
    (["import", "--client", "none", "--daemon", "text.txt", "-o", "o.pcapng"], "none"),
    (["send", "--upstream", "none", "FindRoots()"], "no daemon at none"),
    (["check", str(RECORDING), "p95(took)"], "no expectation"),
    (["explain", "QueryPathInf"], "did you mean QueryPathInfo"),
    (["analyse", "text.txt"], "not a"),
    (["diff", str(RECORDING), "text.txt"], "not a"),
    (["attach"], "no relay runs"),
]


@pytest.mark.parametrize(
    ("words", "says"), WRONG, ids=[" ".join(words)[-60:] for words, _ in WRONG]
)
def test_bad_input_gets_one_clear_line_and_status_2(
    place: Path, words: list[str], says: str
) -> None:
    before = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    done = pix(*words, cwd=place)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("pix-inspect: ")
    assert says in lines[0]
    assert done.stdout == ""
    assert {p.name: p.read_bytes() for p in place.iterdir() if p.is_file()} == before


def test_a_socket_in_use_is_left_alone(place: Path) -> None:
    listener = listen(place / "s")
    done = pix("record", "--listen", "s", "--upstream", "d", cwd=place)
    assert (done.returncode, "in use" in done.stderr) == (2, True)
    assert (place / "s").exists()
    listener.close()


def test_help_and_version(tmp_path: Path) -> None:
    done = pix(cwd=tmp_path)
    assert done.returncode == 0
    for name in COMMANDS:
        assert name in done.stdout
        assert pix(name, "--help", cwd=tmp_path).returncode == 0
    assert pix("--version", cwd=tmp_path).stdout.startswith("pix-inspect ")


def test_who_reads_no_further_is_no_error() -> None:
    command = f"{sys.executable} -m pix_inspect dump {RECORDING} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


LEAN = """
import sys
from pix_inspect.cli import COMMANDS
import importlib
for name in ("record", "run", "stdio", "dump", "import_", "list"):
    importlib.import_module(f"pix_inspect.commands.{name}")
heavy = [name for name in sys.modules if name.split(".")[0] in ("textual", "rich", "asyncio")]
print(heavy)
"""


def test_capture_starts_without_the_screen() -> None:
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def started(place: Path, *words: str) -> subprocess.Popen[str]:
    """Start a relay and wait until it listens on `s`."""
    process = subprocess.Popen(
        [*PIX, "record", "--listen", "s", "--upstream", "d", *words],
        cwd=place,
        env={**os.environ, "XDG_STATE_HOME": str(place / "state")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "listening on" in process.stderr.readline()
    return process


def test_a_killed_relay_leaves_a_recording_that_reads(place: Path) -> None:
    daemon = listen(place / "d")
    relay = started(place, "-o", "r.pcapng")
    client = connect(place / "s")
    server, _ = daemon.sock.accept()
    client.sendall(b"cxin\0\0\0\0")
    assert server.recv(100) == b"cxin\0\0\0\0"
    end = time.monotonic() + WAIT
    while len(Session(place / "r.pcapng").read_all()) == 0 and time.monotonic() < end:
        time.sleep(0.02)
    relay.kill()
    assert relay.wait(WAIT) == -signal.SIGKILL
    client.settimeout(WAIT)
    server.settimeout(WAIT)
    assert client.recv(1) == b""
    assert server.recv(1) == b""
    session = Session(place / "r.pcapng").read_all()
    assert session.row(0).kind == "handshake"
    assert (place / "r.pcapng").stat().st_mode & 0o777 == 0o600
    # what it left behind is a dead socket: the next relay takes its place
    again = started(place, "-o", "again.pcapng")
    again.send_signal(signal.SIGTERM)
    assert again.wait(WAIT) == 0
    for sock in (client, server):
        sock.close()
    for process in (relay, again):
        assert process.stderr is not None
        process.stderr.close()
    daemon.close()


def test_a_relay_is_listed_while_it_runs(place: Path) -> None:
    relay = started(place, "-o", "r.pcapng")
    env = {"XDG_STATE_HOME": str(place / "state")}
    end = time.monotonic() + WAIT
    said: dict[str, list[dict[str, object]]] = {"relays": []}
    while not said["relays"] and time.monotonic() < end:
        said = json.loads(pix("list", "--json", cwd=place, env=env).stdout)
    assert said["relays"][0]["pid"] == relay.pid
    assert said["relays"][0]["recording"] == str(place / "r.pcapng")
    relay.send_signal(signal.SIGHUP)  # its terminal is gone: that must not end builds
    relay.send_signal(signal.SIGINT)
    assert relay.wait(WAIT) == 0
    said = json.loads(pix("list", "--json", cwd=place, env=env).stdout)
    assert said["relays"] == []
    assert relay.stderr is not None
    relay.stderr.close()


@pytest.mark.parametrize(
    ("command", "status"),
    [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["no-such-command-here"], 127)],
)
def test_run_ends_with_the_status_of_its_command(
    place: Path, command: list[str], status: int
) -> None:
    done = pix("run", "--upstream", "d", "-o", "r.pcapng", "--", *command, cwd=place)
    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_run_fails_when_an_expectation_does(place: Path) -> None:
    words = ("run", "--upstream", "d", "-o", "r.pcapng", "--check", "count() > 0", "--", "true")
    done = pix(*words, cwd=place)
    assert done.returncode == 1
    assert "✗ count() > 0: 0" in done.stderr
    assert pix("run", "--check", "nonsense", "--", "true", cwd=place).returncode == 2


def test_run_dies_of_the_signal_its_command_died_of(place: Path) -> None:
    done = pix("run", "--upstream", "d", "-o", "r", "--", "sh", "-c", "kill -TERM $$", cwd=place)
    assert done.returncode == -signal.SIGTERM


def test_run_tells_its_command_where_the_relay_is(place: Path) -> None:
    done = pix(
        "run", "--upstream", "d", "-o", "r.pcapng", "--", "sh", "-c",
        'echo "$NIX_REMOTE $NIX_DAEMON_SOCKET_PATH"; echo err >&2; test -S "${NIX_REMOTE#unix://}"',
        cwd=place,
    )  # fmt: skip
    remote, path = done.stdout.split()
    assert remote == f"unix://{path}"
    assert done.returncode == 0
    assert "err\n" in done.stderr
    assert not Path(path).parent.exists()


def test_stdio_passes_bytes_and_keeps_stdout_clean(place: Path) -> None:
    daemon = listen(place / "d")
    process = subprocess.Popen(
        [*PIX, "stdio", "--upstream", "d", "-o", "r.pcapng"],
        cwd=place,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    daemon.sock.settimeout(WAIT)
    server, _ = daemon.sock.accept()
    process.stdin.write(b"cxin\0\0\0\0")
    process.stdin.flush()
    assert server.recv(100) == b"cxin\0\0\0\0"
    process.stdin.close()  # a half-close: the answer still comes
    assert server.recv(100) == b""
    server.sendall(b"x" * 50_000)
    server.close()
    assert process.stdout.read() == b"x" * 50_000
    assert process.wait(WAIT) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert len(Session(place / "r.pcapng").read_all()) > 0
    process.stdout.close()
    process.stderr.close()
    daemon.close()


def test_a_recording_can_be_piped(place: Path) -> None:
    daemon = listen(place / "d")
    with (place / "piped.pcapng").open("wb") as out:
        relay = subprocess.Popen(
            [*PIX, "record", "--listen", "s", "--upstream", "d", "-o", "-", "--quiet"],
            cwd=place,
            stdout=out,
        )
        end = time.monotonic() + WAIT
        while not (place / "s").exists() and time.monotonic() < end:
            time.sleep(0.01)
        client = connect(place / "s")
        server, _ = daemon.sock.accept()
        client.sendall(b"cxin\0\0\0\0")
        assert server.recv(100) == b"cxin\0\0\0\0"
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        server.close()
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(WAIT) == 0
    assert Session(place / "piped.pcapng").read_all().row(0).kind == "handshake"
    daemon.close()
