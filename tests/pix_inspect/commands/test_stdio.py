"""`pix-inspect stdio`: bytes on standard streams, ends as what they were, nothing else."""

from __future__ import annotations

import os
import pty
import select
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix.codec.gates import SERVE
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import serve
from pix.sockets import listen
from pix_inspect.findings.collector import Findings
from pix_inspect.session.session import Session
from tests.support.processes import HELLO, PIX, environment, pix
from tests.support.relaying import WAIT, until


@contextmanager
def remote_program(
    place: Path, *words: str, stderr: int = subprocess.PIPE
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """Run `stdio` as a client does, with pipes; give it and the daemon's end."""
    listener = listen(place / "d")
    listener.sock.settimeout(WAIT)
    process = subprocess.Popen(
        [*PIX, "stdio", "--upstream", "d", *(words or ("-o", "r.pcapng"))],
        cwd=place,
        env=environment(place),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
    )
    server, _ = listener.sock.accept()
    server.settimeout(WAIT)
    try:
        yield process, server
    finally:
        server.close()
        listener.close()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def hung_up(sock: socket.socket) -> bool:
    """Wait for the other side to be gone entirely."""

    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(WAIT * 1000))


def test_bytes_pass_both_ways_and_stdout_holds_nothing_else(tmp_path: Path) -> None:
    with remote_program(tmp_path) as (process, server):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(HELLO)
        assert server.recv(100) == HELLO
        server.sendall(b"welcome")
        assert process.stdout.read(100) == b"welcome"
        process.stdin.close()  # a half-close: the answer still comes
        assert server.recv(100) == b""

        def answer() -> None:  # more than the buffers on the way hold
            server.sendall(b"x" * 500_000)
            server.close()

        answering = threading.Thread(target=answer)
        answering.start()
        out = bytearray()
        while piece := process.stdout.read(1 << 16):
            out += piece
        answering.join()
        assert bytes(out) == b"x" * 500_000
        assert process.wait(WAIT) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    session = Session(tmp_path / "r.pcapng").read_all()
    assert session.row(0).kind == "handshake"
    assert session.connections[1].peer.pid == os.getpid()
    session.close()


def test_a_client_that_is_gone_is_a_hang_up_for_a_silent_daemon(tmp_path: Path) -> None:
    with remote_program(tmp_path) as (process, server):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(HELLO)
        assert server.recv(100) == HELLO
        process.stdin.close()
        assert server.recv(100) == b""
        process.stdout.close()
        assert hung_up(server)
        assert process.wait(WAIT) == 0


def test_a_program_that_is_killed_lets_the_recording_end_well(tmp_path: Path) -> None:
    """Clients of Nix kill their remote program when they are done."""
    with remote_program(tmp_path) as (process, server):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(HELLO)
        assert server.recv(100) == HELLO
        process.send_signal(signal.SIGTERM)
        process.stdin.close()
        process.stdout.close()
        assert hung_up(server)

    def ended() -> bool:
        session = Session(tmp_path / "r.pcapng").read_all()
        known = session.connections.get(1)
        session.close()
        return known is not None and known.closed is not None

    until(ended)


def test_a_daemon_that_ends_is_the_end_of_stdout(tmp_path: Path) -> None:
    with remote_program(tmp_path) as (process, server):
        assert process.stdout is not None
        server.sendall(b"half an ans")
        server.close()
        assert process.stdout.read(100) == b"half an ans"
        assert process.stdout.read(100) == b""
        assert process.wait(WAIT) == 0


def test_over_one_socket_as_both_streams(tmp_path: Path) -> None:
    listener = listen(tmp_path / "d")
    ours, theirs = socket.socketpair()
    words = [*PIX, "stdio", "--upstream", "d", "-o", "r.pcapng"]
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
    )
    theirs.close()
    server, _ = listener.sock.accept()
    for end in (ours, server):
        end.settimeout(WAIT)
    ours.sendall(HELLO)
    assert server.recv(100) == HELLO
    server.sendall(b"welcome")
    assert ours.recv(100) == b"welcome"
    ours.close()
    assert hung_up(server)
    assert process.wait(WAIT) == 0
    server.close()
    listener.close()


