"""The index of a recording: one packed record for each exchange (`pix_inspect.session.row`).

Records stand in blocks of fixed size, so that an index that grows is never copied and holds
nothing it does not use. What does not fit a record (an operation number or a size beyond its
column, remarks) is rare and kept aside.

One thread writes (`begin` to `end`); any may read meanwhile. A number is in `open` until its
record is whole, so whoever asks `open` first and reads the record after finds one or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from struct import Struct, error
from typing import TypeAlias

from pix.codec.declare import Operation
from pix.conversation.exchange import CLIENT, DAEMON, Asked, Exchange, exchange_of
from pix.conversation.notes import Note
from pix.conversation.round_trips import Passed
from pix_inspect.session.row import COLUMNS, KINDS, NOWHERE, STATES, Record, Row, State

_RECORD = Struct("<" + "".join(column.code for column in COLUMNS.values()))
_SIZE = _RECORD.size
_SHIFT = 12
_MASK = (1 << _SHIFT) - 1
_MOST_REMARKED = 100_000
_LATEST = (1 << 63) - 1
"""The last time that a record holds, in the year 2262; a damaged file may say later ones."""
_KIND = {kind: number for number, kind in enumerate(KINDS)}
_STATE = {state: number for number, state in enumerate(STATES)}
_OPERATION, _OK = _KIND["operation"], _STATE["ok"]

Received: TypeAlias = Callable[[int], int]
"""What tells the bytes of a side that have passed."""
Open: TypeAlias = "tuple[Exchange | Asked, int, int, Received]"
"""An exchange that goes on (of a plain request, what was asked), its connection and position."""


class Index:
    """The records, by number from 0 in order of start."""

    def __init__(self) -> None:
        self.length = 0
        self.errors = 0
        """Exchanges that ended in an error."""
        self.open: dict[int, Open] = {}
        """What has no record yet, as it is going on."""
        self._blocks: list[bytearray] = []
        self._aside: dict[int, Record] = {}
        self._notes: dict[int, tuple[Note, ...]] = {}

    def begin(
        self, exchange: Exchange | Asked, connection: int, position: int, received: Received
    ) -> int:
        """Take an exchange that begins and return its number."""
        number = self.length
        if not number & _MASK:
            self._blocks.append(bytearray(_SIZE << _SHIFT))
        self.open[number] = (exchange, connection, position, received)
        self.length = number + 1
        return number

    def announced(self, number: int, exchange: Exchange) -> None:
        """Take the exchange that goes on with what was asked."""
        self.open[number] = (exchange, *self.open[number][1:])

    def answered(self, number: int, asked: Asked, start: int, end: int, time: int) -> None:
        """Make the record of a plain round trip that is over, as `_record` would."""
        _, connection, position, _ = self.open[number]
        _, operation, client, up, started = asked
        self._keep(number, (
            operation.code, connection, _OPERATION, _OK,
            time - started if time > started else 0, started, up - client,
            end - start, 0, True, position, client, start,
        ))  # fmt: skip
        del self.open[number]  # last: a thread may look while another writes

    def round_trips(self, asked: list[Operation], passed: list[Passed], connection: int) -> None:
        """Make the records of plain round trips that are over: each a request and its answer."""
        number, pack = self.length, _RECORD.pack_into
        for operation, (_, started, client, _, up, position), (_, time, daemon, _, down, _) in zip(
            asked, passed[::2], passed[1::2], strict=True
        ):
            if not number & _MASK:
                self._blocks.append(bytearray(_SIZE << _SHIFT))
            record = (
                operation.code, connection, _OPERATION, _OK,
                time - started if time > started else 0, started, up, down, 0,
                True, position, client, daemon,
            )  # fmt: skip
            try:
                pack(self._blocks[-1], (number & _MASK) * _SIZE, *record)
            except error:
                self._keep(number, record)
            number += 1
        self.length = number  # last, as above

    def _keep(self, number: int, record: Record) -> None:
        """Put a record where it belongs; times that none can hold are the latest it can, while an
        operation has the number that was said."""
        try:
            _RECORD.pack_into(self._blocks[number >> _SHIFT], (number & _MASK) * _SIZE, *record)
        except error:
            self._aside[number] = (record[0], *(min(value, _LATEST) for value in record[1:]))

    def end(self, number: int) -> None:
        """Make the record of an exchange that is over."""
        exchange, connection, position, received = self.open[number]
        assert isinstance(exchange, Exchange)
        self._keep(number, _record(exchange, connection, position, received, over=True))
        if exchange.failed and exchange.kind != "opaque":
            self.errors += 1
        if exchange.notes and len(self._notes) < _MOST_REMARKED:
            self._notes[number] = exchange.notes
        del self.open[number]  # last: a thread may look while another writes

    def remark(self, number: int, note: Note) -> None:
        """Add a remark on an exchange that is over."""
        self._notes[number] = (*self._notes.get(number, ()), note)

    def _live(self, number: int) -> tuple[Exchange, int, int, Received] | None:
        """Return what is `open`, as an exchange in any case."""
        live = self.open.get(number)
        if live is None:
            return None
        exchange, connection, position, received = live
        if isinstance(exchange, tuple):
            exchange = exchange_of(exchange)
        return exchange, connection, position, received

    def notes(self, number: int) -> tuple[Note, ...]:
        """Return what was remarked on an exchange."""
        live = self.open.get(number)
        if live is None:
            return self._notes.get(number, ())
        return live[0].notes if isinstance(live[0], Exchange) else ()

    def row(self, number: int) -> Row:
        """Return an exchange. Raises IndexError."""
        return self.look(number)[0]

    def look(self, number: int) -> tuple[Row, Exchange | None]:
        """Return a row, and the exchange itself if it goes on. Raises IndexError."""
        if not 0 <= number < self.length:
            raise IndexError(f"no exchange {number + 1} of {self.length}")
        live = self._live(number)
        if live is not None:
            return Row((number + 1, _record(*live, over=False))), live[0]
        record = self._aside.get(number)
        if record is None:
            record = _RECORD.unpack_from(self._blocks[number >> _SHIFT], (number & _MASK) * _SIZE)
        return Row((number + 1, record)), None

    def rows(self, first: int, last: int) -> Iterator[Row]:
        """Yield the exchanges `[first, last)`, quickly, for looking through."""
        return chain.from_iterable(self._stretches(first, min(last, self.length)))

    def _stretches(self, first: int, last: int) -> Iterator[Iterator[Row]]:
        live = self.open.copy()  # before the records: what ends meanwhile is not taken half
        while first < last:
            at = first & _MASK
            stop = min(at + last - first, _MASK + 1)
            block = memoryview(self._blocks[first >> _SHIFT])[at * _SIZE : stop * _SIZE]
            rows = map(Row, enumerate(_RECORD.iter_unpack(block), first + 1))
            numbers = range(first, first + stop - at)
            apart = {number for number in live if number in numbers}
            if self._aside:
                apart.update(filter(self._aside.__contains__, numbers))
            yield self._mended(rows, apart) if apart else rows
            first = numbers.stop

    def _mended(self, rows: Iterator[Row], apart: set[int]) -> Iterator[Row]:
        """Yield rows, those of `apart` from where they stand beside the records."""
        for row in rows:
            number = row[0] - 1
            yield self.row(number) if number in apart else row

    def column(self, name: str) -> Callable[[int], int]:
        """Return what reads a column of an exchange, given its number from 0, as a number by
        which it can be sorted. Raises KeyError where it cannot.
        """
        column = COLUMNS[name]
        if column.most_first is None:
            raise KeyError(name)
        place, key = column.at, column.key
        before = "".join(each.code for each in COLUMNS.values() if each.code and each.at < place)
        unpack = Struct(f"<{Struct('<' + before).size}x{column.code}").unpack_from
        blocks, live, aside = self._blocks, self.open, self._aside

        def read(number: int) -> int:
            if number in live or number in aside:
                value = self.row(number)[1][place]
            else:
                (value,) = unpack(blocks[number >> _SHIFT], (number & _MASK) * _SIZE)
            return value if key is None else key(value)

        return read


def _record(
    exchange: Exchange,
    connection: int,
    position: int,
    received: Received,
    *,
    over: bool,
) -> Record:
    """Return an exchange's columns: as they remain when it is over, or as far as it has come."""
    client, daemon = NOWHERE, exchange.start
    if exchange.side == CLIENT:
        client, start = exchange.start, exchange.daemon_start
        daemon = (0 if exchange.kind == "handshake" else NOWHERE) if start is None else start
    up, down = exchange.request_end, exchange.daemon_end
    state: State = "open"
    took = -1
    if over:
        ended = exchange.ended
        took = 0 if ended is None else min(max(ended - exchange.started, 0), _LATEST)
        state = "error" if exchange.failed else "ok" if exchange.complete else "cut"
    else:
        up = received(CLIENT) if up is None and client >= 0 else up
        down = received(DAEMON) if down is None else down
    code = exchange.code
    return (
        NOWHERE if code is None else code,
        connection,
        _KIND[exchange.kind],
        _STATE["opaque" if exchange.kind == "opaque" else state],
        took,
        min(exchange.started, _LATEST),
        0 if up is None else max(up - exchange.start, 0),
        0 if down is None or daemon < 0 else max(down - daemon, 0),
        exchange.frames,
        exchange.complete,
        position,
        client,
        daemon,
    )
