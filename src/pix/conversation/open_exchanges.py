"""Which exchanges of a conversation are open, and how each of them ends.

The two sides report what they found; the ledger joins requests with answers by a queue,
names what is irregular, and tells the observer. It scans nothing.

An exchange ends when its request is over and its answer is: `settled` says of the answer
that the daemon finished it. What a side leaves unfinished is settled when its stream ends
or becomes opaque. Nothing here depends on how the bytes were cut into chunks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol as Interface
from typing import TypeAlias

from pix.codec.cursor import Limits, Window
from pix.codec.declare import OPERATIONS
from pix.codec.gates import Family, Protocol
from pix.codec.payload import FRAMES, PULLED
from pix.conversation.direction import Lane
from pix.conversation.exchange import CLIENT, DAEMON, Exchange, Kind
from pix.conversation.notes import Note, Reason
from pix.protocol.unread import hashes_are_unread

PayloadSeen: TypeAlias = Callable[[int, int, int, int], None]
"""Told of a run of payload: side, stream offset, length, position in the payload (bytes)."""

UNSEEN = frozenset((Reason.NOT_RECORDED, Reason.READS_UNSEEN, Reason.TOO_FAR_AHEAD))
"""Why it is not known what the client asked."""
TOGETHER = -1
"""In place of a side: neither ended its stream before the other, as far as is known."""


class Observer(Interface):
    """Who wants to know of exchanges; it may have a `round_trip` that is a RoundTripSeen."""

    def started(self, exchange: Exchange) -> None:
        """An exchange began."""

    def ended(self, exchange: Exchange) -> None:
        """An exchange is over, complete or not; it will not change any more."""


class Collector:
    """An observer that collects exchanges in order of start."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self.exchanges = exchanges

    def started(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def ended(self, exchange: Exchange) -> None:
        """Nothing to do: the exchange is collected and knows that it ended."""


class Ledger:
    """The open exchanges of one connection.

    `pending` are the operations that wait for their answer, `requesting` is the one whose
    request is still coming, `orphan` the stray frame that is. `changed` is raised whenever
    the other side may have waited for what happened. `now` is the time of what is being fed.
    """

    def __init__(
        self,
        observer: Observer,
        detail: bool,
        limits: Limits,
        on_payload: PayloadSeen | None,
        offsets: tuple[int, int],
    ) -> None:
        self.observer = observer
        self.detail = detail
        self.on_payload = on_payload
        self.client = Lane(CLIENT, offsets[CLIENT], limits)
        self.daemon = Lane(DAEMON, offsets[DAEMON], limits)
        self.client.cursor.on_payload = self._client_payload
        self.daemon.cursor.on_payload = self._daemon_payload
        self.protocol: Protocol | None = None
        self.family: Family | None = None
        """Which protocol is spoken, once a first word has said it."""
        self.daemon_nix: str | None = None
        self.handshake: Exchange | None = None
        self.pending: deque[Exchange] = deque()
        self.requesting: Exchange | None = None
        self.orphan: Exchange | None = None
        self.last_error: Exchange | None = None
        self.doubled: Exchange | None = None
        """The last exchange whose error the daemon said twice, after which it closes."""
        self.at_sea: Exchange | None = None
        self.first_left: int | None = None
        """The side that ended its stream first; TOGETHER where that is not known."""
        self.asks_unseen = False
        """Whether it is not known any more what the client asked."""
        self.heard: list[tuple[int, int]] = []
        """Of answers that had to wait: from which offset on the client had said how much."""
        self.changed = False
        self.now = 0
        self.count = 0

    def in_force(self) -> Protocol:
        """Return the negotiated protocol, which must be known by now."""
        assert self.protocol is not None
        return self.protocol

    def hear(self) -> None:
        """Take note of how much the client has said before more of the daemon's stream comes."""
        said = self.client.cursor.received
        if self.heard[-1][1] != said:
            self.heard.append((self.daemon.cursor.received, said))

    def asked_in_time(self) -> bool:
        """Whether the oldest operation was asked before the daemon's next word came."""
        heard, last = self.heard, self.daemon.cursor.offset + 7
        while len(heard) > 1 and heard[1][0] <= last:
            heard.pop(0)
        return not heard or heard[0][0] > last or self.pending[0].start + 8 <= heard[0][1]

    # Beginnings ----------------------------------------------------------------------

    def _open(self, kind: Kind, side: int, start: int, code: int | None = None) -> Exchange:
        self.count += 1
        operation = OPERATIONS.get(code) if code is not None else None
        exchange = Exchange(self.count, kind, side, start, self.now, self.protocol, code, operation)
        if self.detail:
            exchange.log = []
            exchange.payload_runs = []
        self.observer.started(exchange)
        return exchange

    def begun_handshake(self) -> Exchange:
        """Return the handshake, which begins with whoever speaks first."""
        if self.handshake is None:
            self.handshake = self._open("handshake", CLIENT, 0)
        return self.handshake

    def asked(self, start: int, code: int) -> Exchange:
        """Open the operation whose number stands at `start` of the client's stream."""
        exchange = self._open("operation", CLIENT, start, code)
        self.requesting = exchange
        self.pending.append(exchange)
        self.changed = True
        return exchange

    def strayed(self, start: int) -> Exchange:
        """Open the orphan that stands at `start` of the daemon's stream."""
        orphan = self._open("orphan", DAEMON, start)
        orphan.answered = self.now
        orphan.daemon_start = start
        self.orphan = orphan
        return orphan

    # Progress ------------------------------------------------------------------------

    def _client_payload(self, start: int, length: int) -> None:
        if self.requesting is not None:
            self._payload(self.requesting, CLIENT, start, length)

    def _daemon_payload(self, start: int, length: int) -> None:
        if self.pending:
            self._payload(self.pending[0], DAEMON, start, length)

    def _payload(self, exchange: Exchange, side: int, start: int, length: int) -> None:
        if self.on_payload is not None:
            self.on_payload(side, start, length, exchange.payload_bytes)
        exchange.payload_bytes += length
        if exchange.payload_runs is not None:
            exchange.payload_runs.append((side, start, length))

    def handshake_over(self, side: int, end: int) -> None:
        """Take note that a side's part of the handshake is over."""
        handshake = self.begun_handshake()
        if side == CLIENT:
            handshake.request_end = end
            handshake.request_done = self.now
        else:
            handshake.daemon_end = end
            handshake.settled = True
        self.changed = True
        if handshake.request_end is not None and handshake.settled:
            self._finish(handshake)

    def requested(self, exchange: Exchange, end: int) -> None:
        """Take note that a request is complete."""
        exchange.request_done = self.now
        self.changed = True
        self._request_over(exchange, end)

    def _request_over(self, exchange: Exchange, end: int) -> None:
        exchange.request_end = end
        self.requesting = None
        if exchange.settled:
            self._finish(exchange)
        elif self.daemon.silent:
            self._unanswered(exchange)

    def replied(self, exchange: Exchange, end: int) -> None:
        """Take note that the reply to the oldest operation is complete."""
        exchange.daemon_end = end
        exchange.settled = True
        self.pending.popleft()
        self.changed = True
        if exchange.request_end is not None:
            self._finish(exchange)
        elif self._carriage(exchange) is not PULLED:
            exchange.note(Note(Reason.ANSWERED_EARLY, end, DAEMON))

    def failed(self, exchange: Exchange, start: int, end: int, *, again: bool = False) -> None:
        """Take note of a whole STDERR_ERROR, which ends the exchange; `again`: it says what the one
        before it said.
        """
        before = self.last_error
        exchange.error = (start, end)
        exchange.daemon_end = end
        exchange.settled = True
        self.last_error = exchange
        self.changed = True
        if exchange.kind == "orphan":
            if again and before is not None and before.daemon_end == start:
                exchange.note(Note(Reason.REPEATED_ERROR, exchange=before.number))
                self.doubled = before
            return
        if exchange.kind == "handshake":
            exchange.note(Note(Reason.NOT_STARTED))
            if exchange.request_end is not None:
                self._finish(exchange)
            return
        self.pending.popleft()
        if hashes_are_unread(exchange.operation, self.in_force(), self.daemon_nix):
            self._lose_step(exchange, Reason.ARGUMENTS_UNREAD)
        elif exchange.request_end is None and self._carriage(exchange) is FRAMES:
            self._lose_step(exchange, Reason.FRAMES_UNREAD)
        if exchange.request_end is not None:
            self._finish(exchange)

    def stray_ended(self, orphan: Exchange, end: int) -> None:
        """Take note that an orphan is complete."""
        if self.at_sea is not None and orphan.error is None:
            orphan.note(Note(Reason.OUT_OF_STEP, exchange=self.at_sea.number))
        orphan.daemon_end = end
        orphan.settled = True
        self.orphan = None
        self._finish(orphan)

    def _carriage(self, exchange: Exchange) -> object:
        """Return how the payload of its request travels, None where there is none."""
        payload = exchange.operation.request.payload if exchange.operation else None
        return payload.carriage(self.in_force()) if payload is not None else None

    def _lose_step(self, exchange: Exchange, why: Reason) -> None:
        self.at_sea = exchange
        exchange.note(Note(why, exchange.daemon_end, DAEMON))

    # Ends ----------------------------------------------------------------------------

    def _finish(self, exchange: Exchange) -> None:
        if exchange.ended is not None:
            return
        exchange.ended = self.now
        asked = exchange.kind == "orphan" or exchange.request_done is not None
        broken = exchange.error is not None and exchange.reply is not None
        exchange.complete = asked and exchange.settled and not broken
        self.observer.ended(exchange)

    def _unanswered(self, exchange: Exchange) -> None:
        """End an operation that the daemon will not answer (any further)."""
        if self.pending and self.pending[-1] is exchange:
            self.pending.pop()
        opaque = self.daemon.opaque
        end = self.daemon.cursor.received if opaque is None else opaque.start
        if exchange.daemon_start is not None:
            exchange.daemon_end = end
        if self.at_sea is not None and exchange is not self.at_sea:
            exchange.note(Note(Reason.NOT_ANSWERED, exchange=self.at_sea.number))
        elif opaque is not None:
            exchange.note(Note(Reason.ANSWER_OPAQUE, end, DAEMON))
        elif exchange.daemon_start is not None:
            exchange.note(Note(Reason.ANSWER_CUT, end, DAEMON))
        elif self.doubled is not None:
            exchange.note(Note(Reason.BEHIND_DOUBLED, exchange=self.doubled.number))
        else:
            exchange.note(Note(Reason.NO_ANSWER, end, DAEMON))
        self._finish(exchange)

    def no_more_answers(self) -> None:
        """End what the daemon leaves behind; the request that still comes ends with itself."""
        orphan = self.orphan
        if orphan is not None:
            self.orphan = None
            opaque = self.daemon.opaque
            orphan.daemon_end = self.daemon.cursor.received if opaque is None else opaque.start
            orphan.note(Note(Reason.ORPHAN_CUT, orphan.daemon_end, DAEMON))
            self._finish(orphan)
        unfinished = [exchange for exchange in self.pending if exchange is not self.requesting]
        self.pending = deque(e for e in self.pending if e is self.requesting)
        for exchange in unfinished:
            self._unanswered(exchange)

    def _request_cut(self, end: int, why: Note) -> None:
        """End the request that was coming, incomplete."""
        if self.requesting is not None:
            self.requesting.note(why)
            self._request_over(self.requesting, end)

    def give_up(self, side: int, offset: int, why: Note) -> None:
        """Make a direction opaque, from `offset` to its end."""
        lane = self.daemon if side == DAEMON else self.client
        if lane.opaque is not None:
            return
        handshake = self.begun_handshake() if self.protocol is None else self.handshake
        if handshake is not None and not self._past_handshake(side):
            handshake.note(Note(Reason.HANDSHAKE_OPAQUE, offset, side, cause=why))
        if side == CLIENT:
            self._request_cut(offset, Note(Reason.REQUEST_OPAQUE, offset, CLIENT, cause=why))
        lane.opaque = self._open("opaque", side, offset)
        self.asks_unseen |= side == CLIENT and why.reason in UNSEEN
        lane.opaque.note(why)
        lane.waiting = False
        lane.cursor.pos = max(lane.cursor.pos, lane.cursor.end)
        if side == DAEMON:
            self.no_more_answers()
        self.changed = True

    def step_over(self, length: int) -> bool:
        """End the request of whose fields so many bytes are not there; False where none is."""
        exchange, cursor = self.requesting, self.client.cursor
        if exchange is None or exchange.payload_start is not None:
            return False
        start = cursor.received
        cause = Note(Reason.NOT_RECORDED, start, length=length)
        cursor.skip_to(start + length)
        self.asks_unseen = True
        why = Note(Reason.REQUEST_OPAQUE, start, CLIENT, cause=cause)
        self._request_cut(start + length, why)
        return True

    def client_ended(self) -> None:
        """Conclude the client's stream; its scanner does not run again."""
        if self.client.over:
            return
        self.client.over = True
        cursor = self.client.cursor
        left = cursor.end - cursor.pos
        end = cursor.received
        if self.requesting is not None:
            self._request_cut(end, Note(Reason.REQUEST_CUT, end, CLIENT))
        elif left > 0 and self.client.opaque is None and self._past_handshake(CLIENT):
            if self.protocol is None:
                why = Reason.NOT_AGREED
            else:
                begun = self._begins_operation(cursor.buf[cursor.pos : cursor.end])
                why = Reason.NUMBER_CUT if begun else Reason.NO_OPERATION
            self.give_up(CLIENT, cursor.offset, Note(why, length=left))

    def _begins_operation(self, data: Window) -> bool:
        """Whether fewer bytes than a word may begin an operation's number (0 is padding)."""
        begun, number_of = int.from_bytes(data, "little"), self.in_force().family.code
        return 0 < len(data) < 8 and any(
            number_of(code) > 0 and number_of(code) % (1 << 8 * len(data)) == begun
            for code in OPERATIONS
        )

    def daemon_ends(self) -> None:
        """Give the last few bytes of the daemon's stream to the exchange they belong to."""
        cursor = self.daemon.cursor
        if (
            cursor.end <= cursor.pos
            or self.daemon.opaque is not None
            or not self._past_handshake(DAEMON)
        ):
            return
        if self.pending and self.at_sea is None:
            if self.pending[0].daemon_start is None:
                self.pending[0].daemon_start = cursor.offset
        elif self.orphan is None:
            why = Reason.ASKED_UNSEEN if self.asks_unseen else Reason.FRAME_CUT
            self.give_up(DAEMON, cursor.offset, Note(why))

    def _past_handshake(self, side: int) -> bool:
        """Whether a side's part of the handshake is over (or was never seen)."""
        handshake = self.handshake
        if handshake is None:
            return self.protocol is not None
        return (handshake.request_end if side == CLIENT else handshake.daemon_end) is not None

    def both_ended(self) -> None:
        """Conclude the conversation: what is still open ends as it is."""
        self.no_more_answers()
        for lane in (self.client, self.daemon):
            if lane.opaque is not None:
                end = lane.cursor.received
                if lane.side == CLIENT:
                    lane.opaque.request_end = end
                else:
                    lane.opaque.daemon_start, lane.opaque.daemon_end = lane.opaque.start, end
                self._finish(lane.opaque)

    def handshake_ended(self, why: Note | None) -> None:
        """Conclude a handshake that both sides left, with a remark on the reason."""
        handshake = self.handshake
        if handshake is None or handshake.ended is not None:
            return
        if why is not None:
            handshake.note(why)
        if handshake.request_end is None:
            handshake.request_end = self.client.cursor.received
        if self.daemon.cursor.received:
            handshake.daemon_start = 0
            if handshake.daemon_end is None:
                handshake.daemon_end = self.daemon.cursor.received
        self._finish(handshake)
