"""A client that sends requests with payload, cut as a test wants, and hears what comes of them.

    client = Carrying(sock, Protocol(21))
    last = client.ask(AddToStoreNar(…), content, sizes=[3, 8])

Frames are, and answers to STDERR_READ are, of `sizes`, in turn.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from pix.codec.declare import STDERR_FRAMES, Operation
from pix.codec.errors import Lost
from pix.codec.gates import NEWEST_MINOR, Protocol
from pix.codec.incoming import Incoming
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, Carriage
from pix.codec.values import encode
from pix.codec.wire import pack_string, pack_u64
from pix.daemon import DaemonConnection
from pix.protocol import operations as op
from pix.protocol.logging import StderrError, StderrLast, StderrRead
from pix.protocol.types import FEATURES
from tests.support.nars import nar

WAIT = 60.0
TREE = nar({b"a": b"x" * 100, b"run": ("executable", b"#")})
NAME = "00000000000000000000000000000000-x"
PATH = f"/nix/store/{NAME}"

NO_METHOD = "none at all"

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=3)
PROTOCOLS = st.one_of(
    st.sampled_from([18, 20, 21, 22, 23, 24, 25, 31, 32, 37, 38]).map(Protocol),
    st.frozensets(st.sampled_from(sorted(FEATURES))).map(lambda f: Protocol(NEWEST_MINOR, f)),
)
CONTENTS = st.one_of(
    st.just(TREE),
    st.integers(0, len(TREE)).map(lambda n: TREE[:n]),
    st.just(TREE + TREE),
    st.binary(max_size=40),
    st.integers(0, 2).map(lambda n: pack_u64(n) + TREE),
)


BARE = (TREE, TREE + bytes([255]) * 16, bytes([255]) * 16)
"""Contents of a bare NAR: whatever comes, a daemon knows at their end what to make of them."""


def carrying(protocol: Protocol) -> list[Any]:
    """Requests with payload that a client of that version can send; the payload is left out."""
    minor = protocol.minor
    found: list[Any] = [
        op.AddToStoreNar(
            path=PATH, nar_hash="0" * 64, nar_size=len(TREE), dont_check_sigs=True, nar=b""
        ),
        op.ImportPaths(export=b""),
    ]  # fmt: skip
    if minor < 25:
        names = ("x", "no name")
        found += [op.AddToStore(name=name, recursive=1, dump=b"") for name in names]
    else:
        methods = ("fixed:r:sha256", "fixed:sha256", "text:sha256", NO_METHOD)
        found += [op.AddToStore(name="x", method=method, dump=b"") for method in methods]
    if minor >= 32:
        found.append(op.AddMultipleToStore(dont_check_sigs=True, items=b""))
        found.append(op.AddBuildLog(drv=f"{NAME}.drv", log=b""))
    return found


def carriage_of(request: Any, protocol: Protocol) -> Carriage:
    operation: Operation = request.operation
    assert operation.request.payload is not None
    carriage = operation.request.payload.carriage(protocol)
    assert carriage is not None
    return carriage


class Carrying:
    """One client on a connected socket, greeted already or by `greeted`."""

    def __init__(self, sock: socket.socket, protocol: Protocol) -> None:
        sock.settimeout(WAIT)
        self.protocol = protocol
        self._sock = sock
        self._heard = Incoming(lambda: sock.recv(1 << 16), lambda: Lost("the daemon closed"))

    @classmethod
    def greeted(cls, sock: socket.socket, protocol: Protocol) -> Carrying:
        connection = DaemonConnection("/nowhere", version=protocol.text, features=protocol.features)
        protocol = connection.over(sock).protocol
        return cls(connection.detach(), protocol)

    def ask(self, request: Any, content: bytes = b"", sizes: Sequence[int] = (1 << 16,)) -> Any:
        """Return the reply or the error, None where the daemon closes the connection instead."""
        operation: Operation = request.operation
        out = pack_u64(operation.code) + encode(operation.request, request, self.protocol)
        payload = operation.request.payload
        carriage = None if payload is None else payload.carriage(self.protocol)
        pieces = _cut(content, sizes)
        if carriage is RAW_NAR:
            out += content
        elif carriage is FRAMES:
            out += b"".join(pack_u64(len(piece)) + piece for piece in pieces) + bytes(8)
        try:
            self._sock.sendall(out)
            while True:
                kind = STDERR_FRAMES[self._heard.word()].fields
                frame = self._heard.value(kind, self.protocol)
                if isinstance(frame, StderrRead):
                    assert carriage is PULLED
                    self._sock.sendall(pack_string(next(pieces, b"")))
                elif isinstance(frame, StderrError):
                    return frame
                elif isinstance(frame, StderrLast):
                    return self._heard.value(operation.reply, self.protocol)
        except (Lost, OSError):
            return None

    def goes_on(self) -> bool:
        """Whether the next request is answered by what it asks; else the daemon has closed."""
        for _ in range(3):  # what the end is said with comes once or twice
            said = self.ask(op.IsValidPath(path=PATH))
            if not isinstance(said, StderrError):
                return said is not None
        raise AssertionError("the daemon refuses, and does not end")


def _cut(content: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    for size in itertools.cycle(sizes):
        if not content:
            return
        yield content[:size]
        content = content[size:]
