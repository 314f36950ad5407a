"""The columns of an exchange, each declared once, and a row that reads them from its record.

The index packs those that have a struct code, in the order of their declaration; the others are
made of these. Filters, expectations, statistics and the timeline read names, units and meaning
from the declarations. A time is in nanoseconds, a size in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, overload

from pix.codec.gates import number_of
from pix.conversation.exchange import Kind, name_of
from pix.protocol import OPERATION_NAMES

State: TypeAlias = Literal["open", "ok", "error", "cut", "opaque"]
STATES: tuple[State, ...] = ("open", "ok", "error", "cut", "opaque")
KINDS: tuple[Kind, ...] = ("handshake", "operation", "orphan", "opaque")
NOWHERE = -1
"""An offset that is not known, the code of what is not an operation, how long what goes on took."""
ONGOING = 1 << 62
"""What the duration of an exchange that goes on is sorted as: more than any other."""

Record: TypeAlias = "tuple[int, ...]"
"""The packed columns of an exchange, in the order of their declaration."""

T = TypeVar("T")


class Column(property, Generic[T]):
    """One value of an exchange, as an attribute of its row.

    `code` is that of its place in the record (see `struct`), "" where it is made of others by
    `of`. What is packed is the value, or `read` makes the value of it, or it is the value's place
    among some `choices`. `unit`: ns, B, "" for numbers, or "name". `term` names the column in
    filters, and in expectations where it can be `measured`. Rows can be sorted by what has
    `most_first`, which says whether they begin with the largest; `key` makes the number to sort by
    of what is packed. It is a property because these are fast.
    """

    name: str
    at = -1
    """Its place in the record."""

    def __init__(
        self,
        doc: str,
        code: str = "",
        read: Callable[[int], T] | None = None,
        of: Callable[[Row], T] | None = None,
        *,
        choices: tuple[Any, ...] = (),
        unit: Literal["ns", "B", "name", ""] = "",
        term: str = "",
        measured: bool = False,
        most_first: bool | None = None,
        key: Callable[[int], int] | None = None,
    ) -> None:
        self.doc = doc
        self.code = code
        self.unit = unit
        self.term = term
        self.measured = measured
        self.most_first = most_first
        self.key = key
        self.choices = choices
        self.read = read if not choices else choices.__getitem__
        self.of: Callable[[Row], Any]
        """What returns the value of a row, a T."""
        if of is not None:
            self.of = of

    def __set_name__(self, owner: type[Row], name: str) -> None:
        self.name = name
        if self.code:
            at = self.at = sum(bool(column.code) for column in COLUMNS.values())
            read = self.read
            self.of = (lambda row: row[1][at]) if read is None else (lambda row: read(row[1][at]))
        super().__init__(self.of)
        COLUMNS[name] = self

    if TYPE_CHECKING:

        @overload
        def __get__(self, row: None, owner: type | None = None) -> Column[T]: ...
        @overload
        def __get__(self, row: Any, owner: type | None = None) -> T: ...
        def __get__(self, row: Any, owner: type | None = None) -> Any: ...


COLUMNS: dict[str, Column[Any]] = {}
"""All columns, by name."""


@cache
def _ranks() -> dict[int, int]:
    """Return the place of each operation among their names."""
    return {
        code: rank
        for rank, code in enumerate(sorted(OPERATION_NAMES, key=OPERATION_NAMES.__getitem__))
    }


class Row(tuple[int, Record]):
    """One exchange, as far as the index knows it: its number (from 1) and its record.

    Starts are stream offsets; `position` is that of its first packet in the file.
    """

    __slots__ = ()

    operation = Column(
        "the operation's name or number", "h", OPERATION_NAMES.get, unit="name", term="op",
        most_first=False, key=lambda code: _ranks().get(code, -1),
    )  # fmt: skip
    connection = Column[int]("the connection's number", "I", term="conn", most_first=False)
    number = Column("the exchange's number", of=lambda row: row[0], term="number")
    kind = Column[Kind](
        "handshake, operation, orphan or opaque", "B", choices=KINDS, unit="name", term="kind"
    )
    state = Column[State](
        "open, ok, error, cut or opaque", "B", choices=STATES, unit="name", term="state",
        most_first=True,
    )  # fmt: skip
    took = Column(
        "the time from start to end: 10ms", "q", lambda took: None if took < 0 else took, unit="ns",
        term="took", measured=True, most_first=True, key=lambda took: ONGOING if took < 0 else took,
    )  # fmt: skip
    started = Column[int]("the time since the recording's start: 2s", "q", unit="ns", term="time")
    """In rows and records, the time since 1970."""
    bytes = Column(
        "bytes in both directions: 1M", of=lambda row: _bytes(row[1]), unit="B", term="bytes",
        measured=True,
    )  # fmt: skip
    up = Column[int](
        "bytes from the client", "I", unit="B", term="up", measured=True, most_first=True
    )
    down = Column[int](
        "bytes from the daemon", "I", unit="B", term="down", measured=True, most_first=True
    )
    frames = Column[int](
        "the number of log frames", "H", term="frames", measured=True, most_first=True
    )
    complete = Column[bool]("whether nothing of it is missing", "?")
    position = Column[int]("where its first packet stands in the file", "Q")
    client_start = Column[int]("where it begins in the client's stream", "q")
    daemon_start = Column[int]("where it begins in the daemon's stream", "q")
    code = Column(
        "the operation's code, its number among those of both protocols",
        of=lambda row: _code(row[1][Row.operation.at]),
    )
    wire_number = Column(
        "the operation's number as it stands on the wire",
        of=lambda row: None if row.code is None else number_of(row.code),
    )

    @property
    def name(self) -> str:
        """What the exchange is called: its operation, or what else it is."""
        return name_of(self.code, self.kind)

    @property
    def starts(self) -> tuple[int, int]:
        """Where the exchange begins in the client's and in the daemon's stream, -1 unknown."""
        return self.client_start, self.daemon_start

    @property
    def ends(self) -> tuple[int, int]:
        """Where it ends in either stream, as far as it has come; -1 where its start is unknown."""
        client, daemon = self.starts
        return (
            NOWHERE if client < 0 else client + self.up,
            NOWHERE if daemon < 0 else daemon + self.down,
        )


def _code(packed: int) -> int | None:
    return None if packed == NOWHERE else packed


def packed(*names: str) -> Callable[[Record], tuple[int, ...]]:
    """Return what takes several columns out of a record, quickly; operations are numbers."""
    return itemgetter(*(COLUMNS[name].at for name in names))


def _bytes(record: Record) -> int:
    up, down = _SIZES(record)
    return up + down


_SIZES = packed("up", "down")
TERMS = {column.term: column for column in COLUMNS.values() if column.term}
"""The columns that filters know, by the names that these have for them."""
