"""The index of a recording: one record of 60 bytes for each exchange.

Records stand in blocks of fixed size, so that an index that grows is never copied and holds
nothing it does not use. What does not fit a record (an operation number or a size beyond its
field, remarks) is rare and kept aside.

One thread writes (`begin`, `end`); any may read meanwhile. A number is in `open` until its
record is whole, so whoever asks `open` first and reads the record after finds one or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Literal, NamedTuple, TypeAlias

from pix.conversation.exchange import CLIENT, Exchange, Kind
from pix.conversation.notes import Note

State: TypeAlias = Literal["open", "ok", "error", "cut", "opaque"]
STATES: tuple[State, ...] = ("open", "ok", "error", "cut", "opaque")
KINDS: tuple[Kind, ...] = ("handshake", "operation", "orphan", "opaque")
_, OK, ERROR, CUT, OPAQUE = range(5)
NOWHERE = -1

_RECORD = Struct("<qQqIHBBqqIII")
_SIZE = _RECORD.size
_SHIFT = 12
_MASK = (1 << _SHIFT) - 1
_NO_CODE = 0xFFFF
LARGEST = 0xFFFFFFFF
_MOST_REMARKED = 100_000
_LATEST = (1 << 63) - 1
"""The last time that a record holds, in the year 2262; a damaged file may say later ones."""
COMPLETE = 0x80
"""What a record adds to the state of a complete exchange."""
_KIND = {kind: number for number, kind in enumerate(KINDS)}


Record: TypeAlias = "tuple[int, ...]"
"""A record as it is kept: started, position, client's start, connection, code, kind, state,
took, daemon's start, bytes up, bytes down, log frames."""

_COLUMNS = {
    "started": Struct("<q52x"),
    "connection": Struct("<24xI32x"),
    "code": Struct("<28xH30x"),
    "state": Struct("<31xB28x"),
    "took": Struct("<32xq20x"),
    "up": Struct("<48xI8x"),
    "down": Struct("<52xI4x"),
    "frames": Struct("<56xI"),
}
"""One value of a record each."""


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


Finished: TypeAlias = "tuple[int, int | None, Kind, int, int, int, int, bool]"
"""An exchange that is over, for counting: connection, code, kind, start, duration (both ns),
bytes up and down, whether it ended in an error."""


