"""What a conversation is made of: exchanges, each with its spans, times and log frames.

An exchange is the handshake; or one operation with its request, payload, log and reply or
error; or an orphan, a log frame that answers nothing; or opaque bytes, with the reason.
Offsets count the bytes of one direction from 0, times are whatever the observer feeds,
integer nanoseconds in this project. Nothing here decodes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pix.codec.declare import OPERATIONS, Frame, Operation
from pix.codec.gates import Protocol, family_of, number_of
from pix.dataclass import dataclass

if TYPE_CHECKING:
    from pix.conversation.notes import Note

CLIENT = 0
"""The side whose bytes the client sends."""

DAEMON = 1
"""The side whose bytes the daemon sends."""

SIDES = ("client", "daemon")

Kind: TypeAlias = Literal["handshake", "operation", "orphan", "opaque"]
Span: TypeAlias = "tuple[int, int | None]"

Asked: TypeAlias = "tuple[int, Operation, int, int, int]"
"""A plain request that waits for its answer: the exchange's number, what it asks for,
`[start, end)` of the client's stream, and when it came."""


@dataclass(slots=True)
class LogFrame:
    """One STDERR frame: `[start, end)` of the daemon's stream, and when it was complete.

    `answer` is the span of the client's string that answers a STDERR_READ.
    """

    frame: Frame
    start: int
    end: int
    time: int
    answer: tuple[int, int] | None = None


class Exchange:
    """One exchange; the attributes not set by `__init__` begin as their class defaults.

    `number` counts the exchanges of the connection from 1, in order of start.
    """

    #: when the request was complete, the first answering byte came, all was over
    request_done: int | None = None
    answered: int | None = None
    ended: int | None = None
    #: client stream: fields end and payload begins; everything ends
    payload_start: int | None = None
    request_end: int | None = None
    #: daemon stream: the first and behind the last byte of this exchange, None when silent
    daemon_start: int | None = None
    daemon_end: int | None = None
    #: daemon stream: reply fields and the payload behind them; the error frame
    reply: Span | None = None
    reply_payload_start: int | None = None
    error: Span | None = None
    #: log frames, without STDERR_LAST and the error
    frames = 0
    log: list[LogFrame] | None = None
    #: content bytes of the payload, and (in detail) its runs: side, offset, length
    payload_side: int | None = None
    payload_bytes = 0
    payload_runs: list[tuple[int, int, int]] | None = None
    #: the daemon said all it had to say to this
    settled = False
    #: STDERR_READs asked and answered
    reads = 0
    answers = 0
    #: the request and its reply or error are whole
    complete = False
    notes: tuple[Note, ...] = ()

    def __init__(
        self,
        number: int,
        kind: Kind,
        side: int,
        start: int,
        started: int,
        protocol: Protocol | None,
        code: int | None = None,
        operation: Operation | None = None,
    ) -> None:
        self.number = number
        self.kind: Kind = kind
        self.side = side
        self.start = start
        self.started = started
        self.protocol = protocol
        self.code = code
        self.operation = operation

    def note(self, note: Note) -> None:
        """Add a remark on what is irregular."""
        self.notes = (*self.notes, note)

    @property
    def name(self) -> str:
        """The operation's name, or what else this exchange is."""
        return name_of(self.code, self.kind)

    @property
    def failed(self) -> bool:
        """Whether it ended in an error, or never came to be."""
        return self.error is not None or any(note.is_failure for note in self.notes)

    @property
    def took(self) -> int | None:
        """The time from start to end, None while it lasts."""
        return None if self.ended is None else self.ended - self.started

    def __repr__(self) -> str:
        return f"<Exchange {self.number} {self.name}{'' if self.complete else ' incomplete'}>"


def name_of(code: int | None, kind: Kind) -> str:
    """Return what an exchange is called: its operation, or what else it is."""
    if code is None:
        return kind
    operation = OPERATIONS.get(code)
    if operation is not None:
        return operation.name
    return f"{family_of(code).prefix}operation {number_of(code)}"


def exchange_of(asked: Asked, protocol: Protocol | None = None) -> Exchange:
    """Return what was asked as an exchange that waits for its answer."""
    number, operation, start, end, time = asked
    exchange = Exchange(
        number, "operation", CLIENT, start, time, protocol, operation.code, operation
    )
    exchange.request_end, exchange.request_done = end, time
    return exchange
