"""A daemon that plays a script: what it waits for, and what it says.

    with playing(Hears(IsValidPath(path=HELLO)), LAST, IsValidPath.Reply(valid=True)) as daemon:
        assert daemon.connection.is_valid_path(HELLO)

A script is a list of turns, in order: `Hears(request)` reads exactly the bytes of that request
and complains when others come; declared values (frames, replies) and bytes are said, a tuple
of them in one breath, so that the client cannot hear the first alone;
`HearsFrames` and `HearsAnswer` read payload; CLOSE closes, WAIT waits for the client to close.
The greeting comes by itself unless the script has one of its own.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import StderrLast
from pix.protocol.types import Text, TrustedFlag
from tests.support.playbook import said

LAST = StderrLast()
CLOSE = object()
WAIT = object()
SECONDS = 60.0
"""How long either side waits for the other."""


@dataclass
class Hears:
    """Exactly these bytes have to come: a request's fields without payload, or raw bytes."""

    what: Any


class HearsFrames:
    """Frames up to the empty one."""


@dataclass
class HearsAnswer:
    """One string, as after STDERR_READ."""


@dataclass
class Daemon:
    """The other end; `heard` is the payload that came, `problem` what went against the script."""

    connection: DaemonConnection
    protocol: Protocol
    heard: bytearray = field(default_factory=bytearray)
    answers: list[bytes] = field(default_factory=list)
    problem: str | None = None
    left: bytes = b""
    sock: socket.socket | None = None

    def connect(self) -> DaemonConnection:
        """Let the client greet."""
        assert self.sock is not None
        return self.connection.over(self.sock)


class Player:
    """Plays the turns on its end of the socket."""

    def __init__(self, sock: socket.socket, daemon: Daemon, turns: tuple[Any, ...]) -> None:
        self.sock = sock
        self.daemon = daemon
        self.turns = turns

    def read(self, n: int) -> bytes:
        data = bytearray()
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            if not part:
                raise EOFError(f"the client closed {n - len(data)} bytes early")
            data += part
        return bytes(data)

    def word(self) -> int:
        return int.from_bytes(self.read(8), "little")

    def play(self) -> None:
        try:
            for turn in self.turns:
                self.turn(turn)
            self.sock.shutdown(socket.SHUT_WR)
            self.daemon.left += self.rest()
        except (EOFError, OSError, AssertionError) as problem:
            self.daemon.problem = f"{type(problem).__name__}: {problem}"
        finally:
            self.sock.close()

    def rest(self) -> bytes:
        left = bytearray()
        while part := self.sock.recv(1 << 16):
            left += part
        return bytes(left)

    def turn(self, turn: Any) -> None:
        if turn is WAIT:
            self.daemon.left += self.rest()
        elif turn is CLOSE:
            self.sock.close()
            raise EOFError("over")
        elif isinstance(turn, Hears):
            wanted = self.head(turn.what)
            got = self.read(len(wanted))
            assert got == wanted, f"wanted {wanted!r}, got {got!r}"
        elif isinstance(turn, HearsFrames):
            while n := self.word():
                self.daemon.heard += self.read(n)
        elif isinstance(turn, HearsAnswer):
            n = self.word()
            self.daemon.answers.append(self.read(n))
            assert self.read(-n & 7) == bytes(-n & 7)
        else:
            together = turn if isinstance(turn, tuple) else (turn,)
            self.sock.sendall(b"".join(said(each, self.daemon.protocol) for each in together))

    def head(self, what: Any) -> bytes:
        if isinstance(what, bytes):
            return what
        operation = getattr(what, "operation", None)
        fields = encode(wire_of(type(what)), what, self.daemon.protocol)
        return (pack_u64(operation.code) if operation is not None else b"") + fields


def greeting(
    protocol: Protocol,
    version: int,
    features: frozenset[str],
    *,
    nix: str = "2.26.3",
    trusted: TrustedFlag = TrustedFlag.TRUSTED,
) -> list[Any]:
    """The turns of a daemon of `version` that greets a client that speaks 1.38."""
    hello = DaemonHello(version=version)
    client = ClientHello(version=0x126)
    if protocol.minor >= 38:
        hello.features = tuple(sorted(features))
        client.features = tuple(sorted(protocol.features))
    if protocol.minor >= 33:
        hello.daemon_nix_version = nix
    if protocol.minor >= 35:
        hello.trusted = trusted
    daemon, mine = said(hello, protocol), said(client, protocol)
    if protocol.minor < 38:
        return [Hears(mine[:8]), daemon[:16], Hears(mine[8:]), daemon[16:], LAST]
    # features go to and fro before the client's last words, which are two numbers
    offer = encode(wire_of(tuple[Text, ...]), hello.features, protocol)
    rest = daemon[16:].removeprefix(offer)
    first = [Hears(mine[:8]), daemon[:16], Hears(mine[8:-16]), offer]
    return [*first, Hears(mine[-16:]), rest, LAST]


@contextmanager
def playing(
    *turns: Any,
    minor: int = 38,
    features: frozenset[str] = frozenset(),
    greets: bool = True,
    agrees: bool = True,
    **options: Any,
) -> Iterator[Daemon]:
    """Connect to a daemon that plays `turns`; afterwards see that it could play them all.

    `agrees=False` is for scripts that the client breaks off.
    """
    protocol = Protocol(minor, features)
    options.setdefault("timeout", SECONDS)
    connection = DaemonConnection("/nowhere", features=features, **options)
    daemon = Daemon(connection, protocol)
    if greets:
        turns = (*greeting(protocol, protocol.number, features), *turns)
    ours, theirs = socket.socketpair()
    theirs.settimeout(SECONDS)
    daemon.sock = ours
    thread = threading.Thread(target=Player(theirs, daemon, turns).play)
    thread.start()
    try:
        if greets:
            daemon.connect()
        yield daemon
    finally:
        connection.close()
        ours.close()
        thread.join(SECONDS)
    assert not thread.is_alive()
    if agrees:
        assert daemon.problem is None, daemon.problem
