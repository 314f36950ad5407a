"""A live relay, driven from both sides: what comes out went in, and is what was recorded."""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
from pathlib import Path
from random import Random

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.stream_reader import Chunk
from pix_inspect.recording.writer import RecordingWriter
from tests.fuzz.sessions import Session, corpus, mutated
from tests.support.relaying import Stage, received, staged

SESSIONS: list[Session] = []
MOST = 20_000
"""Bytes of a turn: what waits in the kernel for a side that does not read never fills it."""
PIECES = 100
"""Into which a turn is cut at most: each takes some hundred bytes more of the kernel's room."""


def prepare() -> None:
    SESSIONS.extend(corpus())


class Talk:
    """A connection: both ends, what each said, and whether it was heard to its end."""

    def __init__(self, stage: Stage, random: Random) -> None:
        self.ends = stage.pair()
        self.said = (bytearray(), bytearray())
        self.heard = (bytearray(), bytearray())
        session = mutated(random.choice(SESSIONS), SESSIONS, random)
        # what is recorded is known again by its first bytes
        self.turns = [(CLIENT, random.randbytes(16)), *session][: random.choice((3, 30, 1000))]
        self.random = random
        self.whole = [True, True]

    def step(self) -> bool:
        """Say or hear something; return whether there is more to do."""
        if self.random.random() < 0.4:
            self._hear()
            return True
        if not self.turns:
            self._end()
            return False
        side, data = self.turns.pop(0)
        size = max(self.random.choice((7, 4096, MOST)), min(len(data), MOST) // PIECES)
        for start in range(0, min(len(data), MOST), size):
            self.ends[side].sendall(data[start : start + size])
            self.said[side].extend(data[start : start + size])
        self._hear(until=side)
        return True

    def _hear(self, until: int | None = None) -> None:
        """Take what has come; all that a side said, if it is named."""
        for side, other in ((CLIENT, DAEMON), (DAEMON, CLIENT)):
            end = self.ends[other]
            while len(self.heard[side]) < len(self.said[side]) and (
                until == side or select.select([end], [], [], 0)[0]
            ):
                piece = end.recv(1 << 16)
                assert piece, "the connection ended though nobody ended it"
                self.heard[side].extend(piece)
        assert self.heard == self.said or until is None

    def _end(self) -> None:
        """Leave in one of the ways there are; what was said before arrives."""
        first = self.random.choice((CLIENT, DAEMON))
        if self.random.random() < 0.5:
            self.ends[first].shutdown(socket.SHUT_WR)
            self.heard[first].extend(received(self.ends[1 - first]))
        last = self.random.randbytes(self.random.choice((0, 0, 10, 5000)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.ends[1 - first].sendall(last)
            self.said[1 - first].extend(last)
        self.whole[1 - first] = not last  # who leaves may leave that unread
        self.ends[first].close()
        self.heard[first].extend(received(self.ends[1 - first]))
        self.ends[1 - first].close()
        assert self.heard[first] == self.said[first]


def one(random: Random, *, loud: bool = False) -> None:
    """Try some connections at once, each a broken session; then read the recording of them."""
    with tempfile.TemporaryDirectory(prefix="pix-fuzz-") as name:
        folder = Path(name)
        writer = RecordingWriter(folder / "r.pcapng", about={})
        with staged(folder, lambda peer: RecordingTap(writer.open(peer, {}), None)) as stage:
            talks = [Talk(stage, random) for _ in range(random.choice((1, 1, 2, 4)))]
            going = talks.copy()
            while going:
                talk = random.choice(going)
                if not talk.step():
                    going.remove(talk)
            assert stage.thread.is_alive()
            assert not stage.said, stage.said
        writer.close()
        streams = _recorded(folder / "r.pcapng")
    for talk in talks:
        if loud:
            print(talk.said)
        (found,) = (pair for pair in streams if pair[CLIENT][:16] == talk.said[CLIENT][:16])
        for side in (CLIENT, DAEMON):
            assert talk.said[side].startswith(found[side]), (side, talk.said, found)
            assert len(found[side]) == len(talk.said[side]) or not talk.whole[side]


def _recorded(path: Path) -> list[tuple[bytearray, bytearray]]:
    """Return both streams of each connection of a recording, which is whole."""
    streams: dict[int, tuple[bytearray, bytearray]] = {}
    reader = RecordingReader(path)
    while items := reader.poll():
        for item in items:
            if isinstance(item, Chunk):
                assert len(item.data) == item.length
                pair = streams.setdefault(item.connection, (bytearray(), bytearray()))
                pair[item.side].extend(item.data)
    reader.close()
    assert not reader.warnings, reader.warnings
    assert reader.truncated is None
    return list(streams.values())
