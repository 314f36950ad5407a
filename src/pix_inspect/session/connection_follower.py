"""One connection of a recording while it is open: its conversation, and where things stand.

A connection may have begun in an earlier file (the recording was rotated). What passes up to
the first boundary between two operations, as the recorder noted it, is then one opaque
exchange; from there on the conversation goes on. Without a boundary all of it is opaque. Of
one whose beginning was taken out of the file, or never seen, a boundary is guessed.
"""

from __future__ import annotations

from collections import deque

from pix.codec.gates import FAMILIES, Family, Protocol
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Asked, Exchange
from pix.conversation.notes import Note, Reason
from pix.conversation.round_trips import Passed
from pix.dataclass import dataclass, field
from pix_inspect.recording.notes import FARTHEST, Continuation, Peer, State
from pix_inspect.recording.stall_notes import Stall
from pix_inspect.session.grpc_calls import GrpcCalls
from pix_inspect.session.guessed_beginning import ENOUGH, Piece, beginning
from pix_inspect.session.index import Index

RECENT = 16
"""Packets of a side whose places are remembered: an operation's number, byte by byte, takes 8."""


@dataclass(slots=True)
class ConnectionRow:
    """One connection: when it was, who made it, what was agreed.

    Times in nanoseconds since 1970; `closed` is None while it is open.
    """

    number: int
    opened: int
    closed: int | None = None
    peer: Peer = field(default_factory=Peer)
    protocol: Protocol | None = None
    family: Family | None = None
    """Which protocol is spoken, once somebody's first word has said it."""
    daemon_nix: str | None = None
    handshake: int | None = None
    """The index of the handshake's exchange."""
    exchanges: int = 0
    errors: int = 0
    lost: int = 0
    left: int | None = None
    """The side that ended its stream before the other; None before, or where both did at once."""
    spoke: list[int] = field(default_factory=lambda: [0, 0])
    """When each side said something last, 0 before it did."""
    stalls: list[Stall] = field(default_factory=list)
    guessed: bool = False
    """Its beginning was not recorded, and its version is what fits."""
    failure: Note | None = None
    """Why it came to nothing, where the relay knows."""
    calls: GrpcCalls = field(default_factory=GrpcCalls)
    """For what it was used, where it is the gateway's."""
    standard_error: list[tuple[int, str]] = field(default_factory=list)
    """What the command that stands for the daemon wrote there: when, and a piece of it."""

    @property
    def last(self) -> int:
        """When something passed last, 0 before anything did."""
        return max(self.spoke)


