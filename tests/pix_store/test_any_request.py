"""Whatever is asked, in whatever version, the daemon answers or refuses, and nothing breaks."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.declare import Operation
from pix.codec.gates import NEWEST_MINOR, WORKER, Protocol
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, Carriage
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection
from pix.protocol import operations_of
from pix.protocol.operations import AddPermRoot
from pix.protocol.types import FEATURES
from pix_store import EmbeddedDaemon
from tests.support.serving import TREE, WAIT
from tests.support.strategies import values

PROTOCOLS = st.one_of(
    st.integers(18, NEWEST_MINOR).map(Protocol),
    st.frozensets(st.sampled_from(sorted(FEATURES))).map(lambda f: Protocol(NEWEST_MINOR, f)),
)
HARMLESS = [one for one in operations_of(WORKER).values() if one is not AddPermRoot.operation]  # type: ignore[attr-defined]
"""Without the one that writes where the client says."""

CONTENTS = st.one_of(
    st.just(TREE),
    st.just(TREE[:200]),
    st.binary(max_size=40),
    st.integers(0, 2).map(lambda n: pack_u64(n) + TREE),
)


def carried(content: bytes, carriage: Carriage | None) -> bytes:
    if carriage is FRAMES:
        return (pack_u64(len(content)) + content if content else b"") + bytes(8)
    if carriage is PULLED:
        return pack_u64(len(content)) + content + bytes(-len(content) & 7)
    return content if carriage is RAW_NAR else b""


@st.composite
def requests(draw: Any, protocol: Protocol) -> bytes:
    """One request's bytes, well-formed as far as its fields go."""
    operation: Operation = draw(st.sampled_from(HARMLESS))
    request = draw(values(operation.request, protocol))
    payload = operation.request.payload
    carriage = None if payload is None else payload.carriage(protocol)
    head = encode(operation.request, request, protocol)
    return pack_u64(operation.code) + head + carried(draw(CONTENTS), carriage)


@settings(max_examples=150)
@given(st.data(), st.booleans())
def test_any_requests(data: st.DataObject, trusted: bool) -> None:
    protocol = data.draw(PROTOCOLS)
    said = data.draw(st.lists(requests(protocol), max_size=4))
    daemon = EmbeddedDaemon(version=protocol.text, features=protocol.features, trusted=trusted)
    try:
        connection = DaemonConnection("/nowhere", features=protocol.features, timeout=WAIT)
        sock = connection.over(daemon.socketpair()).detach()
        with sock, suppress(ConnectionError):
            sock.settimeout(WAIT)
            sock.sendall(b"".join(said))
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
    finally:
        daemon.close()
    assert not daemon.faults, daemon.faults
