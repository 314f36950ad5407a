"""The relay: bytes, ends of streams, and faults, with real sockets."""

from __future__ import annotations

import _thread
import os
import random
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pix.sockets import connect, listen
from pix_inspect.capture.relay import Relay
from pix_inspect.capture.relayed_connection import CLIENT, DAEMON
from pix_inspect.capture.upstream import SocketUpstream
from pix_inspect.recording.notes import Peer
from tests.support.relaying import WAIT, Notes, Stage, received, staged, until


def hangs_up(sock: socket.socket) -> bool:
    """Wait for the other side to be gone entirely, as a daemon that builds watches for it."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(WAIT * 1000))


@pytest.mark.parametrize("seed", range(4))
def test_bytes_pass_unchanged_in_any_chunking(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    up, down = rng.randbytes(1_500_000), rng.randbytes(900_000)
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()

        def say(sock: socket.socket, data: bytes) -> None:
            own = random.Random(len(data) + seed)
            at = 0
            while at < len(data):
                size = own.choice((1, 7, 8, 1000, 65536, 300_000))
                sock.sendall(data[at : at + size])
                at += size
            sock.shutdown(socket.SHUT_WR)

        threads = [
            threading.Thread(target=say, args=(client, up)),
            threading.Thread(target=say, args=(daemon, down)),
        ]
        heard: dict[int, bytes] = {}
        threads += [
            threading.Thread(target=lambda: heard.update({DAEMON: received(client)})),
            threading.Thread(target=lambda: heard.update({CLIENT: received(daemon)})),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert heard[CLIENT] == up
        assert heard[DAEMON] == down
        assert stage.taps[0].over.wait(WAIT)
        assert bytes(stage.taps[0].sides[CLIENT]) == up
        assert bytes(stage.taps[0].sides[DAEMON]) == down
        client.close()
        daemon.close()


def test_the_tap_knows_before_the_daemon_does(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(b"request")
        assert daemon.recv(100) == b"request"
        assert bytes(stage.taps[0].sides[CLIENT]) == b"request"
        client.close()
        daemon.close()


def test_a_client_that_shuts_its_sending_side_still_gets_its_answer(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(b"all I have to say")
        client.shutdown(socket.SHUT_WR)
        assert received(daemon) == b"all I have to say"
        daemon.sendall(b"x" * 100_000)
        daemon.close()
        assert received(client) == b"x" * 100_000
        assert stage.taps[0].over.wait(WAIT)
        client.close()


def test_a_client_that_is_gone_is_a_hang_up_for_a_silent_daemon(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(b"build this")
        assert daemon.recv(100) == b"build this"
        client.close()
        assert hangs_up(daemon)
        daemon.close()


def test_a_hang_up_after_a_half_close_is_noticed(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.shutdown(socket.SHUT_WR)
        assert daemon.recv(1) == b""
        poll = select.poll()
        poll.register(daemon, 0)
        assert not poll.poll(50), "a half-close alone is not a hang-up"
        client.close()
        assert hangs_up(daemon)
        daemon.close()


def test_a_daemon_that_dies_in_mid_reply_is_an_end_for_the_client(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(b"question")
        assert daemon.recv(100) == b"question"
        daemon.sendall(b"half an ans")
        daemon.close()
        assert received(client) == b"half an ans"
        client.close()


def test_last_words_arrive_though_the_daemon_takes_no_more(tmp_path: Path) -> None:
    """A daemon that refuses an upload says why and closes, while the client is still sending."""
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.settimeout(WAIT)
        daemon.sendall(b"no permission")
        daemon.close()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            client.sendall(bytes(64 << 20))
        assert received(client) == b"no permission"
        client.close()


def test_a_client_that_never_reads_disturbs_nobody(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        stuck, flooding = stage.pair()
        flooding.setblocking(False)
        sent = 0
        poll = select.poll()
        poll.register(flooding, select.POLLOUT)
        while poll.poll(200):
            sent += flooding.send(bytes(65536))
        assert sent < 4 << 20, "what a relay holds for a client is bounded"
        client, daemon = stage.pair()
        client.sendall(b"hello")
        assert daemon.recv(10) == b"hello"
        for sock in (stuck, flooding, client, daemon):
            sock.close()


def test_bytes_one_at_a_time_arrive_one_at_a_time(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        for i in range(200):
            client.sendall(bytes([i]))
            assert daemon.recv(10) == bytes([i])
        client.close()
        daemon.close()


class Failing(Notes):
    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        raise ValueError("a bug in a decoder")


def test_a_tap_that_raises_is_let_go_and_the_bytes_go_on(tmp_path: Path) -> None:
    with staged(tmp_path, Failing) as stage:
        client, daemon = stage.pair()
        for _ in range(3):
            client.sendall(b"on and on")
            assert daemon.recv(100) == b"on and on"
        daemon.sendall(b"answer")
        assert client.recv(100) == b"answer"
        client.close()
        daemon.close()
    assert any("no longer recorded" in line for line in stage.said)
    assert ("note", {"tap failed": "ValueError('a bug in a decoder')"}) in stage.taps[0].events


def test_a_connection_whose_tap_cannot_be_opened_is_relayed_all_the_same(tmp_path: Path) -> None:
    def refuse(peer: Peer) -> Any:
        raise OSError("no space left")

    with staged(tmp_path, refuse) as stage:
        client, daemon = stage.pair()
        client.sendall(b"hello")
        assert daemon.recv(10) == b"hello"
        client.close()
        daemon.close()
    assert "not recorded" in stage.said[0]


def test_without_a_daemon_the_client_sees_an_end_and_the_relay_says_why_once(
    tmp_path: Path,
) -> None:
    with staged(tmp_path, daemon=False) as stage:
        for _ in range(3):
            with stage.client() as client:
                assert received(client) == b""
        assert len(stage.said) == 1
        assert "is the daemon running?" in stage.said[0]
        assert stage.taps[0].over.wait(WAIT)
        assert stage.taps[0].events[0][0] == "note"
        # the daemon comes up: the next client reaches it
        back = listen(tmp_path / "daemon")
        with stage.client() as client:
            daemon, _ = back.sock.accept()
            client.sendall(b"there you are")
            assert daemon.recv(100) == b"there you are"
            daemon.close()
        back.close()


def test_five_hundred_at_once(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        pairs = []
        for i in range(500):
            client = stage.client()
            client.sendall(i.to_bytes(4, "little"))
            pairs.append((client, stage.accept()))
        # accepted in any order: who is connected with whom is known by what they say
        for _, daemon in pairs:
            daemon.sendall(daemon.recv(4))
        for i, (client, _) in enumerate(pairs):
            assert client.recv(4) == i.to_bytes(4, "little")
        for client, daemon in pairs:
            client.close()
            daemon.close()


def test_only_those_allowed_get_in(tmp_path: Path) -> None:
    with staged(tmp_path, allowed=frozenset({os.getuid() + 1})) as stage:
        with stage.client() as client:
            assert received(client) == b""
        assert "refused a client of user" in stage.said[0]
        assert stage.taps == []


def _stopping(stage: Stage, times: int) -> None:
    for _ in range(times):
        stage.relay.stop()


def test_stopped_once_it_lets_clients_finish(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(b"before")
        assert daemon.recv(10) == b"before"
        _stopping(stage, 1)
        until(lambda: bool(stage.said))
        assert "waiting for 1 connected client" in stage.said[0]
        client.sendall(b"after")
        assert daemon.recv(10) == b"after"
        client.close()
        assert hangs_up(daemon)
        daemon.close()
        stage.thread.join(WAIT)
        assert not stage.thread.is_alive()
        assert not stage.path.exists()


def test_who_connected_before_it_was_stopped_is_served(tmp_path: Path) -> None:
    listener = listen(tmp_path / "relay")
    daemon = listen(tmp_path / "daemon")
    daemon.sock.settimeout(WAIT)
    relay = Relay(listener, SocketUpstream(tmp_path / "daemon"), lambda peer: None)
    clients = [connect(tmp_path / "relay") for _ in range(3)]
    relay.stop()
    serving = threading.Thread(target=relay.serve)
    serving.start()
    for client in clients:
        client.settimeout(WAIT)
        client.sendall(b"here")
    for _ in clients:
        server, _ = daemon.sock.accept()
        server.settimeout(WAIT)
        assert server.recv(10) == b"here"
        server.sendall(b"there")
        server.close()
    for client in clients:
        assert received(client) == b"there"
        client.close()
    serving.join(WAIT)
    assert not serving.is_alive()
    daemon.close()


def test_stopped_twice_it_hangs_up_on_them(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(b"x")
        assert daemon.recv(1) == b"x"
        _stopping(stage, 2)
        assert received(client) == b""
        assert hangs_up(daemon)
        client.close()
        daemon.close()


SHORT_OF_DESCRIPTORS = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from tests.support.relaying import staged
with staged(Path({folder!r})) as stage:
    held = []
    for _ in range(3):
        held.append(stage.pair())
    import os
    spare = []
    try:
        while True:
            spare.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for _ in range({free}):
        os.close(spare.pop())
    waiting = stage.client()          # takes one of them: the relay cannot serve it
    while not any("cannot accept" in line for line in stage.said):
        pass
    for client, daemon in held:       # those who are connected notice nothing
        client.sendall(b"still here")
        assert daemon.recv(100) == b"still here"
    while spare:
        os.close(spare.pop())
    daemon = stage.accept()           # now there is room again
    waiting.sendall(b"at last")
    assert daemon.recv(100) == b"at last"
print("fine", stage.said)
"""


