"""`pix-inspect run`: the command's terminal, status and signals are its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix.sockets import LONGEST_ADDRESS, listen
from pix_inspect.session.session import Session
from tests.support.processes import HELLO, PIX, environment, pix
from tests.support.relaying import WAIT, until

TALK = (
    "import os, socket, sys; s = socket.socket(socket.AF_UNIX);"
    "s.connect(os.environ['NIX_DAEMON_SOCKET_PATH']);"
    f"s.sendall({HELLO!r}); print(s.recv(100).decode())"
)
"""What a client does: say hello and print the answer."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[socket.socket]:
    """A daemon that answers each client with a word."""
    listener = listen(tmp_path / "d")

    def serve() -> None:
        while True:
            try:
                server, _ = listener.sock.accept()
            except OSError:
                return
            with server:
                if server.recv(100):
                    server.sendall(b"welcome")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.sock
    listener.sock.shutdown(socket.SHUT_RDWR)
    thread.join(WAIT)
    listener.close()


pytestmark = pytest.mark.usefixtures("daemon")
RUN = ("run", "--upstream", "d", "-o", "r.pcapng")


def test_what_a_client_says_is_recorded_and_summed_up(tmp_path: Path) -> None:
    done = pix(*RUN, "--", sys.executable, "-c", TALK, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "welcome\n")
    lines = done.stderr.splitlines()
    assert lines[0].split() == ["operation", "count", "total", "slowest", "errors", "up", "down"]
    assert lines[-2].startswith("1 connection, ")
    assert lines[-1] == "pix-inspect: recorded in r.pcapng"
    session = Session(tmp_path / "r.pcapng").read_all()
    assert session.row(0).kind == "handshake"
    assert session.about["about"]["command"] == [sys.executable, "-c", TALK]
    peer = session.connections[1].peer
    assert peer.command is not None
    assert peer.command.startswith(f"{sys.executable} -c import os")
    session.close()


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (["true"], 0, "made no connection"),
        (["sh", "-c", "exit 7"], 7, "made no connection"),
        (["no-such-command-here"], 127, "no such command"),
        (["./text.txt"], 126, "text.txt: "),
        (["sh", "-c", "kill -QUIT $$"], 131, "made no connection"),
    ],
)
def test_the_status_is_the_commands(
    tmp_path: Path, command: list[str], status: int, says: str
) -> None:
    (tmp_path / "text.txt").write_text("no program")
    done = pix(*RUN, "--", *command, cwd=tmp_path)
    assert done.returncode == status
    assert done.stderr.startswith("pix-inspect: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_cannot_be_executed_is_126(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no program")
    (tmp_path / "text.txt").chmod(0o755)
    (tmp_path / "text.txt").write_bytes(b"\x7fELF nonsense")
    done = pix(*RUN, "--", "./text.txt", cwd=tmp_path)
    assert (done.returncode, "Exec format error" in done.stderr) == (126, True)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
def test_it_dies_of_the_signal_its_command_died_of(tmp_path: Path, name: str) -> None:
    done = pix(*RUN, "--", "sh", "-c", f"kill -{name} $$", cwd=tmp_path)
    assert done.returncode == -signal.Signals[f"SIG{name}"]
    assert (tmp_path / "r.pcapng").exists()


def test_its_command_is_told_where_the_relay_is(tmp_path: Path) -> None:
    script = 'echo $NIX_REMOTE; echo err >&2; stat -c "%n %a" $NIX_DAEMON_SOCKET_PATH'
    done = pix(*RUN, "--", "sh", "-c", script, cwd=tmp_path)
    remote, path, mode = done.stdout.split()
    assert (remote, mode) == (f"unix://{path}", "600")
    assert "err\n" in done.stderr
    assert not Path(path).parent.exists()


def test_its_command_reads_the_same_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PIX, *RUN, "--", "cat"], input=b"typed\n", capture_output=True, cwd=tmp_path,
        env=environment(tmp_path), timeout=300, check=True,
    )  # fmt: skip
    assert done.stdout == b"typed\n"


def test_what_the_command_prints_is_all_that_is_on_stdout(tmp_path: Path) -> None:
    done = pix(*RUN, "--quiet", "--", "echo", "mine", cwd=tmp_path)
    assert done.stdout == "mine\n"
    assert done.stderr == "pix-inspect: recorded in r.pcapng\n"


def test_options_of_the_command_are_the_commands(tmp_path: Path) -> None:
    done = pix(*RUN, "echo", "--quiet", "-o", "x", "--", "y", cwd=tmp_path)
    assert done.stdout == "--quiet -o x -- y\n"


def test_a_long_folder_for_temporary_files_does_not_make_a_long_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    words = (*RUN, "--", "sh", "-c", "echo $NIX_DAEMON_SOCKET_PATH")
    done = pix(*words, cwd=tmp_path, env={"TMPDIR": str(folder)})
    assert len(done.stdout) < LONGEST_ADDRESS
    assert done.returncode == 0


