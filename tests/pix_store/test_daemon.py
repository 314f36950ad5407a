"""The daemon as a whole: its socket, its clients beside each other, and its end."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
import tracemalloc
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection, NixDaemonError
from pix.problem import Problem
from pix.protocol.types import TrustedFlag
from pix.sockets import connect
from pix_store import EmbeddedDaemon
from pix_store.store.store import Store
from tests.support.nars import nar
from tests.support.relaying import until
from tests.support.serving import TREE, WAIT, Drv, client, serving


def test_the_socket_is_for_its_owner_and_goes_with_the_daemon(tmp_path: Path) -> None:
    with serving(tmp_path / "s") as daemon:
        assert daemon.path == tmp_path / "s"
        assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o600
        with pytest.raises(Problem, match="in use by another process"):
            EmbeddedDaemon(tmp_path / "s").start()
    assert not list(tmp_path.iterdir())
    with pytest.raises(Problem, match="not listening"):
        _ = daemon.path


def test_its_own_folder_goes_with_the_daemon() -> None:
    with serving() as daemon:
        folder = daemon.path.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"version": "1.17"}, r"speaks 1\.18 to 1\.38, not 1\.17"),
        ({"version": "1.39"}, "not 1.39"),
        ({"version": "2.3"}, "not a protocol version"),
        ({"features": ["nonsense"]}, "'nonsense' is not a feature; known are"),
        ({"version": "1.37", "features": ["provenance"]}, r"features exist from 1\.38 on"),
        ({"store_dir": "nix/store"}, "not a store directory"),
        ({"store_dir": "/nix/../store"}, "not a store directory"),
        ({"store_dir": "/"}, "not a store directory"),
        ({"path": Path("/nowhere/at/all/s")}, "cannot listen"),
        ({"store": Path("/dev/null")}, "is not a folder"),
    ],
)
def test_what_makes_no_daemon(options: dict[str, object], why: str) -> None:
    with pytest.raises(Problem, match=why), EmbeddedDaemon(**options):  # type: ignore[arg-type]
        pass


def test_many_clients_at_a_time() -> None:
    def work(number: int) -> None:
        with client(daemon) as c:
            for i in range(10):
                path = c.add_text_to_store(f"{number}-{i}", f"{number}{i}")
                assert c.is_valid_path(path)
                tree = c.add_to_store("same", TREE)
                assert b"".join(c.nar(tree)) == TREE

    with serving() as daemon:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert len(daemon.store) == 121
        until(lambda: daemon.clients == 0)


def test_short_of_something_clients_wait_or_end_and_the_daemon_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept, start = socket.socket.accept, threading.Thread.start
    trouble: list[BaseException] = [OSError(errno.EMFILE, "full"), MemoryError()]
    pauses: list[float] = []

    def scarce(listening: socket.socket) -> Any:
        if trouble:
            raise trouble.pop()
        return accept(listening)

    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with serving() as daemon:
        with client(daemon):
            pass
        monkeypatch.setattr(socket.socket, "accept", scarce)
        monkeypatch.setattr("pix_store.daemon.time", SimpleNamespace(sleep=pauses.append))
        with client(daemon) as good:  # whose accept was under way
            with client(daemon) as waited:
                assert waited.is_valid_path(good.add_text_to_store("x", "x"))
            assert len(pauses) == 2
            monkeypatch.setattr(threading.Thread, "start", none)
            with connect(daemon.path) as turned_away:
                assert turned_away.recv(1) == b""
            monkeypatch.setattr(threading.Thread, "start", start)
            until(lambda: len(pauses) == 3)
            with client(daemon) as after:
                assert after.is_valid_path(good.add_text_to_store("x", "x"))


def test_one_client_s_trouble_is_its_own() -> None:
    with serving() as daemon, client(daemon) as good:
        with daemon.socketpair() as bad:
            bad.sendall(b"nonsense" * 1000)
        with daemon.socketpair() as silent:
            path = good.add_text_to_store("x", "x")
            silent.sendall(pack_u64(0x6E697863))
        assert good.is_valid_path(path)


def test_another_user_is_let_in_only_if_named_and_never_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pix_store.daemon.peer_ids", lambda sock: (1, 4321, 1))
    with serving() as daemon, pytest.raises(NixDaemonError, match="closed"), client(daemon):
        pass
    with serving(allow_users=frozenset({4321}), allow_build=True) as daemon, client(daemon) as c:
        assert c.trusted == TrustedFlag.NOT_TRUSTED
        drv = Drv(c, "echo > $out")
        with pytest.raises(NixDaemonError, match="own user only"):
            c.build_paths([drv.all])
    with serving(allow_users=None) as daemon, client(daemon) as c:
        assert c.query_all_valid_paths() == set()


def test_closing_ends_connections() -> None:
    with serving() as daemon:
        c = DaemonConnection(daemon.path, timeout=WAIT).connect()
        waiting = daemon.socketpair()
        daemon.close()
        with pytest.raises(NixDaemonError, match="closed"):
            c.query_all_valid_paths()
        c.close()
        assert waiting.recv(1) == b""
        waiting.close()


def test_a_store_outlives_the_daemons_that_serve_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    for i in range(2):
        with serving(store=store) as daemon, client(daemon) as c:
            c.add_text_to_store(f"n{i}", "")
            assert len(c.query_all_valid_paths()) == i + 1
    store.close()


def test_a_client_that_takes_nothing_is_left_waiting() -> None:
    """Who does not read its answers fills its socket, not our memory."""
    data = nar(os.urandom(1 << 20))
    with serving() as daemon:
        with client(daemon) as c:
            path = c.add_to_store("big", data)
        with client(daemon) as c, c.detach() as sock:
            ask = pack_u64(38) + pack_u64(len(path)) + path.encode() + bytes(-len(path) & 7)
            sock.settimeout(0.2)
            tracemalloc.start()
            sent = 0
            try:
                while sent < 64 << 20:
                    sent += sock.send(ask * 1000)
            except TimeoutError:
                pass
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 16 << 20
        with client(daemon) as c:
            assert c.is_valid_path(path)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pack_u64(1) + pack_u64(1 << 30),
        pack_u64(31) + pack_u64(1 << 20) + (pack_u64(50 << 20) + bytes(1 << 16)) * 4,
        pack_u64(8) + pack_u64(1) + b"x" + bytes(7) + pack_u64(1 << 29),
        pack_u64(19) + bytes(96) + pack_u64(1 << 24),
    ],
)
def test_promises_of_much_allocate_nothing(request_bytes: bytes) -> None:
    with serving() as daemon, client(daemon) as c, c.detach() as sock:
        tracemalloc.start()
        sock.settimeout(WAIT)
        with suppress(OSError):  # the daemon may have had enough before we were done
            sock.sendall(request_bytes)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 16 << 20


def test_a_request_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pix_store.connection.protocol.LONGEST", 1 << 20)
    one = pack_u64(40) + bytes(40)
    with serving() as daemon, client(daemon) as c, c.detach() as sock:
        sock.settimeout(WAIT)
        said = b""
        with suppress(OSError):
            sock.sendall(pack_u64(31) + pack_u64(1 << 22) + one * 40_000)
            sock.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while data := sock.recv(1 << 16):
                said += data
        assert b"a value of at most" in said or not said


def test_payload_is_not_kept_in_memory(tmp_path: Path) -> None:
    size = 48 << 20
    with serving(store=tmp_path) as daemon, client(daemon) as c:
        tracemalloc.start()
        path = c.add_to_store("big", (bytes(1 << 16) for _ in range(size >> 16)), "fixed:sha256")
        for _ in c.nar(path):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert c.query_path_info(path).nar_size > size
    assert peak < 12 << 20
