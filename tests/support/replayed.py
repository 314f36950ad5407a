"""Small recordings for replays, written as conversations, and daemons that play scripts.

    story(path, (1, Protocol(38), IsValidPath(path=P), LAST, IsValidPath.Reply(valid=True), END))

Each line is a connection and what is said on it: a Protocol greets, a request is the client's,
anything else the daemon's; `END` closes. Lines pass a millisecond apart.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import StderrLast
from pix.protocol.types import TrustedFlag
from pix.sockets import listen
from pix_inspect.cli import main
from pix_inspect.replay.daemon import PlayedDaemon
from pix_inspect.replay.recorded import RecordedSession
from tests.support.places import RECORDINGS
from tests.support.playbook import said
from tests.support.recorded import START, Step, record
from tests.support.scripted_daemon import Daemon, Player

NAMES = sorted(path.stem for path in RECORDINGS.glob("*.pcapng"))
OF_WORKER = [name for name in NAMES if not name.startswith("serve-")]
"""Recorded sessions, and those of them that are with daemons."""

MILLISECOND = 1_000_000

P = "/nix/store/ffffffffffffffffffffffffffffffff-hello"
Q = "/nix/store/gggggggggggggggggggggggggggggggg-glibc"
LAST = StderrLast()
END = object()


def client_hello(protocol: Protocol) -> ClientHello:
    return ClientHello(version=protocol.number, features=tuple(sorted(protocol.features)))


def daemon_hello(protocol: Protocol) -> DaemonHello:
    hello = DaemonHello(version=protocol.number, features=tuple(sorted(protocol.features)))
    if protocol.minor >= 33:
        hello.daemon_nix_version = "2.34.8"
    if protocol.minor >= 35:
        hello.trusted = TrustedFlag.TRUSTED
    return hello


def story(path: Path, *lines: tuple[Any, ...], payload: int | None = None) -> Path:
    """Write a recording of these lines; of each payload `payload` bytes are kept."""
    return record(path, _steps(lines), payload)


def _steps(lines: Iterable[tuple[Any, ...]]) -> Iterator[Step]:
    protocols: dict[int, Protocol] = {}
    time = START
    for number, *values in lines:
        for value in values:
            time += MILLISECOND
            if isinstance(value, Protocol):
                protocols[number] = value
                yield Step(time, number, "open", CLIENT, b"")
                answer = said(daemon_hello(value), value) + said(LAST, value)
                for side, data in ((CLIENT, said(client_hello(value), value)), (DAEMON, answer)):
                    time += MILLISECOND
                    yield Step(time, number, "data", side, data)
            elif value is END:
                yield Step(time, number, "close", CLIENT, b"")
                del protocols[number]
            else:
                side = CLIENT if getattr(value, "operation", None) else DAEMON
                if isinstance(value, tuple):  # a side's bytes as they are
                    side, value = value
                yield Step(time, number, "data", side, said(value, protocols[number]))
    for number in protocols:
        time += MILLISECOND
        yield Step(time, number, "close", CLIENT, b"")


class Script(Player):
    """A player whose turns may be called, to wait for something or tell of it."""

    def turn(self, turn: Any) -> None:
        if callable(turn):
            turn()
        else:
            super().turn(turn)


@contextmanager
def scripted(path: Path, protocol: Protocol, *scripts: tuple[Any, ...]) -> Iterator[list[Daemon]]:
    """A daemon at `path` that plays one script for each connection, in order of connecting."""
    listener = listen(path)
    threads: list[threading.Thread] = []
    daemons = [Daemon(None, protocol) for _ in scripts]  # type: ignore[arg-type]  # nobody asks

    def accept() -> None:
        with contextlib.suppress(OSError):
            for daemon, script in zip(daemons, scripts, strict=True):
                sock, _ = listener.sock.accept()
                player = Script(sock, daemon, (lambda s=sock: _greet(s, protocol), *script))
                thread = threading.Thread(target=player.play, daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield daemons
    finally:
        with contextlib.suppress(OSError):
            listener.sock.shutdown(socket.SHUT_RDWR)
        accepting.join(30)
        listener.close()
        for thread in threads:
            thread.join(30)


def _greet(sock: socket.socket, protocol: Protocol) -> None:
    """Greet any client that speaks at least `protocol`."""
    hello = said(daemon_hello(protocol), protocol)
    _read(sock, 8)
    sock.sendall(hello[:16])
    _read(sock, 8)
    if protocol.minor >= 38:
        for _ in range(int.from_bytes(_read(sock, 8), "little")):
            length = int.from_bytes(_read(sock, 8), "little")
            _read(sock, length + -length % 8)
    _read(sock, 16)
    sock.sendall(hello[16:] + said(LAST, protocol))


def _read(sock: socket.socket, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise EOFError("the client is gone")
        data += piece
    return data


@contextmanager
def played(path: Path, **options: Any) -> Iterator[tuple[Path, list[str]]]:
    """A daemon played from a recording: its socket, and what it had no answer to."""
    unanswered: list[str] = []
    with PlayedDaemon(RecordedSession(path), say=unanswered.append, **options) as daemon:
        yield daemon.path, unanswered


def client(path: Path, upstream: Path, *options: str) -> int:
    """`pix-inspect replay client`, fast by default; returns its exit status."""
    words = ["replay", "client", str(path), "--upstream", str(upstream), "--yes", *options]
    return main(words if "--paced" in options else [*words, "--fast"])