def test_a_command_can_be_the_daemon(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PIX, "stdio", "--upstream-command", "sh -c 'cat; echo end'", "-o", "r.pcapng"],
        input=HELLO, capture_output=True, cwd=tmp_path, env=environment(tmp_path), timeout=WAIT,
        check=True,
    )  # fmt: skip
    assert done.stdout == HELLO + b"end\n"
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [("false", 1, "ended with status 1"), ("sh -c 'kill -9 $$'", 137, "ended with signal 9")],
)
def test_a_command_that_fails_is_told_and_its_status_is_ours(
    tmp_path: Path, command: str, status: int, says: str
) -> None:
    done = subprocess.run(
        [*PIX, "stdio", "--upstream-command", command, "-o", "r.pcapng"],
        cwd=tmp_path,
        env=environment(tmp_path),
        input=b"",
        capture_output=True,
        timeout=WAIT,
        check=False,
    )
    assert done.returncode == status
    assert says in done.stderr.decode()
    assert done.stdout == b""


def test_what_clients_add_is_taken(tmp_path: Path) -> None:
    for words in (["--stdio"], ["--stdio", "--process-ops"]):
        done = subprocess.run(
            [*PIX, "stdio", "--upstream-command", "cat", "-o", f"{len(words)}.pcapng", *words],
            input=b"x", capture_output=True, cwd=tmp_path, env=environment(tmp_path), timeout=WAIT,
            check=True,
        )  # fmt: skip
        assert done.stdout == b"x"


def test_at_the_same_time_each_has_a_recording_of_its_own(tmp_path: Path) -> None:
    words = [*PIX, "stdio", "--upstream-command", "cat"]
    programs = [
        subprocess.Popen(words, cwd=tmp_path, env=environment(tmp_path), stdin=-3, stdout=-3)
        for _ in range(4)
    ]
    assert [program.wait(WAIT) for program in programs] == [0] * 4
    folder = tmp_path / "state/pix-inspect/recordings"
    assert len(list(folder.glob("*-stdio-*.pcapng"))) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--upstream", "none"], "is the daemon running?"),
        (["--upstream", "dead"], "no daemon listens on it"),
        (["--upstream-command", "no-such-command"], "no such command"),
        (["--upstream-command", "cat", "-o", "there"], "exists"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(tmp_path: Path, words: list[str], says: str) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    (tmp_path / "there").touch()
    done = pix("stdio", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pix-inspect: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_terminal_is_sent_to_run(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    done = pix("stdio", cwd=tmp_path, stdin=follower)
    os.close(leader)
    os.close(follower)
    assert done.returncode == 2
    assert "use pix-inspect run" in done.stderr


def test_it_is_listed_while_it_runs(tmp_path: Path) -> None:
    with remote_program(tmp_path) as (process, server):
        until(lambda: "standard streams ⇄" in pix("list", cwd=tmp_path).stdout)
        assert "1 connection" in pix("list", cwd=tmp_path).stdout
        server.close()
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert process.wait(WAIT) == 0


def test_in_place_of_nix_store_with_its_standard_error_in_the_recording(tmp_path: Path) -> None:
    """The program upstream is the daemon in the box; the client is ours."""
    absent = "/nix/store/00000000000000000000000000000000-absent"
    ours, theirs = socket.socketpair()
    program = f"{shlex.join(PIX)} daemon"
    process = subprocess.Popen(
        [*PIX, "stdio", "-o", "r.pcapng", "--upstream-command", program, "--serve", "--write"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
        stderr=subprocess.PIPE,
    )
    theirs.close()
    connection = DaemonConnection(family=SERVE, timeout=WAIT).over(ours)
    assert not connection.call(serve.QueryValidPaths(paths=frozenset([absent]))).paths
    with pytest.raises(NixDaemonError, match="closed the connection"):
        connection.call(serve.DumpStorePath(path=absent))
    connection.close()
    said = process.communicate(timeout=WAIT)[1].decode()
    why = f"error: path '{absent}' is not a valid store path"
    assert said == f"{why}\n"
    session = Session(tmp_path / "r.pcapng").read_all()
    rows = list(session.rows(0, len(session)))
    assert [row.name for row in rows] == [
        "handshake", "serve.QueryValidPaths", "serve.DumpStorePath",
    ]  # fmt: skip
    assert session.exchange(2).standard_error == [why]
    assert session.connections[1].family is SERVE
    (found,) = Findings(session).finish().kept
    assert (found.kind.name, found.said) == ("standard-error", f"serve.DumpStorePath: {why}")


@pytest.mark.parametrize(
    "words",
    [
        ("--upstream", "/d", "--serve"),
        ("--upstream", "/d", "--x"),
        ("--upstream-command", "nix-daemon --stdio", "--serve", "--write"),
    ],
)
def test_a_daemon_does_not_speak_the_serve_protocol(words: tuple[str, ...], tmp_path: Path) -> None:
    done = pix("stdio", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
