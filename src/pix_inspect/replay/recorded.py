"""Recorded exchanges as something that can be said again: bytes, values, and what is missing.

A recording may lack payload; what was elided is told, never made up. Bytes are read from the
file a piece at a time, so that a request's size does not matter.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pix.codec.declare import Operation
from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.payload import Carriage
from pix.codec.wire import Reader, Wire
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix.problem import Problem
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.payload_spans import content_spans
from pix_inspect.session.session import Row, Session

PIECE = 1 << 20
"""Bytes that are read from the recording at a time."""

ELIDED = "payload elided: record with --payload full"

MOST_LOOKED_AT = 64
"""Exchanges that are kept at hand, decoded."""


class RecordedExchange:
    """One operation, or the handshake, as it was recorded."""

    def __init__(self, view: ExchangeView) -> None:
        self.view = view
        self.row: Row = view.row

    @property
    def number(self) -> int:
        """Its number in the recording, from 1."""
        return self.row.number

    @property
    def protocol(self) -> Protocol:
        """The protocol it was spoken in."""
        return self.view.protocol or Protocol(0)

    @property
    def exchange(self) -> Exchange:
        """Its spans. Raises Problem where the recording is not understood."""
        if self.view.exchange is None:
            raise Problem(f"exchange {self.number} cannot be understood")
        return self.view.exchange

    @property
    def operation(self) -> Operation:
        """The operation. Raises Problem where it is none that is known."""
        found = self.exchange.operation
        if found is None:
            raise Problem(f"exchange {self.number} is not a known operation")
        return found

    # What the client said -------------------------------------------------------------

    def unfit(self) -> str | None:
        """Return why the request cannot be sent again, None if it can."""
        exchange = self.view.exchange
        if self.row.kind == "opaque" or exchange is None or exchange.operation is None:
            return "; ".join(self.view.notes) or "not understood"
        if exchange.request_end is None or exchange.request_done is None:
            return "the recording ends inside the request"
        if self.lacks(CLIENT, exchange.start, exchange.request_end):
            return ELIDED
        return None

    def lacks(self, side: int, start: int, end: int) -> int:
        """Return how many of the bytes `[start, end)` were not kept."""
        return end - start - self.view.kept[side].count(start, end)

    def raw(self, side: int, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes `[start, end)` of a side. Raises Problem where some were elided."""
        for at in range(start, end, PIECE):
            data = self.view.kept[side].whole(at, min(at + PIECE, end))
            if data is None:
                raise Problem(f"exchange {self.number}: {ELIDED}")
            yield data

    def head(self) -> bytes:
        """Return the request without its payload: number and fields."""
        exchange = self.exchange
        end = exchange.payload_start or exchange.request_end or exchange.start
        return b"".join(self.raw(CLIENT, exchange.start, end))

    def payload(self) -> Iterator[bytes]:
        """Yield what stands behind the request's fields, as it was sent. Raises Problem."""
        exchange = self.exchange
        if exchange.payload_start is not None and exchange.request_end is not None:
            yield from self.raw(CLIENT, exchange.payload_start, exchange.request_end)

    def request(self) -> Any:
        """Return the request as an object, without its payload. Raises DecodeError."""
        return self._value(self.operation.request, self.head(), self.exchange.start, behind=8)

    def carriage(self, side: int) -> Carriage | None:
        """Return how the payload of the request or the reply travelled, None without one."""
        record = self.operation.request if side == CLIENT else self.operation.reply
        return None if record.payload is None else record.payload.carriage(self.protocol)

    def content(self, side: int) -> Iterator[bytes]:
        """Yield the payload that a side sent, without frames and padding; raises Problem."""
        for start, length in content_spans(self.view, side):
            yield from self.raw(side, start, start + length)

    def content_size(self, side: int) -> tuple[int, int]:
        """Return how many bytes of payload a side sent, and how many of them were not kept."""
        spans = list(content_spans(self.view, side))
        lacking = sum(self.lacks(side, start, start + length) for start, length in spans)
        return sum(length for _, length in spans), lacking

    # What the daemon said --------------------------------------------------------------

    def reply(self) -> Any:
        """Return the reply's fields as an object. Raises DecodeError."""
        exchange = self.exchange
        assert exchange.reply is not None
        start, end = exchange.reply
        end = exchange.reply_payload_start or end or start
        data = b"".join(self.raw(DAEMON, start, end))
        return self._value(self.operation.reply, data, start)

    def frame(self, part: Part) -> Any:
        """Return one STDERR frame, a log frame or the error, as an object. Raises DecodeError."""
        assert part.node is not None
        end = self.view.kept[DAEMON].end if part.end is None else part.end
        data = b"".join(self.raw(DAEMON, part.start, end))
        return self._value(part.node.wire, data, part.start, behind=8)

    def _value(self, wire: Wire, data: bytes, base: int, behind: int = 0) -> Any:
        return wire.read(Reader(data[behind:], self.protocol, base + behind))


class RecordedSession:
    """All of a recording, for several threads at once. Raises Problem for what is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = Session(path).read_all()
        self._lock = threading.Lock()
        self.connections: dict[int, list[int]] = {}
        """The exchanges (from 0) of each connection, in order."""
        for i in range(len(self.session)):
            self.connections.setdefault(self.session.row(i).connection, []).append(i)
        if not self.connections:
            raise Problem(f"{path} has no exchanges: nothing to replay")
        self._look = lru_cache(MOST_LOOKED_AT)(self._exchange)

    def _exchange(self, i: int) -> RecordedExchange:
        return RecordedExchange(self.session.exchange(i))

    def exchange(self, i: int) -> RecordedExchange:
        """Return exchange `i`, counted from 0."""
        with self._lock:
            return self._look(i)

    def close(self) -> None:
        self.session.close()


__all__ = ["ELIDED", "DecodeError", "RecordedExchange", "RecordedSession"]