@pytest.mark.parametrize("free", [1, 4])
def test_short_of_descriptors_it_waits_and_goes_on(tmp_path: Path, free: int) -> None:
    """Also where there is one for the client, but none for its connection to the daemon."""
    root = str(Path(__file__).parents[3])
    script = SHORT_OF_DESCRIPTORS.format(root=root, folder=str(tmp_path), free=free)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fine")


def test_a_reset_is_noted_and_ends_the_other_side(tmp_path: Path) -> None:
    """A client that closes without having read what it was sent."""
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        daemon.sendall(b"never read")
        until(lambda: bool(select.select([client], [], [], 0)[0]))
        client.sendall(b"last words")
        client.close()
        assert received(daemon) == b"last words"
        assert hangs_up(daemon)
        daemon.close()
        assert stage.taps[0].over.wait(WAIT)
        assert ("reset", CLIENT) in stage.taps[0].events


def test_a_daemon_that_shuts_its_receiving_side_still_learns_that_the_client_is_gone(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        daemon.shutdown(socket.SHUT_RD)

        def refused() -> bool:
            try:
                client.sendall(b"more")
            except OSError:
                return True
            return False

        until(refused)
        daemon.sendall(b"enough of that")
        assert client.recv(100) == b"enough of that"
        client.close()
        assert hangs_up(daemon)
        daemon.close()
        assert stage.taps[0].over.wait(WAIT)
        notes = [event[1] for event in stage.taps[0].events if event[0] == "note"]
        assert [note["undelivered"] for note in notes] == ["client"]


def test_a_half_close_from_the_daemon_leaves_the_client_its_say(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        daemon.sendall(b"that was all")
        daemon.shutdown(socket.SHUT_WR)
        assert received(client) == b"that was all"
        client.sendall(b"x" * 300_000)
        client.close()
        assert received(daemon) == b"x" * 300_000
        daemon.close()
        assert stage.taps[0].over.wait(WAIT)
        # where the machine is busy, it may have waited for us to read
        waits = {"does not read", "reads again"}
        events = stage.taps[0].events
        told = [event for event in events if event[0] != "note" or not waits & event[1].keys()]
        assert told == [("half-close", DAEMON), ("half-close", CLIENT), ("closed",)]


def test_all_that_a_client_said_before_it_left_arrives(tmp_path: Path) -> None:
    """The daemon reads only after the client is gone."""
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.setblocking(False)
        said = 0
        poll = select.poll()
        poll.register(client, select.POLLOUT)
        while poll.poll(100):
            said += client.send(bytes(10_000))
        client.close()
        assert len(received(daemon)) == said
        daemon.close()


class Starving(Notes):
    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        raise MemoryError


def test_a_tap_that_runs_out_of_memory_is_let_go(tmp_path: Path) -> None:
    with staged(tmp_path, Starving) as stage:
        client, daemon = stage.pair()
        client.sendall(b"on and on")
        assert daemon.recv(100) == b"on and on"
        client.close()
        daemon.close()


def test_a_pump_that_fails_hangs_up_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no memory for a buffer: nobody is left waiting for what never comes."""
    monkeypatch.setattr("pix_inspect.capture.relayed_connection.SMALL_BUFFER", 1 << 60)
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        assert received(daemon) == b""
        assert received(client) == b""
        client.close()
        daemon.close()
        assert stage.taps[0].over.wait(WAIT)
        assert any("a connection is given up: " in line for line in stage.said)


def test_without_memory_for_a_large_buffer_the_bytes_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.capture.relayed_connection.LARGE_BUFFER", 1 << 60)
    data = random.Random(1).randbytes(100_000)
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        client.sendall(data)
        client.close()
        assert received(daemon) == data
        daemon.close()


def test_who_is_connected_may_come_to_need_memory_that_another_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path) as stage:
        client, daemon = stage.pair()
        with monkeypatch.context() as scarce:
            scarce.setattr("pix_inspect.capture.relay.GROWTH", 1 << 60)
            waiting = stage.client()
            until(lambda: any("cannot accept a client for now" in line for line in stage.said))
        client.sendall(b"still here")
        assert daemon.recv(100) == b"still here"
        server = stage.accept()
        waiting.sendall(b"at last")
        assert server.recv(100) == b"at last"
        for end in (client, daemon, waiting, server):
            end.close()


def test_while_no_thread_can_be_started_clients_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Exception | None] = [RuntimeError("can't start new thread"), MemoryError(), None] * 2

    def scarce(work: Callable[..., None], arguments: tuple[Any, ...]) -> int:
        error = left.pop(0) if left else None
        if error is not None:
            raise error
        return _thread.start_new_thread(work, arguments)

    with staged(tmp_path) as stage:
        for module in ("relay", "relayed_connection"):
            monkeypatch.setattr(f"pix_inspect.capture.{module}.start_new_thread", scarce)
        client, daemon = stage.pair()
        client.sendall(b"at last")
        assert daemon.recv(100) == b"at last"
        assert any("cannot start a thread" in line for line in stage.said)
        client.close()
        daemon.close()


def test_without_room_for_threads_it_ends_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(work: object, arguments: object) -> int:
        raise RuntimeError("can't start new thread")

    with staged(tmp_path) as stage:
        monkeypatch.setattr("pix_inspect.capture.relayed_connection.start_new_thread", none)
        client = stage.client()
        until(lambda: bool(stage.said))
        stage.relay.stop()
        stage.relay.stop()
        stage.thread.join(WAIT)
        assert not stage.thread.is_alive()
        assert received(client) == b""
        client.close()


SILENT = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()
"""


def test_those_who_say_nothing_lock_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the daemon is still silent to all of them."""
    monkeypatch.setattr("pix_inspect.capture.relay.MOST_UNANSWERED", 20)
    with staged(tmp_path) as stage:
        # below a shell, for who is started by the daemon's process may be a detour
        command = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", SILENT, str(stage.path)]
        silent = subprocess.Popen([*command, "30"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert silent.stdout is not None
        assert silent.stdout.readline() == b"connected\n"
        held = [stage.accept() for _ in range(30)]
        another = subprocess.Popen([*command, "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        held.append(stage.accept())
        here = [stage.client() for _ in range(30)]  # in the process that is the daemon
        held += [stage.accept() for _ in here]
        assert stage.said == []
        for process in (silent, another):
            process.communicate()
        for sock in held + here:
            sock.close()


def test_a_daemon_that_accepts_nobody_holds_up_no_stop(tmp_path: Path) -> None:
    full = socket.socket(socket.AF_UNIX)
    full.bind(str(tmp_path / "daemon"))
    full.listen(0)
    with staged(tmp_path, daemon=False) as stage:
        clients = [stage.client() for _ in range(4)]
        until(lambda: len(stage.taps) == 4)
        stage.relay.stop()
        until(lambda: any("no longer accepting" in line for line in stage.said))
        stage.relay.stop()
        stage.thread.join(WAIT)
        assert not stage.thread.is_alive()
        full.close()
        for client in clients:
            client.close()


def test_a_late_signal_writes_to_nobody(tmp_path: Path) -> None:
    """What the relay wakes itself with is not closed as long as a signal may use it."""
    with staged(tmp_path) as stage:
        stage.relay.stop()
        stage.thread.join(WAIT)
        reading, writing = os.pipe()
        for _ in range(3):
            stage.relay.stop()
        assert not select.select([reading], [], [], 0)[0]
        os.close(reading)
        os.close(writing)


def test_what_the_relay_holds_for_a_connection_is_bounded(tmp_path: Path) -> None:
    """Nobody reads on either side: what is sent stays with the senders."""
    with staged(tmp_path) as stage:
        ends = stage.pair()
        for end in ends:
            end.setblocking(False)
            sent = 0
            poll = select.poll()
            poll.register(end, select.POLLOUT)
            while poll.poll(100):
                sent += end.send(bytes(65536))
            assert sent < 2 << 20
        for end in ends:
            end.close()
