"""`pix-inspect record` as a process: signals, faults of the disk, who may connect."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix.codec.gates import SERVE, WORKER
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import serve
from pix.sockets import connect, listen
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.findings.collector import Findings
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.session.session import Session
from tests.support.processes import HELLO, PIX, environment, pix, recording
from tests.support.relaying import WAIT, listens, received, until
from tests.support.serving import serving

ROOT = os.getuid() == 0


def passed(path: Path) -> int:
    """How many bytes of clients a recording accounts for."""
    session = Session(path).read_all()
    try:
        return sum(session.row(i).up for i in range(len(session)))
    finally:
        session.close()


def test_what_passes_is_recorded_for_its_user_alone(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        client, server = relay.pair()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        client.close()
        assert server.recv(1) == b""
        server.close()
        assert relay.stop() == 0
        relay.says("1 connection recorded in r.pcapng")
        assert stat.S_IMODE(relay.recording.stat().st_mode) == 0o600
        assert not relay.path.exists()
    session = Session(tmp_path / "r.pcapng").read_all()
    assert session.row(0).kind == "handshake"
    assert session.about["about"]["upstream"] == str(tmp_path / "d")
    session.close()


@pytest.mark.parametrize(
    ("command", "says"),
    [("cat --stdio", "NIX_REMOTE=unix://"), ("cat --serve", "socat - UNIX-CONNECT:")],
)
def test_how_clients_come_to_it_is_said(command: str, says: str, tmp_path: Path) -> None:
    words = [*PIX, "record", "--listen", "s", "--upstream-command", command, "-o", "r.pcapng"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, text=True
    ) as relay:
        assert relay.stderr is not None
        assert "listening on" in relay.stderr.readline()
        assert says in relay.stderr.readline()
        relay.terminate()


EITHER = """
import os, socket, sys
client = socket.socket(fileno=os.dup(0))
first = client.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
words = ["stdio", "--upstream", "d"] if first[:4] == b"cxin" else ["daemon", "--serve"]
os.execv(sys.executable, [sys.executable, "-m", "pix_inspect", *words])
"""
"""A program that speaks both protocols, by the first word of its client."""


def test_one_relay_for_both_protocols(tmp_path: Path) -> None:
    (tmp_path / "either.py").write_text(EITHER)
    words = ["--upstream-command", f"{sys.executable} either.py", "-o", "r.pcapng"]
    relay = subprocess.Popen(
        [*PIX, "record", "--listen", "s", *words], cwd=tmp_path, env=environment(tmp_path)
    )
    absent = "/nix/store/00000000000000000000000000000000-absent"
    with serving(tmp_path / "d"):
        until(lambda: listens(tmp_path / "s"))
        for family in (SERVE, WORKER, SERVE):
            with DaemonConnection(tmp_path / "s", family=family, timeout=WAIT) as connection:
                if family is WORKER:
                    assert not connection.is_valid_path(absent)
                    continue
                asked = serve.QueryValidPaths(paths=frozenset([absent]))
                assert not connection.call(asked).paths
                with pytest.raises(NixDaemonError, match="closed the connection"):
                    connection.call(serve.DumpStorePath(path=absent))
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(WAIT) == 0
    path = str(tmp_path / "r.pcapng")
    session = Session(path).read_all()
    assert [row.family for row in session.connections.values()] == [SERVE, WORKER, SERVE]
    filtered = compile_filter("protocol = serve and op != handshake")
    rows = [session.row(i) for i in range(len(session)) if filtered.matches(session, i)]
    served = ["serve.QueryValidPaths", "serve.DumpStorePath"]
    assert [row.name for row in rows] == served * 2
    found = Findings(session).finish().kept
    assert {each.kind.name for each in found} == {"standard-error"}
    assert [each.connection for each in found] == [1, 3]
    session.close()
    for command in (["dump"], ["dump", "--json"], ["analyse"], ["diff", path]):
        done = pix(*command, path, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert ("serve.QueryValidPaths" in done.stdout) == (command[0] != "diff")


def test_a_recording_nobody_named_goes_into_a_folder_of_the_user_alone(tmp_path: Path) -> None:
    listening = listen(tmp_path / "d")
    words = [*PIX, "record", "--listen", "s", "--upstream", "d"]
    relay = subprocess.Popen(words, cwd=tmp_path, env=environment(tmp_path), stderr=-3)
    folder = tmp_path / "state" / "pix-inspect"
    until(lambda: len(list(folder.glob("recordings/*-record-*.pcapng"))) == 1)
    for path, mode in ((folder, 0o700), (folder / "recordings", 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(WAIT) == 0
    listening.close()


def test_interrupted_once_it_lets_clients_finish(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        client, server = relay.pair()
        relay.process.send_signal(signal.SIGINT)
        relay.says("waiting for 1 connected client")
        assert not relay.path.exists()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        client.close()
        server.close()
        assert relay.process.wait(WAIT) == 0
    assert passed(tmp_path / "r.pcapng") == len(HELLO)


def test_interrupted_twice_it_hangs_up(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        client, server = relay.pair()
        relay.process.send_signal(signal.SIGINT)
        relay.says("waiting for 1 connected client")
        relay.process.send_signal(signal.SIGINT)
        assert received(client) == b""
        assert received(server) == b""
        assert relay.process.wait(WAIT) == 0
        client.close()
        server.close()
    about = [
        remark
        for remark in json_of(tmp_path / "r.pcapng")
        if "the relay was told to stop" in remark
    ]
    assert about, "the recording says who hung up"


def json_of(path: Path) -> list[str]:
    """Return the comments of a recording, as they are."""
    raw = path.read_bytes()
    return [raw[i : i + 200].decode("latin-1") for i in range(len(raw)) if raw[i : i + 2] == b'{"']


def test_a_terminal_that_goes_ends_nothing(tmp_path: Path) -> None:
    """Neither the hang-up signal nor a stderr that takes nothing more harms a session."""
    with recording(tmp_path, "--allow-user", "1" if os.getuid() != 1 else "2") as relay:
        client, server = relay.pair()
        relay.process.send_signal(signal.SIGHUP)
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        client.close()
        server.close()
        assert relay.stop() == 0


def test_a_mode_that_keeps_out_who_is_let_in_is_said(tmp_path: Path) -> None:
    user = "1" if os.getuid() != 1 else "2"
    with recording(tmp_path, "--allow-user", user) as relay:
        relay.says("keeps them out: add --mode 0666")
        assert relay.stop() == 0


def test_a_stderr_that_is_closed_ends_nothing(tmp_path: Path) -> None:
    out, into = os.pipe()
    listening = listen(tmp_path / "d")
    words = [*PIX, "record", "--listen", "s", "--upstream", "d", "-o", "r.pcapng"]
    relay = subprocess.Popen(words, cwd=tmp_path, env=environment(tmp_path), stderr=into)
    os.close(into)
    assert os.read(out, 1)
    os.close(out)
    until(lambda: listens(tmp_path / "s"))
    listening.close()  # the daemon goes: there would be something to say
    with connect(tmp_path / "s") as client:
        client.settimeout(WAIT)
        assert received(client) == b""
    again = listen(tmp_path / "d")
    with connect(tmp_path / "s") as client:
        server, _ = again.sock.accept()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        server.close()
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(WAIT) == 0
    again.close()


def test_a_killed_relay_ends_sessions_and_leaves_a_recording_that_reads(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        client, server = relay.pair()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        until(lambda: passed(relay.recording) == len(HELLO))
        relay.process.kill()
        assert relay.process.wait(WAIT) == -signal.SIGKILL
        assert received(client) == b""
        assert received(server) == b""
        client.close()
        server.close()
    assert passed(tmp_path / "r.pcapng") == len(HELLO)
    # what it left behind is a dead socket: the next relay takes its place
    assert (tmp_path / "s").exists()
    with recording(tmp_path, "-o", "again.pcapng") as relay:
        assert relay.stop() == 0


def test_a_daemon_that_restarts_is_found_again(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        relay.daemon.close()
        with connect(relay.path) as client:
            client.settimeout(WAIT)
            assert received(client) == b""
        relay.says("no daemon listens on it")
        (tmp_path / "d").unlink()
        with connect(relay.path) as client:
            client.settimeout(WAIT)
            assert received(client) == b""
        relay.says("is the daemon running?")
        back = listen(tmp_path / "d")
        back.sock.settimeout(WAIT)
        relay.daemon = back.sock
        client, server = relay.pair()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        client.close()
        server.close()
        assert relay.stop() == 0
        back.close()
    session = Session(tmp_path / "r.pcapng").read_all()
    assert len(session.connections) == 3, "those that reached nobody are recorded, too"
    session.close()


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users reach; those of pytest they may not, or not for long."""
    with tempfile.TemporaryDirectory(prefix="pix-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(not ROOT, reason="only root can be another user")
def test_another_user_is_let_in_only_when_named(public: Path) -> None:
    script = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "try:\n    s.connect(sys.argv[1])\n    s.sendall(b'me')\n    print(len(s.recv(1)))\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
    )

    def stranger(path: Path) -> str:
        words = [sys.executable, "-c", script, str(path)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
        return done.stdout.strip()

    with recording(public) as relay:
        assert stranger(relay.path) == "PermissionError", "the socket is the owner's alone"
        assert not any("trust" in line for line in relay.said)
        assert relay.stop() == 0
    with recording(public, "-o", "2.pcapng", "--mode", "0666") as relay:
        assert stranger(relay.path) in ("0", "BrokenPipeError", "ConnectionResetError")
        relay.says("refused a client of user 65534")
        assert relay.stop() == 0
    with recording(public, "-o", "3.pcapng", "--mode", "666", "--allow-user", "65534") as relay:
        relay.says("trusts every client as root")
        client = subprocess.Popen([sys.executable, "-c", script, str(relay.path)], stdout=-1)
        server, _ = relay.daemon.accept()
        server.settimeout(WAIT)
        assert server.recv(10) == b"me"
        server.sendall(b"!")
        assert client.communicate(timeout=WAIT)[0] == b"1\n"
        server.close()
        assert relay.stop() == 0


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes."""
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "pix", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.skipif(not ROOT or shutil.which("mount") is None, reason="only root can mount")
def test_a_full_disk_stops_the_recording_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 256 << 10) as disk:
        target = disk / "r.pcapng"
        with recording(tmp_path, "--payload", "full", "-o", str(target)) as relay:
            client, server = relay.pair()
            client.sendall(HELLO)
            assert server.recv(100) == HELLO
            noise = os.urandom(1 << 20)
            heard = bytearray()
            sender = relaying_thread(client, noise)
            while len(heard) < len(noise):
                heard += server.recv(1 << 16)
            sender.join(WAIT)
            assert heard == noise
            relay.says("No space left on device; the traffic goes on")
            session = Session(target).read_all()
            assert session.row(0).kind == "handshake", "what was written before still reads"
            session.close()
            client.sendall(b"still here")
            assert server.recv(100) == b"still here"
            client.close()
            server.close()
            assert relay.stop() == 0
        assert any("bytes could not be written" in line for line in relay.said)
        session = Session(target).read_all()
        assert session.row(0).kind == "handshake"
        session.close()


def relaying_thread(sock: socket.socket, data: bytes) -> threading.Thread:
    """Send without waiting for it."""
    thread = threading.Thread(target=sock.sendall, args=(data,))
    thread.start()
    return thread


def test_a_deleted_recording_begins_again(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        client, server = relay.pair()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        until(lambda: relay.recording.stat().st_size > 1000)
        relay.recording.unlink()

        def begun_again() -> bool:
            client.sendall(b"x")
            assert server.recv(10) == b"x"
            return relay.recording.exists() and relay.recording.stat().st_size > 0

        until(begun_again)
        client.close()
        server.close()
        assert relay.stop() == 0
    session = Session(tmp_path / "r.pcapng").read_all()
    assert len(session.connections) == 1
    session.close()


def test_a_deleted_folder_is_made_again_and_the_loss_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    with recording(tmp_path, "-o", str(folder / "r.pcapng")) as relay:
        client, server = relay.pair()
        shutil.rmtree(folder)

        def told() -> bool:
            client.sendall(b"x")
            assert server.recv(10) == b"x"
            return any("it goes on in" in line for line in relay.said)

        until(told)
        client.close()
        server.close()
        assert relay.stop() == 0
    assert any("bytes of the recording were deleted" in line for line in relay.said)
    session = Session(folder / "r.pcapng").read_all()
    assert session.connections
    session.close()


def as_user(*words: str) -> list[str]:
    """Words that start python without root's freedom to write everywhere."""
    script = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None)\n"
        "for capability in (1, 2): libc.prctl(24, capability, 0, 0, 0)\n"  # PR_CAPBSET_DROP
        "os.execv(sys.executable, [sys.executable, '-m', 'pix_inspect', *sys.argv[1:]])\n"
    )
    return [sys.executable, "-c", script, *words]


