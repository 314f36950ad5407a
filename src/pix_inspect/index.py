"""The index of a recording: one record of 60 bytes for each exchange.

Records stand in blocks of fixed size, so that an index that grows is never copied and holds
nothing it does not use. What does not fit a record (an operation number or a size beyond its
field, remarks) is rare and kept aside.

Knows what is remembered of an exchange; nothing of files, bytes or decoding.
"""

from __future__ import annotations

from struct import Struct
from typing import Literal, NamedTuple, TypeAlias

from pix.exchange import CLIENT, Exchange, Kind

State: TypeAlias = Literal["open", "ok", "error", "cut", "opaque"]
STATES: tuple[State, ...] = ("open", "ok", "error", "cut", "opaque")
KINDS: tuple[Kind, ...] = ("handshake", "operation", "orphan", "opaque")
OPEN, OK, ERROR, CUT, OPAQUE = range(5)
NOWHERE = -1

_RECORD = Struct("<qQqIHBBqqIII")
_END = Struct("<BqqIII")
_END_AT = 31
"""Where in a record stands what is known only at an exchange's end."""
_SIZE = _RECORD.size
_SHIFT = 12
_MASK = (1 << _SHIFT) - 1
_NO_CODE = 0xFFFF
_LARGEST = 0xFFFFFFFF
_MOST_REMARKED = 100_000
_COMPLETE = 0x80
_KIND = {kind: number for number, kind in enumerate(KINDS)}


class Entry(NamedTuple):
    """What the index knows of an exchange.

    Times in nanoseconds (`started` since 1970, `took` -1 while it lasts), starts are stream
    offsets (-1 unknown), sizes in bytes; `position` is that of its first packet in the file.
    """

    started: int
    position: int
    client_start: int
    connection: int
    code: int | None
    kind: Kind
    state: State
    took: int
    daemon_start: int
    request_bytes: int
    reply_bytes: int
    log: int
    complete: bool


class Index:
    """The records, by number from 0 in order of start."""

    def __init__(self) -> None:
        self.length = 0
        self._blocks: list[bytearray] = []
        self._odd: dict[tuple[int, str], int] = {}
        self._notes: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return self.length

    def add(self, exchange: Exchange, connection: int, position: int) -> int:
        """Add an exchange that begins and return its number."""
        number = self.length
        at = number & _MASK
        if not at:
            self._blocks.append(bytearray(_SIZE << _SHIFT))
        kind = exchange.kind
        code = exchange.code
        if code is None:
            code = _NO_CODE
        elif code >= _NO_CODE:
            self._odd[number, "code"] = code
            code = _NO_CODE
        client = daemon = NOWHERE
        if kind == "handshake":
            client = daemon = 0
        elif exchange.side == CLIENT:
            client = exchange.start
        else:
            daemon = exchange.start
        _RECORD.pack_into(
            self._blocks[-1],
            at * _SIZE,
            exchange.started,
            position,
            client,
            connection,
            code,
            _KIND[kind],
            OPAQUE if kind == "opaque" else OPEN,
            -1,
            daemon,
            0,
            0,
            0,
        )
        self.length = number + 1
        return number

    def end(self, number: int, exchange: Exchange) -> None:
        """Complete the record of an exchange that is over."""
        request = reply = 0
        start = NOWHERE
        if exchange.kind == "handshake":
            start = 0
        if exchange.request_end is not None:
            request = exchange.request_end - exchange.start
            if not 0 <= request < _LARGEST:
                request = self._put_aside(number, "request", request)
        if exchange.daemon_start is not None:
            start = exchange.daemon_start
            if exchange.daemon_end is not None:
                reply = exchange.daemon_end - start
                if not 0 <= reply < _LARGEST:
                    reply = self._put_aside(number, "reply", reply)
        if exchange.kind == "opaque":
            state = OPAQUE
        elif exchange.error is not None:
            state = ERROR
        else:
            state = OK if exchange.complete else CUT
        took = exchange.took
        _END.pack_into(
            self._blocks[number >> _SHIFT],
            (number & _MASK) * _SIZE + _END_AT,
            state | _COMPLETE if exchange.complete else state,
            -1 if took is None else max(took, 0),
            start,
            request,
            reply,
            min(exchange.frames, _LARGEST),
        )
        if exchange.notes and len(self._notes) < _MOST_REMARKED:
            self._notes[number] = exchange.notes

    def _put_aside(self, number: int, what: str, value: int) -> int:
        if value <= 0:
            return 0
        self._odd[number, what] = value
        return _LARGEST

    def notes(self, number: int) -> tuple[str, ...]:
        """Return what was remarked on an exchange that is over."""
        return self._notes.get(number, ())

    def entry(self, number: int) -> Entry:
        """Return a record. Raises IndexError."""
        if not 0 <= number < self.length:
            raise IndexError(f"no exchange {number + 1} of {self.length}")
        (
            started, position, client, connection, code, kind, state,
            took, daemon, request, reply, log,
        ) = _RECORD.unpack_from(self._blocks[number >> _SHIFT], (number & _MASK) * _SIZE)  # fmt: skip
        operation: int | None = code
        if code == _NO_CODE:
            operation = self._odd.get((number, "code"))
        complete = state >= _COMPLETE
        if request == _LARGEST:
            request = self._odd.get((number, "request"), request)
        if reply == _LARGEST:
            reply = self._odd.get((number, "reply"), reply)
        return Entry(
            started, position, client, connection, operation, KINDS[kind],
            STATES[state - _COMPLETE if complete else state],
            took, daemon, request, reply, log, complete,
        )  # fmt: skip
