"""Exchanges made up for tests: bytes of a session in which a single thing matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.session.session import Session
from tests.support.words import LAST, text, word
from tests.support.written import CLIENT, DAEMON, Written


@dataclass
class Scene:
    """A connection of 1.37 whose handshake is over; `done` saves it and reads it."""

    folder: Path
    written: Written = field(default_factory=Written)

    def __post_init__(self) -> None:
        self.track = self.written.open(peer={"pid": 1})
        self.client(word(0x6E697863), word(0x125))
        self.daemon(word(0x6478696F), word(0x125))
        self.client(word(0), word(0))
        self.daemon(text(b"2.18.0"), word(1), word(LAST))

    def client(self, *data: bytes) -> None:
        self.written.chunk(self.track, CLIENT, b"".join(data))

    def daemon(self, *data: bytes) -> None:
        self.written.chunk(self.track, DAEMON, b"".join(data))

    def ask(self, name: str, /, **fields: Any) -> None:
        operation = OPERATIONS_BY_NAME[name]
        plain = operation.request.value_of(fields)
        self.client(word(operation.code), encode(operation.request, plain, Protocol(37)))

    def answer(self, name: str, /, **fields: Any) -> None:
        reply = OPERATIONS_BY_NAME[name].reply
        self.daemon(word(LAST), encode(reply, reply.value_of(fields), Protocol(37)))

    def done(self, *, closed: bool = True) -> Session:
        if closed:
            self.track.close(self.written.now(), self.written.blocks)
        return Session(self.written.save(self.folder / "scene.pcapng")).read_all()
