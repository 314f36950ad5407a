"""Hostile bytes cost no more memory than a small multiple of themselves.

Watching (`Conversation` without detail) keeps nothing of what passed: its memory is bounded
whatever comes. Decoding (`tree`) costs a few dozen bytes for each byte it is given.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import pytest

from pix.codec.errors import PixError
from pix.codec.gates import Protocol
from pix.codec.values import decode, tree
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.exchange import Exchange
from pix.protocol import OPERATIONS_BY_NAME, STDERR_FRAMES
from pix.protocol.logging import STDERR_START_ACTIVITY, StderrNext
from pix.protocol.operations import AddToStore, IsValidPath, NarFromPath
from pix.protocol.payload_items import ContentReader
from tests.fuzz.sessions import WORDS, Session, corpus, mutated
from tests.support.nars import nar, tokens
from tests.support.playbook import Playbook, said
from tests.support.words import text

V38 = Protocol(38)
V24 = Protocol(24)
MEGABYTE = 1 << 20
TREE_FACTOR = 64
"""Bytes of nodes for a byte on the wire, at most; reached by lists of the smallest records."""


class Nobody:
    """An observer that keeps nothing."""

    def started(self, exchange: Exchange) -> None: ...

    def ended(self, exchange: Exchange) -> None: ...


def peak(work: Callable[[], object]) -> int:
    """Return the most bytes that `work` had allocated at a time."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        work()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return most - before


def again(piece: bytes, times: int) -> Iterator[bytes]:
    """Yield the piece so many times in chunks of some KiB."""
    count = max(4096 // len(piece), 1)
    for _ in range(times // count):
        yield piece * count


DEEP_NAR = text(b"nix-archive-1") + b"".join(
    [tokens(b"(", b"type", b"directory", b"entry", b"(", b"name", b"n" * 200, b"node")] * 4000
)
REQUEST = said(IsValidPath(path="/nix/store/x"), V38)
STREAMS: dict[str, tuple[Protocol, int, bytes, bytes, int]] = {
    "pipelined operations": (V38, CLIENT, b"", pack_u64(13), 200_000),
    "requests": (V38, CLIENT, b"", REQUEST, 20_000),
    "many small frames": (
        V38,
        CLIENT,
        said(AddToStore(name="x", dump=b""), V38)[:-8],
        pack_u64(1) + b"x",
        200_000,
    ),
    "one long string": (V38, CLIENT, pack_u64(1) + pack_u64(1 << 30), b"y" * 4096, 1000),
    "a deep archive": (
        V24,
        CLIENT,
        said(AddToStore(name="x", dump=b""), V24) + DEEP_NAR,
        bytes(8),
        8,
    ),
    "a list of nothing": (V38, CLIENT, pack_u64(31) + pack_u64(1 << 27), bytes(8), 200_000),
    "unknown": (V38, CLIENT, pack_u64(99), b"z" * 4096, 1000),
    "log frames": (V38, DAEMON, b"", said(StderrNext(text="a line\n"), V38), 100_000),
    "no frames": (V38, DAEMON, b"", b"q" * 4096, 1000),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMS)
def test_watching_keeps_nothing(name: str) -> None:
    protocol, side, first, piece, times = STREAMS[name]
    talk = Playbook(protocol).greet() >> (NarFromPath(path="/nix/store/x") if side else b"")
    conversation = Conversation(Nobody())
    for speaker, data in talk.turns:
        conversation.feed(speaker, data or b"")
    conversation.feed(side, first)

    def flood() -> None:
        for data in again(piece, times):
            conversation.feed(side, data)

    # what waits is bounded by Limits: a MiB of bytes, or 2^14 operations of half a KiB
    assert peak(flood) < 12 * MEGABYTE
    conversation.close()


def test_a_client_that_never_waits_is_given_up() -> None:
    talk = Playbook(V38).greet()
    conversation = talk.play()
    conversation.feed(CLIENT, pack_u64(13) * 20_000)
    assert conversation.is_opaque(CLIENT)
    assert len(conversation.pending) == conversation.limits.pending
    conversation.close()
    assert all(e.ended is not None for e in conversation.exchanges)


def test_a_deep_archive_costs_as_much_as_its_bytes() -> None:
    reader = ContentReader("nar", V38)
    assert peak(lambda: reader.feed(DEEP_NAR)) < 8 * len(DEEP_NAR) + MEGABYTE
    assert len(reader.items[0].entries) == 4000


RECORDS = {
    "FindRoots": (OPERATIONS_BY_NAME["FindRoots"].reply, pack_u64(1 << 12) + bytes(1 << 16)),
    "QueryAllValidPaths": (
        OPERATIONS_BY_NAME["QueryAllValidPaths"].reply,
        pack_u64(1 << 13) + bytes(1 << 16),
    ),
    "SetOptions": (
        OPERATIONS_BY_NAME["SetOptions"].request,
        bytes(96) + pack_u64(1 << 12) + bytes(1 << 16),
    ),
    "BuildPathsWithResults": (
        OPERATIONS_BY_NAME["BuildPathsWithResults"].reply,
        pack_u64(700) + bytes(1 << 16),
    ),
    "STDERR_START_ACTIVITY": (
        STDERR_FRAMES[STDERR_START_ACTIVITY].fields,
        bytes(32) + pack_u64(1 << 12) + bytes(1 << 16) + bytes(8),
    ),
    "SubmitOutput": (OPERATIONS_BY_NAME["SubmitOutput"].request, pack_u64(1) * 8192),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_tree_costs_a_multiple_of_its_bytes(name: str) -> None:
    wire, data = RECORDS[name]
    assert peak(lambda: tree(wire, data, V38)) < TREE_FACTOR * len(data)


@pytest.mark.parametrize("name", RECORDS)
def test_wild_counts_cost_nothing(name: str) -> None:
    wire, data = RECORDS[name]
    for at in range(0, 136, 8):
        for word in WORDS:
            wild = data[:at] + pack_u64(word) + bytes(64)

            def read(wild: bytes = wild) -> None:
                tree(wire, wild, V38)
                with suppress(PixError):
                    decode(wire, wild, V38)

            if word >= 1 << 26:
                assert peak(read) < 256 << 10, (name, at, word)
            else:
                read()


@pytest.mark.slow
def test_mutated_sessions_cost_a_multiple_of_their_bytes() -> None:
    sessions = corpus()
    random = Random(11)
    for _ in range(300):
        session: Session = mutated(random.choice(sessions), sessions, random)
        size = sum(len(data) for _, data in session)

        def play(session: Session = session) -> None:
            conversation = Conversation(detail=True)
            for side, data in session:
                conversation.feed(side, data)
            conversation.close()

        assert peak(play) < 16 * size + (256 << 10)


def test_nar_of_a_million_bytes_is_not_kept() -> None:
    archive = nar(b"x" * MEGABYTE)
    talk = Playbook(V38).greet() >> NarFromPath(path="p")
    conversation = talk.play()
    conversation.feed(DAEMON, pack_u64(0x616C7473))

    def pass_by() -> None:
        for start in range(0, len(archive), 4096):
            conversation.feed(DAEMON, memoryview(archive)[start : start + 4096])

    assert peak(pass_by) < 64 << 10
    conversation.close()
    assert conversation.exchanges[-1].complete
