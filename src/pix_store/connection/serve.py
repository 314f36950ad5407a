"""One client that speaks the serve protocol, as with `nix-store --serve`.

There is no log loop and no error frame: what is said goes to standard error, and a refusal is the
end. Answers are those of the worker protocol's operations, so they see its newest version.
Source: Nix `nix-store.cc` (opServe).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container
from typing import Any

from pix.codec.declare import Operation
from pix.codec.errors import EncodeError
from pix.codec.gates import NEWEST, SERVE
from pix.codec.payload import Bare
from pix.codec.values import encode, fitted
from pix.daemon.errors import without_colours
from pix.protocol.logging import ResultType, StderrNext
from pix.protocol.serve import ServerHello
from pix.serving import Refusal
from pix_store.connection.protocol import Connection, Offer, Streams
from pix_store.store.refusal import magenta

NEWEST_SERVED = SERVE.major << 8 | SERVE.newest


class StandardStreams:
    """Standard input and output."""

    def recv(self, size: int, /) -> bytes:
        return os.read(0, size)

    def sendall(self, data: bytes, /) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(1, left) :]

    def fileno(self) -> int:
        return 0


def _complain(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class ServeConnection(Connection):
    """`complain` takes what would stand on standard error; without `write` nothing is changed."""

    def __init__(
        self,
        streams: Streams,
        offer: Offer,
        known: Container[int],
        *,
        write: bool,
        complain: Callable[[str], None] = _complain,
    ) -> None:
        super().__init__(streams, offer, known)
        self.write = write
        self.complain = complain

    def converse(self, answering: Callable[[Any], Any]) -> None:
        self.answering = answering
        self.serve(ServerHello(version=NEWEST_SERVED))

    def answer(self, request: Any) -> Any:
        spoken, self.protocol = self.protocol, NEWEST
        try:
            return super().answer(request)
        finally:
            self.protocol = spoken

    def unknown(self, code: int) -> Refusal:
        return Refusal(f"unknown serve command {magenta(code)}")

    def refuse(self, refusal: Refusal) -> None:
        self.complain(f"error: {without_colours(refusal.message)}\n")

    def reply(self, operation: Operation, answer: Any) -> bool:
        wire, payload = operation.reply, operation.reply.payload
        try:
            self.send(encode(wire, fitted(wire, answer, self.protocol), self.protocol))
            if payload is not None and isinstance(payload.carriage(self.protocol), Bare):
                for piece in getattr(answer, payload.name):
                    self.send(piece)
        except (Refusal, EncodeError) as error:
            self.refuse(error if isinstance(error, Refusal) else Refusal(str(error)))
            return False
        return True

    def say(self, frame: Any) -> None:
        if isinstance(frame, StderrNext):
            self.complain(frame.text)

    def result(self, activity: int, kind: int, *fields: int | str) -> None:
        if kind == ResultType.BUILD_LOG_LINE:
            self.complain(f"{fields[0]}\n")