def test_a_read_only_folder_is_said_before_anything_begins(tmp_path: Path) -> None:
    listening = listen(tmp_path / "d")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    for words in (["-o", "locked/r.pcapng"], ["-o", "locked/sub/r.pcapng"]):
        done = subprocess.run(
            as_user("record", "--listen", "s", "--upstream", "d", *words),
            capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("pix-inspect: cannot create the recording locked/")
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "s").exists()
    listening.close()


def test_a_recording_can_be_piped(tmp_path: Path) -> None:
    daemon = listen(tmp_path / "d")
    with (tmp_path / "piped.pcapng").open("wb") as out:
        words = [*PIX, "record", "--listen", "s", "--upstream", "d", "-o", "-", "--quiet"]
        relay = subprocess.Popen(words, cwd=tmp_path, env=environment(tmp_path), stdout=out)
        until(lambda: listens(tmp_path / "s"))
        client = connect(tmp_path / "s")
        server, _ = daemon.sock.accept()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        client.close()
        server.close()
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(WAIT) == 0
    assert passed(tmp_path / "piped.pcapng") == len(HELLO)
    daemon.close()


GIVEN = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind("given")
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "pix_inspect", *sys.argv[1:]])
"""


def test_a_socket_of_the_service_manager_is_used_and_left(tmp_path: Path) -> None:
    """The relay may be up before the daemon is."""
    words = [sys.executable, "-c", GIVEN, "record", "--upstream", "d", "-o", "r.pcapng"]
    relay = subprocess.Popen(words, cwd=tmp_path, env=environment(tmp_path), stderr=-3)
    until((tmp_path / "r.pcapng").exists)
    daemon = listen(tmp_path / "d")
    client = connect(tmp_path / "given")
    server, _ = daemon.sock.accept()
    client.sendall(HELLO)
    assert server.recv(100) == HELLO
    client.close()
    server.close()
    relay.send_signal(signal.SIGTERM)
    assert relay.wait(WAIT) == 0
    assert (tmp_path / "given").exists()
    assert passed(tmp_path / "r.pcapng") == len(HELLO)
    daemon.close()


def test_a_path_is_not_the_name_of_a_given_socket(tmp_path: Path) -> None:
    words = [sys.executable, "-c", GIVEN, "record", "--listen", "s", "--upstream", "d"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "none of them called s; choose one with --listen NAME" in done.stderr


@pytest.mark.parametrize("how", ["same", "link", "hard link", "folder link", "variable", "remote"])
def test_a_relay_is_not_its_own_daemon(tmp_path: Path, how: str) -> None:
    (tmp_path / "folder").symlink_to(".")
    (tmp_path / "link").symlink_to("s")
    env = {
        "variable": {"NIX_DAEMON_SOCKET_PATH": str(tmp_path / "s")},
        "remote": {"NIX_REMOTE": f"unix://{tmp_path}/s?root=/elsewhere"},
    }.get(how, {})
    named = {"same": "./s", "link": "link", "folder link": "folder/s", "hard link": "s"}.get(how)
    upstream = [] if named is None else ["--upstream", named]
    done = pix("record", "--listen", "s", "-o", "r.pcapng", *upstream, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert "cannot be both the relay and its daemon" in done.stderr
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "r.pcapng").exists()


def test_a_relay_starts_without_the_screen(tmp_path: Path) -> None:
    """What a relay has imported when it listens: nothing of the screen, nothing asynchronous."""
    listening = listen(tmp_path / "d")
    script = (
        "import sys\n"
        "from pix_inspect import cli; from pix_inspect.capture import relay\n"
        "def serve(self):\n"
        "    names = {name.partition('.')[0] for name in sys.modules}\n"
        "    print(sorted(names & {'textual', 'rich', 'asyncio', 'hypothesis', 'markdown_it'}))\n"
        "    self.listener.close()\n"
        "relay.Relay.serve = serve\n"
        "cli.main(sys.argv[1:])\n"
    )
    words = [sys.executable, "-c", script, "record", "--listen", "s", "--upstream", "d"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    listening.close()


def test_a_clock_that_is_set_moves_no_time_in_the_recording(tmp_path: Path) -> None:
    listening = listen(tmp_path / "d")
    script = (
        "import sys, time\n"
        "from pix_inspect import cli; from pix_inspect.capture import relayed_connection\n"
        "real = time.time_ns\n"
        "steps = iter([-3600, 7200, -86400] * 1000)\n"
        "time.time_ns = lambda: real() + next(steps) * 10**9\n"
        "time.time = lambda: time.time_ns() / 1e9\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    with recording_of(tmp_path, script) as relay:
        client, server = relay_pair(tmp_path, listening.sock)
        for i in range(50):
            client.sendall(bytes([i]))
            assert server.recv(10) == bytes([i])
        client.close()
        server.close()
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(WAIT) == 0
    reader = RecordingReader(tmp_path / "r.pcapng")
    times = []
    while items := reader.poll():
        times += [item.time for item in items]
    reader.close()
    assert len(times) >= 50
    # the two sides of a connection tell of its end at once, in either order
    assert max(times) - min(times) < 600 * 10**9
    listening.close()


@contextmanager
def recording_of(place: Path, script: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", script, "record", "--listen", "s", "--upstream", "d", "-o"]
    process = subprocess.Popen([*words, "r.pcapng"], cwd=place, env=environment(place), stderr=-3)
    try:
        until(lambda: listens(place / "s"))
        yield process
    finally:
        process.kill()
        process.wait()


def relay_pair(place: Path, daemon: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = connect(place / "s")
    server, _ = daemon.accept()
    for end in (client, server):
        end.settimeout(WAIT)
    return client, server


def test_a_flood_grows_the_recording_and_not_the_relay(tmp_path: Path) -> None:
    """Bytes that are not a protocol at all, and one operation that never ends."""
    with recording(tmp_path, "--payload", "none") as relay:
        client, server = relay.pair()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        sizes = []
        piece = (1 << 62).to_bytes(8, "little") * 4096
        for _ in range(3):
            sender = relaying_thread(client, piece * 512)
            left = len(piece) * 512
            while left:
                left -= len(server.recv(1 << 16))
            sender.join(WAIT)
            sizes.append(resident(relay.process.pid))
        assert sizes[-1] - sizes[0] < 64 << 20, "what waits to be written is bounded"
        client.close()
        server.close()
        assert relay.stop() == 0


def resident(pid: int) -> int:
    """Return the bytes of memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_delay_is_in_force_and_written_into_the_recording(tmp_path: Path) -> None:
    with recording(tmp_path, "--delay", "3ms", "--rate", "5M", "--jitter", "1ms") as relay:
        client, server = relay.pair()
        client.sendall(HELLO)
        assert server.recv(100) == HELLO
        client.close()
        assert server.recv(1) == b""
        server.close()
        assert relay.stop() == 0
    session = Session(tmp_path / "r.pcapng").read_all()
    about = session.about["about"]
    assert about["delay"] == {"each way": 0.003, "rate": 5 << 20, "jitter": 0.001}
    session.close()
