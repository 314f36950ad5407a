"""What an exchange asks and what it is answered, as a few bytes each that can be compared.

Two exchanges with the same `asked` ask the same, whatever their recording, protocol and wording.
Answers have two fingerprints: of the bytes, which costs little, and of what they mean, which is
needed where the bytes differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from pix.codec.cursor import Cursor, leap, u64_at
from pix.codec.declare import OPERATIONS, STDERR_FRAMES
from pix.codec.gates import Protocol
from pix.codec.values import tree
from pix.codec.wire import Wire, pack_u64
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix_inspect.compare.bulk_bytes import Spoken
from pix_inspect.compare.canonical_bytes import Essence, Unusual
from pix_inspect.compare.changes import masked
from pix_inspect.compare.exchanges import meaning, protocol_of, value_of
from pix_inspect.compare.volatile import varies
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.row import KINDS, packed
from pix_inspect.session.session import Row, Session

SETTING_UP = frozenset(("handshake", "SetOptions"))
"""What is said once on a connection: aligned by its name, and what is asked counts as answer."""
MOST = (1 << 64) - 1
"""The largest fingerprint of an answer; answers are summed up in as many bits."""

_OPERATION = KINDS.index("operation")
_SEEN = packed("kind", "complete", "operation")
_LAST = pack_u64(STDERR_LAST)
_ERROR = STDERR_FRAMES[STDERR_ERROR].fields


class Print(NamedTuple):
    """Fingerprints of an exchange: its name, what it asks, what it is answered."""

    name: str
    asked: bytes
    answered: int


@cache
def _plain() -> frozenset[int]:
    """Return the codes of the operations without payload."""
    return frozenset(
        code
        for code, operation in OPERATIONS.items()
        if operation.request.payload is None and operation.reply.payload is None
    )


def apart(row: Row) -> bool:
    """Return whether an exchange cannot be compared by its bytes alone."""
    kind, complete, code = _SEEN(row[1])
    return kind != _OPERATION or not complete or code not in _plain()


def digest(data: bytes) -> bytes:
    """Return 16 bytes that stand for `data`."""
    return blake2b(data, digest_size=16).digest()


def number(data: bytes) -> int:
    """Return 64 bits that stand for `data`, in this process."""
    return hash(data) & MOST


class Fingerprints:
    """Fingerprints of the exchanges of some sessions, comparable with each other."""

    def __init__(self, sessions: Sequence[Session], mask: frozenset[str]) -> None:
        self._mask = mask
        self._protocols: tuple[Protocol, ...] = tuple(
            {
                connection.protocol: None
                for session in sessions
                for connection in session.connections.values()
                if connection.protocol is not None
            }
        )
        self._essence = Essence(self._protocols, mask)

    def of(self, session: Session, said: Spoken, *, meant: bool = False) -> Print:
        """Return the fingerprints of an exchange.

        `meant`: the answer's is of its meaning, and `asked` is not to be relied on.
        """
        row = said.row
        if said.request is not None and said.reply is not None and (code := row.code) is not None:
            protocol = session.connections[row.connection].protocol
            if protocol is not None:
                found = self._plain(code, said.request, said.reply, protocol, meant)
                if found is not None:
                    return found
        return self._viewed(session.exchange(row.number - 1), meant)

    def _plain(
        self, code: int, request: bytes, reply: bytes, protocol: Protocol, meant: bool
    ) -> Print | None:
        start = answer_at(reply, protocol)
        if start is None:
            return None
        operation = OPERATIONS[code]
        asked = request[:8]
        try:
            if not meant or operation.name in SETTING_UP:
                asked += self._counts(operation.request, request, 8, protocol)
            answer = reply[start:]
            if meant:
                failed = u64_at(answer, 0)[0] == STDERR_ERROR
                wire = _ERROR if failed else operation.reply
                answer = answer[:8] + self._counts(wire, answer, 8, protocol)
        except Unusual:
            return None
        if operation.name in SETTING_UP:
            asked, answer = asked[:8], asked + answer
        return Print(operation.name, digest(asked), number(answer))

    def _counts(self, wire: Wire, data: bytes, start: int, protocol: Protocol) -> bytes:
        essence = self._essence.of(wire, data, start, protocol)
        if not varies(essence):
            return essence
        decoded = tree(wire, data[start:], protocol)
        if not decoded.nodes or decoded.error is not None:
            raise Unusual
        return self._text(value_of(decoded.nodes[0], self._protocols))

    def _text(self, value: Any) -> bytes:
        text = json.dumps(masked(value, self._mask), sort_keys=True)
        return text.encode("utf-8", "surrogatepass")

    def _viewed(self, view: ExchangeView, meant: bool) -> Print:
        """Return the fingerprints of an exchange that has to be looked at alone.

        As far as there are whole bytes they are the same as those of `_plain`.
        """
        row = view.row
        protocol = protocol_of(view)
        exchange = view.exchange
        operation = exchange.operation if exchange is not None else None
        name = row.name
        said = meaning(view, self._protocols or (protocol,))
        asked, answer = self._text([said["kind"], name]), self._text(
            {key: said[key] for key in said if key not in ("operation", "kind", "request")}
        )  # fmt: skip
        if row.kind == "handshake":
            return Print(name, digest(asked), number(self._text(said)))
        if exchange is None or operation is None:
            return Print(name, digest(asked), number(answer))
        asked = pack_u64(operation.number) + self._text(said["request"])
        end = exchange.payload_start or exchange.request_end
        request = None if end is None else view.kept[CLIENT].whole(exchange.start, end)
        if request is not None:
            with suppress(Unusual):
                asked = request[:8] + self._counts(operation.request, request, 8, protocol)
        reply = self._reply(view) if view.row.complete else None
        if reply is not None:
            wire = _ERROR if exchange.error is not None else operation.reply
            with suppress(Unusual):
                said_so = self._counts(wire, reply, 8, protocol) if meant else reply[8:]
                answer = reply[:8] + said_so
        if name in SETTING_UP:
            asked, answer = asked[:8], asked + answer
        return Print(name, digest(asked), number(answer))

    def _reply(self, view: ExchangeView) -> bytes | None:
        """Return the last frame of the log and the reply behind it, without its payload."""
        exchange = view.exchange
        assert exchange is not None
        place = exchange.error or exchange.reply
        if place is None:
            return None
        start, end = place
        if exchange.error is None:
            end = exchange.reply_payload_start or end
        whole = None if end is None else view.kept[DAEMON].whole(start, end)
        if whole is None or exchange.error is not None:
            return whole
        return _LAST + whole


def answer_at(data: bytes, protocol: Protocol) -> int | None:
    """Return where the log ends in what a daemon said: at STDERR_LAST or STDERR_ERROR."""
    if data[:8] == _LAST:
        return 0
    cursor = Cursor()
    cursor.buf, cursor.end = data, len(data)
    while cursor.pos + 8 <= cursor.end:
        (code,) = u64_at(data, cursor.pos)
        if code in (STDERR_LAST, STDERR_ERROR):
            return cursor.pos
        frame = STDERR_FRAMES.get(code)
        if frame is None:
            return None
        cursor.pos += 8
        if not leap(cursor, frame.fields.program(protocol)):
            return None
    return None


def payload_operations(names: Iterable[str]) -> frozenset[str]:
    """Return those of the operations that carry payload."""
    carrying = {each.name for code, each in OPERATIONS.items() if code not in _plain()}
    return frozenset(carrying.intersection(names))
