"""The daemon's side: whose turn it is, and that nothing of a request is left in the stream."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.declare import Operation
from pix.codec.gates import Protocol
from pix.codec.payload import RAW_NAR
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol import operations as op
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import StderrError
from pix.protocol.types import TrustedFlag
from pix.serving import LAST, Refusal, ServedConnection
from tests.support.carrying import (
    BARE,
    CONTENTS,
    PROTOCOLS,
    SIZES,
    TREE,
    Carrying,
    carriage_of,
    carrying,
)
from tests.support.playbook import said

HELLO = DaemonHello(version=0x126, daemon_nix_version="2.26.3", trusted=TrustedFlag.TRUSTED)

WAYS = ("all", "none", "two words", "a piece", "refused first", "refused later", "read as a NAR")
"""What an answer does with the payload."""


class Answering(ServedConnection):
    """Says yes, once it has done with the payload what it is told to do."""

    way = "all"

    def answer(self, request: Any) -> Any:
        if isinstance(request, op.IsValidPath):
            return op.IsValidPath.Reply(valid=True)
        if self.way == "refused first":
            raise Refusal("no")
        if self.way == "two words":
            content = self.content()
            content.word()
            content.word()
        elif self.way == "read as a NAR":
            for _ in self.content().nar():
                pass
        else:
            for _ in itertools.islice(self.payload(), {"all": None, "none": 0}.get(self.way, 1)):
                pass
        if self.way == "refused later":
            raise Refusal("no")
        return None

    def reply(self, operation: Operation, answer: Any) -> bool:
        if answer is None:
            self.refuse(Refusal("done"))
        else:
            self.send(LAST + encode(operation.reply, answer, self.protocol))
        return True

    def refuse(self, refusal: Refusal) -> None:
        self.say(StderrError(message=refusal.message))


@contextmanager
def answering(protocol: Protocol, chunk: int, way: str) -> Iterator[Carrying]:
    """A client of a daemon that takes its bytes `chunk` at a time."""
    ours, theirs = socket.socketpair()
    daemon = Answering(lambda: theirs.recv(chunk), theirs.sendall)
    daemon.way = way
    hello = DaemonHello(version=protocol.number, features=tuple(sorted(protocol.features)))

    def serve() -> None:
        with theirs:
            daemon.serve(hello)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours:
            client = Carrying.greeted(ours, protocol)
            yield client
            assert daemon.protocol == client.protocol == protocol
    finally:
        ours.close()
        thread.join(20)
    assert not thread.is_alive()


@given(st.data(), PROTOCOLS, CONTENTS, SIZES, st.sampled_from([1, 8, 1 << 16]))
def test_what_a_request_carries_is_consumed_to_its_end(
    data: st.DataObject, protocol: Protocol, content: bytes, sizes: list[int], chunk: int
) -> None:
    request = data.draw(st.sampled_from(carrying(protocol)))
    way = data.draw(st.sampled_from(WAYS))
    bare = carriage_of(request, protocol) is RAW_NAR
    if bare:
        content = data.draw(st.sampled_from(BARE))
    with answering(protocol, chunk, way) as client:
        last = client.ask(request, content, sizes)
        assert last is not None
        assert client.goes_on() or (bare and content != TREE)


def scripted(said: bytes, hello: DaemonHello = HELLO) -> bytes:
    """What a daemon says to a client that says all this."""
    pieces, out = iter([said]), bytearray()
    Answering(lambda: next(pieces, b""), out.extend).serve(hello)
    return bytes(out)


@pytest.mark.parametrize("minor", [10, 11, 13, 14, 32, 33, 34, 35, 37, 38])
def test_the_handshake_has_what_the_version_has(minor: int) -> None:
    protocol = Protocol(minor)
    hello = ClientHello(version=protocol.number)
    told = DaemonHello(version=0x126)
    if minor >= 33:
        told.daemon_nix_version = HELLO.daemon_nix_version
    if minor >= 35:
        told.trusted = HELLO.trusted
    assert scripted(said(hello, protocol)) == said(told, protocol) + LAST


def test_features_are_said_before_the_client_s_processor_is_asked_for() -> None:
    hello = said(ClientHello(version=0x126), Protocol(38))
    magic_version_and_features = hello[:24]
    assert scripted(magic_version_and_features) == said(HELLO, Protocol(38))[:24]


@pytest.mark.parametrize("version", [0x109, 0x026, 0x163, 0x200])
def test_versions_that_are_not_spoken_are_turned_away(version: int) -> None:
    with pytest.raises(Refusal, match=f"a client of version {version:#x} was turned away"):
        scripted(pack_u64(0x6E697863) + pack_u64(version), DaemonHello(version=0x115))


def test_an_unknown_operation_and_a_bad_request_end_the_connection() -> None:
    greeting = said(ClientHello(version=0x126), Protocol(38))
    good = said(op.IsValidPath(path="/nix/store/x"), Protocol(38))
    after = len(scripted(greeting))
    for bad, why in (
        (pack_u64(4711), b"there is no operation"),
        (pack_u64(1) + pack_u64(1 << 40), b"IsValidPath: at byte"),
        (pack_u64(1) + pack_u64(5) + b"abcde\1\1\1", b"zero padding"),
    ):
        heard = scripted(greeting + good + bad + good)[after:]
        yes, error = heard[:16], heard[16:]
        assert yes == LAST + pack_u64(1)
        assert error.startswith(said(StderrError(message=""), Protocol(38))[:8])
        assert why in error
        assert LAST not in error