def test_expectations_that_fail_are_a_status_of_their_own(tmp_path: Path) -> None:
    words = (*RUN, "--check", "count() > 0", "--")
    done = pix(*words, "true", cwd=tmp_path)
    assert done.returncode == 1
    assert "✗ count() > 0: 0" in done.stderr
    (tmp_path / "r.pcapng").unlink()
    assert pix(*words, "sh", "-c", "exit 7", cwd=tmp_path).returncode == 7
    assert pix("run", "--check", "nonsense", "--", "true", cwd=tmp_path).returncode == 2


def test_a_recording_that_is_deleted_does_not_change_the_status(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(TALK)
    done = pix(
        *RUN, "--", "sh", "-c", f"{sys.executable} script; rm r.pcapng; exit 3", cwd=tmp_path
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def in_the_foreground(tmp_path: Path, script: str) -> subprocess.Popen[bytes]:
    """Run a command in a process group of its own, as a shell does; wait until it has begun."""
    words = [*PIX, *RUN, "--", sys.executable, "-c", script]
    process = subprocess.Popen(
        words, cwd=tmp_path, env=environment(tmp_path), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    return process


CAREFUL = """
import signal, sys, time
def interrupted(*_):
    print("cleaned up", flush=True)
    sys.exit(5)
signal.signal(signal.SIGINT, interrupted)
print("begun", flush=True)
while True: time.sleep(60)
"""


def test_ctrl_c_is_for_the_command(tmp_path: Path) -> None:
    process = in_the_foreground(tmp_path, CAREFUL)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=WAIT)
    assert out == b"cleaned up\n"
    assert process.returncode == 5
    Session(tmp_path / "r.pcapng").close()


def test_a_signal_to_end_is_passed_on(tmp_path: Path) -> None:
    process = in_the_foreground(tmp_path, CAREFUL)
    process.terminate()
    process.communicate(timeout=WAIT)
    assert process.returncode == -signal.SIGTERM
    Session(tmp_path / "r.pcapng").close()


def test_signals_do_in_the_command_what_they_did_before(tmp_path: Path) -> None:
    script = "import signal; print([signal.getsignal(number) for number in (1, 2, 3)])"
    done = pix(*RUN, "--", sys.executable, "-c", script, cwd=tmp_path)
    direct = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == direct.stdout
    ignoring = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *PIX, *RUN[:-1], "2.pcapng", "--",
         sys.executable, "-c", script],
        capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), check=True,
    )  # fmt: skip
    assert ignoring.stdout.startswith("[<Handlers.SIG_IGN: 1>")


def test_what_the_command_left_running_may_finish(tmp_path: Path) -> None:
    """A process in the background still talks when the command has ended."""
    (tmp_path / "later.py").write_text(
        "import os, sys\nimport socket\ns = socket.socket(socket.AF_UNIX)\n"
        "s.connect(os.environ['NIX_DAEMON_SOCKET_PATH'])\nopen('connected', 'w').close()\n"
        f"while not os.path.exists('go'): pass\ns.sendall({HELLO!r})\n"
        "open('heard', 'wb').write(s.recv(100))\n"
    )
    script = f"{sys.executable} later.py <&- >&- 2>&- & until test -e connected; do :; done"
    process = subprocess.Popen(
        [*PIX, *RUN, "--", "sh", "-c", script], cwd=tmp_path, env=environment(tmp_path),
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    assert b"waiting for 1 connected client" in process.stderr.readline()
    (tmp_path / "go").touch()
    assert process.wait(WAIT) == 0
    process.stderr.close()
    assert (tmp_path / "heard").read_bytes() == b"welcome"


def test_runs_at_the_same_time_have_recordings_of_their_own(tmp_path: Path) -> None:
    words = [*PIX, "run", "--upstream", "d", "--", "true"]
    runs = [
        subprocess.Popen(words, cwd=tmp_path, env=environment(tmp_path), stderr=-3)
        for _ in range(6)
    ]
    assert [run.wait(WAIT) for run in runs] == [0] * 6
    assert len(list((tmp_path / "state/pix-inspect/recordings").iterdir())) == 6


def test_a_run_is_listed_while_it_lasts(tmp_path: Path) -> None:
    process = in_the_foreground(tmp_path, CAREFUL)
    listed = pix("list", cwd=tmp_path).stdout
    assert listed.startswith(f"relay {process.pid}: /tmp/pix-")
    assert str(tmp_path / "r.pcapng") in listed
    process.terminate()
    process.communicate(timeout=WAIT)
    until(lambda: pix("list", cwd=tmp_path).stdout.startswith("no relay runs"))
