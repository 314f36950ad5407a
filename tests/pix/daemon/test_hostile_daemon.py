"""Whatever a daemon says, the client gives a reply or a NixDaemonError, and comes to an end."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import STDERR_FRAMES
from pix.protocol import operations as op
from pix.protocol.logging import StderrLast
from tests.pix.daemon.test_connection import DRV, HELLO
from tests.support.nars import nar
from tests.support.playbook import said
from tests.support.scripted_daemon import SECONDS, greeting
from tests.support.strategies import values

QUESTIONS: list[Any] = [
    op.IsValidPath(path=HELLO),
    op.QueryPathInfo(path=HELLO),
    op.QueryMissing(paths=()),
    op.FindRoots(),
    op.NarFromPath(path=HELLO),
    op.ExportPath(path=HELLO),
    op.ImportPaths(export=b"x"),
    op.BuildPathsWithResults(paths=()),
    op.AddToStore(name="x", dump=b"y" * 100_000),
    op.QueryDerivationOutputMap(path=DRV),
]
NUMBERS = (0, 1, 2, 3, 8, 1 << 31, 1 << 60, (1 << 64) - 1)
WORDS = st.sampled_from([*STDERR_FRAMES, *NUMBERS]).map(pack_u64)
FRAMES = st.one_of(
    [
        values(frame.fields, Protocol(38)).map(lambda value: said(value, Protocol(38)))
        for frame in STDERR_FRAMES.values()
    ]
)
PARTS = st.one_of(WORDS, st.binary(max_size=24), FRAMES, st.just(nar({b"a": b"x"})))
ANSWERS = st.lists(PARTS, max_size=12).map(b"".join)


def speaks(peer: socket.socket, hello: list[bytes], answer: bytes) -> None:
    """Greet, wait for a question if there is an answer, give it, end."""
    with peer, suppress(OSError):  # the client may have had enough
        peer.sendall(b"".join(hello))
        if answer:
            peer.recv(8 + 32 + 1, socket.MSG_WAITALL)
            peer.sendall(answer)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(1 << 16):
            pass


def ask(hello: list[bytes], answer: bytes, question: Any) -> None:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=speaks, args=(theirs, hello, answer))
    thread.start()
    connection = DaemonConnection("/nowhere", timeout=SECONDS)
    problem = ""
    try:
        connection.over(ours)
        for _ in range(3):
            connection.call(question)
    except NixDaemonError as error:
        problem = str(error)
    finally:
        connection.close()
        ours.close()
        thread.join(SECONDS)
    assert not thread.is_alive()
    assert "was silent" not in problem


HELLO_TURNS = [
    said(turn, Protocol(38))
    for turn in greeting(Protocol(38), 0x126, frozenset())
    if not hasattr(turn, "what")
]


@settings(max_examples=300)
@given(answer=ANSWERS, question=st.sampled_from(QUESTIONS))
def test_any_answer(answer: bytes, question: Any) -> None:
    ask(HELLO_TURNS, answer, question)


@settings(max_examples=300)
@given(data=st.data(), question=st.sampled_from(QUESTIONS))
def test_an_answer_with_a_few_bytes_changed(data: st.DataObject, question: Any) -> None:
    protocol = Protocol(38)
    reply = data.draw(values(question.operation.reply, protocol))
    payload = question.operation.reply.payload
    if payload is not None and payload.carriage(protocol).inline:
        setattr(reply, payload.name, nar({b"a": bytes(100)}))
    raw = bytearray(data.draw(FRAMES) + said(StderrLast(), protocol) + said(reply, protocol))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    ask(HELLO_TURNS, bytes(raw[: data.draw(st.integers(0, len(raw)))]), question)


@settings(max_examples=100)
@given(data=st.data())
def test_any_greeting(data: st.DataObject) -> None:
    raw = bytearray(b"".join(HELLO_TURNS))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    ask([bytes(raw)], b"", QUESTIONS[0])
