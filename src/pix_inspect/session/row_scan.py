"""Exchanges looked at in passing: a million of them without making an object for each.

A scan yields one object again and again; what it says is that of the exchange it has come to,
taken from the index's record when it is asked for. Keep nothing of it but numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pix.codec.declare import OPERATIONS
from pix.conversation.exchange import Kind
from pix_inspect.session.index import COMPLETE, KINDS, LARGEST, STATES, Record, State
from pix_inspect.session.session import Row, Session

_NAMES = {code: operation.name for code, operation in OPERATIONS.items()}

ONGOING = 1 << 62
"""What stands for the duration of an exchange that goes on: more than any other."""


class Passing:
    """An exchange that is over, with the attributes of a `Row`."""

    __slots__ = ("i", "record")

    def __init__(self) -> None:
        self.i = 0
        self.record: Record = (0,) * 12

    @property
    def number(self) -> int:
        """The exchange's number, from 1."""
        return self.i + 1

    @property
    def connection(self) -> int:
        return self.record[3]

    @property
    def kind(self) -> Kind:
        """What kind of exchange it is."""
        return KINDS[self.record[5]]

    @property
    def operation(self) -> str | None:
        return _NAMES.get(self.record[4])

    @property
    def code(self) -> int | None:
        return self.record[4]

    @property
    def started(self) -> int:
        """When it began, nanoseconds since 1970."""
        return self.record[0]

    @property
    def took(self) -> int | None:
        """How long it took, in nanoseconds."""
        return self.record[7]

    @property
    def request_bytes(self) -> int:
        return self.record[9]

    @property
    def reply_bytes(self) -> int:
        return self.record[10]

    @property
    def state(self) -> State:
        return STATES[self.record[6] & ~COMPLETE]

    @property
    def log(self) -> int:
        """The number of log frames."""
        return self.record[11]


def scan(session: Session, first: int, last: int) -> Iterator[Row | Passing]:
    """Yield the exchanges `[first, last)` from 0, each valid until the next is asked for."""
    passing = Passing()
    for i, record in session.records(first, last):
        if record is None:
            yield session.row(i)
        else:
            passing.i = i
            passing.record = record
            yield passing


def reader(session: Session, column: str) -> Callable[[int], int]:
    """Return what reads a column of an exchange as a number by which it can be sorted.

    Columns: `connection`, `operation` (in the alphabet's order), `took`, `up`, `down`, `state`,
    `frames`. Raises KeyError.
    """
    ranks = {code: rank for rank, code in enumerate(sorted(_NAMES, key=lambda c: _NAMES[c]))}
    if column == "operation":
        read = session.column("code")
        return lambda i: ranks.get(
            (session.row(i).code or -1) if session.going_on(i) else read(i), -1
        )
    read = session.column(column)
    if column == "connection":
        return lambda i: session.row(i).connection if session.going_on(i) else read(i)
    if column == "state":
        return lambda i: 0 if session.going_on(i) else read(i) & ~COMPLETE
    if column == "took":
        return lambda i: ONGOING if session.going_on(i) else read(i)
    if column == "frames":
        return lambda i: session.row(i).log if session.going_on(i) else read(i)
    up = column == "up"

    def sizes(i: int) -> int:
        row = session.row(i)
        return row.request_bytes if up else row.reply_bytes

    return lambda i: sizes(i) if session.going_on(i) or read(i) == LARGEST else read(i)