class Index:
    """The records, by number from 0 in order of start."""

    def __init__(self) -> None:
        self.length = 0
        self.errors = 0
        """Exchanges that ended in an error."""
        self.open: dict[int, tuple[Exchange, int, int]] = {}
        """What has no record yet, as it is going on: exchange, connection, position."""
        self._blocks: list[bytearray] = []
        self._odd: dict[tuple[int, str], int] = {}
        self._notes: dict[int, tuple[Note, ...]] = {}

    def begin(self, exchange: Exchange, connection: int, position: int) -> int:
        """Take an exchange that begins and return its number."""
        number = self.length
        if not number & _MASK:
            self._blocks.append(bytearray(_SIZE << _SHIFT))
        self.open[number] = (exchange, connection, position)
        self.length = number + 1
        return number

    def end(self, number: int) -> None:
        """Make the record of an exchange that is over."""
        exchange, connection, position = self.open[number]
        kind = exchange.kind
        code = exchange.code
        if code is None:
            code = _NO_CODE
        elif code >= _NO_CODE:
            self._odd[number, "code"] = code
            code = _NO_CODE
        request = reply = 0
        client, daemon = _starts(exchange)
        if exchange.request_end is not None:
            request = exchange.request_end - exchange.start
            if not 0 <= request < LARGEST:
                request = self._put_aside(number, "request", request)
        if exchange.daemon_end is not None and daemon >= 0:
            reply = exchange.daemon_end - daemon
            if not 0 <= reply < LARGEST:
                reply = self._put_aside(number, "reply", reply)
        if kind == "opaque":
            state = OPAQUE
        elif exchange.error is not None:
            state = ERROR
            self.errors += 1
        else:
            state = OK if exchange.complete else CUT
        ended = exchange.ended
        took = 0 if ended is None else max(ended - exchange.started, 0)
        _RECORD.pack_into(
            self._blocks[number >> _SHIFT],
            (number & _MASK) * _SIZE,
            min(exchange.started, _LATEST),
            position,
            client,
            connection,
            code,
            _KIND[kind],
            state | COMPLETE if exchange.complete else state,
            min(took, _LATEST),
            daemon,
            request,
            reply,
            min(exchange.frames, LARGEST),
        )
        if exchange.notes and len(self._notes) < _MOST_REMARKED:
            self._notes[number] = exchange.notes
        del self.open[number]  # last: a thread may look while another writes

    def _put_aside(self, number: int, what: str, value: int) -> int:
        if value <= 0:
            return 0
        self._odd[number, what] = value
        return LARGEST

    def notes(self, number: int) -> tuple[Note, ...]:
        """Return what was remarked on an exchange."""
        live = self.open.get(number)
        if live is not None:
            return live[0].notes
        return self._notes.get(number, ())

    def entry(self, number: int) -> Entry:
        """Return a record. Raises IndexError."""
        return self.look(number)[0]

    def look(self, number: int) -> tuple[Entry, Exchange | None]:
        """Return a record, and the exchange itself if it goes on. Raises IndexError."""
        if not 0 <= number < self.length:
            raise IndexError(f"no exchange {number + 1} of {self.length}")
        live = self.open.get(number)
        if live is not None:
            return _entry_of(*live), live[0]
        block = self._blocks[number >> _SHIFT]
        (
            started, position, client, connection, code, kind, state,
            took, daemon, request, reply, log,
        ) = _RECORD.unpack_from(block, (number & _MASK) * _SIZE)  # fmt: skip
        operation: int | None = code
        if code == _NO_CODE:
            operation = self._odd.get((number, "code"))
        complete = state >= COMPLETE
        if request == LARGEST:
            request = self._odd.get((number, "request"), request)
        if reply == LARGEST:
            reply = self._odd.get((number, "reply"), reply)
        entry = Entry(
            started, position, client, connection, operation, KINDS[kind],
            STATES[state - COMPLETE if complete else state],
            took, daemon, request, reply, log, complete,
        )  # fmt: skip
        return entry, None

    def records(self, first: int, last: int) -> Iterator[tuple[int, Record | None]]:
        """Yield the exchanges `[first, last)` with their records, quickly, for looking through.

        Where there is none yet, or it does not hold everything, None stands for it.
        """
        number = first
        last = min(last, self.length)
        live = self.open.copy()  # before the records: what ends meanwhile is not taken half
        while number < last:
            at = number & _MASK
            stop = min(at + last - number, _MASK + 1)
            block = memoryview(self._blocks[number >> _SHIFT])[at * _SIZE : stop * _SIZE]
            for record in _RECORD.iter_unpack(block):
                odd = record[4] == _NO_CODE or record[9] == LARGEST or record[10] == LARGEST
                yield number, None if odd or number in live else record
                number += 1

    def column(self, name: str) -> Callable[[int], int]:
        """Return what reads one value of an exchange that is over, given its number from 0.

        Names: started, connection, code, state, took, up, down, frames. Raises KeyError.
        """
        unpack = _COLUMNS[name].unpack_from
        blocks = self._blocks

        def read(number: int) -> int:
            value: int = unpack(blocks[number >> _SHIFT], (number & _MASK) * _SIZE)[0]
            return value

        return read

    def finished(self, first: int, last: int, going_on: list[int]) -> Iterator[Finished]:
        """Yield the exchanges `[first, last)` that are over; the others join `going_on`."""
        number = first
        last = min(last, self.length)
        live = self.open.copy()  # before the records: what ends meanwhile is not taken half
        while number < last:
            at = number & _MASK
            stop = min(at + last - number, _MASK + 1)
            block = memoryview(self._blocks[number >> _SHIFT])[at * _SIZE : stop * _SIZE]
            for record in _RECORD.iter_unpack(block):
                started, _, _, connection, code, kind, state, took, _, request, reply, _ = record
                if number in live:
                    going_on.append(number)
                elif code == _NO_CODE or request == LARGEST or reply == LARGEST:
                    entry = self.entry(number)
                    yield (
                        connection, entry.code, entry.kind, started, took,
                        entry.request_bytes, entry.reply_bytes, entry.state == "error",
                    )  # fmt: skip
                else:
                    failed = state & ~COMPLETE == ERROR
                    yield connection, code, KINDS[kind], started, took, request, reply, failed
                number += 1


def _starts(exchange: Exchange) -> tuple[int, int]:
    """Where an exchange begins in the client's and in the daemon's stream."""
    if exchange.side == CLIENT:
        daemon = exchange.daemon_start
        if daemon is None:
            daemon = 0 if exchange.kind == "handshake" else NOWHERE
        return exchange.start, daemon
    return NOWHERE, exchange.start


def _entry_of(exchange: Exchange, connection: int, position: int) -> Entry:
    client, daemon = _starts(exchange)
    state: State = "opaque" if exchange.kind == "opaque" else "open"
    return Entry(
        exchange.started, position, client, connection, exchange.code, exchange.kind, state,
        -1, daemon, 0, 0, exchange.frames, False,
    )  # fmt: skip