class Watcher:
    """Follows a connection, opened at `position` of the file, into the rows of `index`."""

    __slots__ = (
        "_asked", "_early", "_held", "_index", "_latest", "_opened_at", "_passed", "_pieces",
        "_recent", "_resumes_at", "_unfinished", "conversation", "row",
    )  # fmt: skip

    def __init__(self, row: ConnectionRow, position: int, index: Index) -> None:
        self.row = row
        self.conversation = Conversation(self)
        self._index = index
        self._opened_at = position
        self._recent: tuple[deque[tuple[int, int]], deque[tuple[int, int]]]
        self._recent = (deque(maxlen=RECENT), deque(maxlen=RECENT))
        """By side, where chunks stand in which an exchange may begin: stream offset, position."""
        self._latest = (CLIENT, FARTHEST, 0)
        """The chunk that is passing: side, stream offset, position."""
        self._asked: int | None = None
        """The index of the exchange that is `asked` of the conversation."""
        self._unfinished: int | None = None
        """The index of the last exchange that nobody finished."""
        self._early: Exchange | None = None
        self._passed = [0, 0]
        self._resumes_at: tuple[int, int] | None = None
        self._pieces: list[Piece] | None = None
        """What passed of a connection whose beginning is to be guessed, with `_held` bytes."""
        self._held = 0

    def chunks(self, passed: list[Passed]) -> None:
        """Take what passes next; the reader's `ChunksSeen`."""
        at = 0
        while at < len(passed):
            if self._early is None and (asked := self.conversation.round_trips(passed, at)):
                row, first, at = self.row, at, at + 2 * len(asked)
                self._index.round_trips(asked, passed[first:at], row.number)
                row.exchanges += len(asked)
                side, time, offset, _, _, position = passed[at - 1]
                row.spoke[:] = passed[at - 2][1], time
                self._latest = (side, offset, position)
            else:
                self.chunk(*passed[at])
                at += 1

    def chunk(
        self, side: int, time: int, offset: int, data: bytes, length: int, position: int
    ) -> None:
        """Take a chunk."""
        self.row.spoke[side] = time
        self._latest = (side, offset, position)
        if self._early is not None:
            data, length = self._behind(side, time, offset, data, length, position)
        if data and self.conversation.feed(side, data, time):
            if side == CLIENT and (asked := self.conversation.asked) is not None:
                row = self.row
                row.exchanges += 1
                self._asked = self._index.begin(asked, row.number, position, self.received)
        else:
            self._recent[side].append((offset, position))
        if length > len(data):
            self.conversation.gap(side, length - len(data), time)

    def eof(self, side: int, time: int) -> None:
        """Take note that a side sends no more."""
        if self.row.left is None:
            self.row.left = side
        self.settle()
        if self._early is None:
            self.conversation.eof(side, time)

    def close(self, time: int) -> None:
        """Take note that the connection is over."""
        self.settle()
        if self._early is not None:
            self._end_early(time)
        handshake = self._index.open.get(-1 if self.row.handshake is None else self.row.handshake)
        if self.row.failure is not None and handshake is not None:
            assert isinstance(handshake[0], Exchange)
            handshake[0].note(self.row.failure)
        self.conversation.close(time)
        if not self.row.exchanges and not self.received(CLIENT) + self.received(DAEMON):
            self._end_wordless(time)

    def failed(self, why: Note) -> None:
        """Take note of what the relay knows of a connection that came to nothing."""
        self.row.failure = why
        if self._unfinished is not None and self.row.left == DAEMON:
            self._index.remark(self._unfinished, why)

    def received(self, side: int) -> int:
        """Return how many bytes of a side have passed."""
        if self._early is not None:
            return self._passed[side]
        return self.conversation.received(side)

    def _place(self, exchange: Exchange) -> int:
        """Return the position of a packet at or before the exchange's first byte."""
        if exchange.kind != "handshake":
            start = exchange.start
            side, offset, position = self._latest
            if side == exchange.side and offset <= start:
                return position
            for offset, position in reversed(self._recent[exchange.side]):
                if offset <= start:
                    return position
        return self._opened_at

    # Observing the conversation -------------------------------------------------------

    def started(self, exchange: Exchange) -> None:
        """Take note of an exchange that begins; from here on it is numbered as its row."""
        connection = self.row
        number = self._asked
        if number is None:
            connection.exchanges += 1
            position = self._place(exchange)
            number = self._index.begin(exchange, connection.number, position, self.received)
        else:
            self._asked = None
            self._index.announced(number, exchange)
        exchange.number = number + 1
        if exchange.kind == "handshake":
            connection.handshake = number

    def round_trip(self, asked: Asked, start: int, end: int, time: int) -> None:
        """Take note of a plain round trip, which began as what is asked."""
        assert self._asked is not None
        self._index.answered(self._asked, asked, start, end, time)
        self._asked = None

    def ended(self, exchange: Exchange) -> None:
        """Take note of an exchange that is over."""
        self.row.family = self.conversation.family
        if exchange.kind == "handshake":
            self.row.protocol = exchange.protocol
            self.row.daemon_nix = self.conversation.daemon_nix
        if not exchange.complete and exchange.kind != "opaque":
            self._unfinished = exchange.number - 1
        self._index.end(exchange.number - 1)  # what is over can be looked at with all of this
        if exchange.failed:
            self.row.errors += 1

    def _end_wordless(self, time: int) -> None:
        """Make an exchange of a connection on which nobody said anything: none is missed."""
        exchange = Exchange(1, "handshake", CLIENT, 0, self.row.opened, None)
        exchange.note(self.row.failure or Note(Reason.NO_WORD))
        exchange.request_end, exchange.ended = 0, time
        self.started(exchange)
        self.ended(exchange)

    # Beginning in the middle ----------------------------------------------------------

    def resume(self, continues: Continuation, time: int, unseen: str | None = None) -> None:
        """Go on with a connection that began in an earlier file, as its recorder said.

        Or with one whose beginning is nowhere.
        """
        self._pieces = None if unseen is None else []
        state, offsets = continues.state, continues.offsets or (0, 0)
        self._passed = list(offsets)
        self._begin_at(state)
        if self._resumes_at == offsets:
            return
        early = Exchange(0, "opaque", CLIENT, offsets[CLIENT], time, self.row.protocol)
        early.daemon_start = offsets[DAEMON]
        if state.exchange is not None:
            early.note(Note(Reason.UNDER_WAY_EARLIER, found=state.exchange))
        else:
            early.note(Note(Reason.BEGAN_EARLIER if unseen is None else Reason.BEGINNING_UNSEEN))
        self.started(early)
        self._early = early

    def boundary(self, state: State) -> None:
        """Take what the recorder noted at the first boundary after the file began."""
        if self._early is not None and self._resumes_at is None:
            self._begin_at(state)

    def settle(self) -> bool:
        """Decide from what passed so far how a beginning that is missing is made up for.

        Returns whether there was anything to decide.
        """
        pieces, self._pieces = self._pieces, None
        if pieces is None:
            return False
        state, early = beginning(pieces), self._early
        if state is not None and early is not None:
            self.row.guessed = True
            early.note(Note(Reason.GUESSED, found=state.protocol or ""))
            self._passed = [0, 0]
            self._begin_at(state)
            for piece in pieces:
                self.chunk(*piece)
        return True

    def _begin_at(self, state: State) -> None:
        boundary = state.boundary
        protocol = _protocol(state)
        if protocol is not None:
            self.row.protocol, self.row.family = protocol, protocol.family
        self.row.daemon_nix = state.daemon_nix or self.row.daemon_nix
        if boundary is None or self.row.protocol is None:
            return
        if boundary[CLIENT] < self._passed[CLIENT] or boundary[DAEMON] < self._passed[DAEMON]:
            return
        self._resumes_at = boundary
        self.conversation = Conversation(
            self, protocol=self.row.protocol, daemon_nix=self.row.daemon_nix, offsets=boundary
        )

    def _behind(
        self, side: int, time: int, offset: int, data: bytes, length: int, position: int
    ) -> tuple[bytes, int]:
        """Return what of a packet lies behind the boundary; the rest is of the early exchange."""
        self._passed[side] = offset + length
        if self._pieces is not None:
            self._pieces.append(Piece(side, time, offset, data, length, position))
            self._held += len(data)
            if self._held >= ENOUGH:
                self.settle()
                return b"", 0
        if self._resumes_at is None:
            return b"", 0
        cut = min(max(self._resumes_at[side] - offset, 0), length)
        if all(passed >= at for passed, at in zip(self._passed, self._resumes_at, strict=True)):
            self._end_early(time)
        return data[cut:], length - cut

    def _end_early(self, time: int) -> None:
        early = self._early
        if early is None:
            return
        self._early = None
        early.request_end, early.daemon_end = self._passed
        if self._resumes_at is not None:
            early.request_end = min(self._passed[CLIENT], self._resumes_at[CLIENT])
            early.daemon_end = min(self._passed[DAEMON], self._resumes_at[DAEMON])
        early.ended = time
        self.ended(early)


def _protocol(state: State) -> Protocol | None:
    try:
        return Protocol.parse(state.protocol or "", frozenset(state.features), FAMILIES)
    except ValueError:
        return None
