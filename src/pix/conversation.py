"""Two byte streams in, exchanges out: who speaks when, and what answers what.

`Conversation` is a passive observer, sans I/O. Feed it what passed in either direction, in
any chunking; it scans each direction with a generator of its own and joins them by a queue
of operations that wait for their reply.

    Rule 1. Bytes are never changed, kept or waited for by anyone but the observer. What is
            not understood makes that direction opaque to its end; the other goes on.
    Rule 2. A direction depends on the other in these places only: the negotiated version
            and features; payload that the daemon pulls; which operation a reply answers.
            There it waits, bounded by `Limits.waiting`.
    Rule 3. Chunks come in the order in which they were seen, so a reply is never fed before
            its request. Where the order between the directions is not known, `lockstep`
            makes one up: it holds each request back until the one before it is answered.

Nothing here decodes a field; spans say where they are. The cases are those of real daemons:
errors sent twice, NARs that break off, daemons out of step. Source: Nix `daemon.cc`,
`remote-store.cc`, `worker-protocol-connection.cc`, 2.3 to 2.35, and recorded sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Protocol as Interface
from typing import TypeAlias

from pix.cursor import Cursor, Limits, Scan, scan
from pix.errors import DecodeError
from pix.exchange import CLIENT, DAEMON, SIDES, Exchange, LogFrame
from pix.gates import GUIX_MINOR, Protocol, negotiate, version_text
from pix.payload import FRAMES, PULLED, WRITTEN
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC, NOT_ALLOWED
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST, STDERR_READ, STDERR_WRITE
from pix.schema import FRAMES_BY_CODE, OPERATIONS
from pix.wire import text_of

PayloadSeen: TypeAlias = Callable[[int, int, int, int], None]
"""Told of a run of payload: side, stream offset, length, position in the payload (bytes)."""

LONGEST_HELLO_TEXT = 1 << 16
MOST_FEATURES = 1 << 10
OPERATIONS_AT_SEA = (42, 43)
"""Operations that Nix 2.35 refuses unread where the feature they need is not in force."""


class Observer(Interface):
    """Who wants to know of exchanges."""

    def started(self, exchange: Exchange) -> None:
        """An exchange began."""

    def ended(self, exchange: Exchange) -> None:
        """An exchange is over, complete or not; it will not change any more."""


class _Lane:
    """One direction: its window, its scanner, and why it is not going on."""

    __slots__ = ("cursor", "eof", "opaque", "over", "scanner", "waiting")

    def __init__(self, cursor: Cursor, scanner: Generator[None, None, None]) -> None:
        self.cursor = cursor
        self.scanner = scanner
        self.waiting = False
        self.eof = False
        self.over = False
        self.opaque: Exchange | None = None


class Conversation:
    """The exchanges of one connection, as its bytes pass by.

    `detail` keeps log frames and payload runs on the exchanges (memory grows with them);
    `on_payload` is told of payload as it is announced. `protocol` is None until negotiated.
    Without an observer the exchanges are collected in `exchanges`. With `lockstep`, `turns`
    is the order that was made up: side, and up to which stream offset it spoke.
    """

    def __init__(
        self,
        observer: Observer | None = None,
        *,
        detail: bool = False,
        lockstep: bool = False,
        limits: Limits | None = None,
        on_payload: PayloadSeen | None = None,
    ) -> None:
        self.exchanges: list[Exchange] = []
        self.observer = observer or _Collector(self.exchanges)
        self.detail = detail
        self.lockstep = lockstep
        self.turns: list[tuple[int, int]] = []
        self.limits = limits or Limits()
        self.on_payload = on_payload
        self.protocol: Protocol | None = None
        self.client_version: int | None = None
        self.daemon_version: int | None = None
        self.client_features: frozenset[str] | None = None
        self.daemon_features: frozenset[str] | None = None
        self.daemon_nix: str | None = None
        self.handshake: Exchange | None = None
        self.pending: deque[Exchange] = deque()
        self.requesting: Exchange | None = None
        self.now = 0
        self._count = 0
        self._changed = False
        self._last_error: Exchange | None = None
        self._at_sea: Exchange | None = None
        self._status_missing: int | None = None
        self._lanes = (
            _Lane(self._cursor(CLIENT, 0), self._client()),
            _Lane(self._cursor(DAEMON, 0), self._daemon()),
        )

    @classmethod
    def resumed(
        cls,
        protocol: Protocol,
        client_offset: int,
        daemon_offset: int,
        observer: Observer | None = None,
        *,
        daemon_nix: str | None = None,
        detail: bool = False,
        limits: Limits | None = None,
        on_payload: PayloadSeen | None = None,
    ) -> Conversation:
        """Return a conversation that goes on between two operations, at these offsets."""
        self = cls(observer, detail=detail, limits=limits, on_payload=on_payload)
        self.protocol = protocol
        self.daemon_nix = daemon_nix
        self._lanes = (
            _Lane(self._cursor(CLIENT, client_offset), self._requests()),
            _Lane(self._cursor(DAEMON, daemon_offset), self._answers()),
        )
        return self

    def _cursor(self, side: int, base: int) -> Cursor:
        cursor = Cursor(base, self.limits)

        def seen(start: int, length: int) -> None:
            self._payload(side, start, length)

        cursor.on_payload = seen
        return cursor

    # What passes by ------------------------------------------------------------------

    def feed(self, side: int, data: bytes | bytearray | memoryview, time: int = 0) -> None:
        """Take the next bytes of a side. The buffer may be reused afterwards."""
        lane = self._lanes[side]
        cursor = lane.cursor
        self.now = time
        cursor.feed(data)
        if lane.opaque is not None:
            cursor.pos = cursor.end
            cursor.settle()
            return
        self._advance(side)
        cursor.settle()
        if lane.waiting and not self.lockstep and cursor.end > self.limits.waiting:
            waited = cursor.end - cursor.pos
            reason = f"{waited} bytes came while their meaning depended on the other side"
            self._opaque(side, cursor.offset, reason)

    def gap(self, side: int, length: int, time: int = 0) -> None:
        """Account for bytes of a side that passed but were not kept."""
        lane = self._lanes[side]
        self.now = time
        if lane.opaque is None and not lane.cursor.gap(length):
            at = lane.cursor.received
            self._opaque(side, at, f"{length} bytes were not recorded where structure was needed")
        if lane.opaque is not None:
            lane.cursor.pos = lane.cursor.end + length
            lane.cursor.gap(length)
        else:
            self._advance(side)
            lane.cursor.settle()

    def eof(self, side: int, time: int = 0) -> None:
        """Take note that a side will send nothing more."""
        lane = self._lanes[side]
        if lane.eof:
            return
        lane.eof = True
        self.now = time
        self._changed = True
        self._advance(1 - side)
        lane.over = side == DAEMON
        if side == CLIENT:
            self._client_ended(lane)
        else:
            self._daemon_ended(lane)
        if self._lanes[1 - side].eof:
            self._all_over()

    def close(self, time: int = 0) -> None:
        """Take note that the connection is gone in both directions."""
        self.eof(CLIENT, time)
        self.eof(DAEMON, time)

    def received(self, side: int) -> int:
        """Return how many bytes of a side have passed."""
        return self._lanes[side].cursor.received

    def is_opaque(self, side: int) -> bool:
        """Return whether a side is no longer understood."""
        return self._lanes[side].opaque is not None

    # The scanners --------------------------------------------------------------------

    def _advance(self, side: int) -> None:
        self._changed = False
        self._run(side)
        self._took_turn(side)
        other = 1 - side
        while self._changed and self._lanes[other].waiting:
            self._changed = False
            self._run(other)
            self._took_turn(other)
            self._lanes[other].cursor.settle()
            other = 1 - other

    def _took_turn(self, side: int) -> None:
        if self.lockstep:
            cursor = self._lanes[side].cursor
            self.turns.append((side, min(cursor.offset, cursor.received)))

    def _run(self, side: int) -> None:
        lane = self._lanes[side]
        if lane.opaque is not None or lane.over:
            return
        try:
            next(lane.scanner)
        except DecodeError as error:
            self._opaque(side, error.offset, str(error))
        except StopIteration:
            pass

    def _wait(self, side: int, ready: Callable[[], bool]) -> Scan:
        lane = self._lanes[side]
        while not ready():
            lane.waiting = True
            yield
        lane.waiting = False

    def _client(self) -> Scan:
        cursor = self._lanes[CLIENT].cursor
        magic = yield from cursor.word()
        self._open_handshake()
        if magic != CLIENT_MAGIC:
            raise DecodeError(0, "the client's magic 0x6e697863", _foreign(magic))
        self.client_version = yield from cursor.word()
        self._changed = True
        yield from self._wait(CLIENT, lambda: self.daemon_version is not None)
        protocol = self._negotiated()
        if protocol.minor >= 38:
            self.client_features = yield from self._feature_list(cursor)
            self._changed = True
        if protocol.minor >= 14 and (yield from cursor.word()):
            yield from cursor.word()
        if protocol.minor >= 11:
            yield from cursor.word()
        assert self.handshake is not None
        self.handshake.request_end = cursor.offset
        self.handshake.request_done = self.now
        self._changed = True
        if self.handshake.daemon_end is not None:
            self._over(self.handshake)
        yield from self._wait(CLIENT, lambda: self.protocol is not None)
        yield from self._requests()

    def _daemon(self) -> Scan:
        cursor = self._lanes[DAEMON].cursor
        magic = yield from cursor.word()
        self._open_handshake()
        assert self.handshake is not None
        self.handshake.answered = self.now
        self.handshake.daemon_start = 0
        if magic == NOT_ALLOWED:
            self.handshake.note("the daemon refuses this user (Determinate Nix: allowed-users)")
            self.handshake.daemon_end = cursor.offset
            while True:
                yield
        if magic != DAEMON_MAGIC:
            raise DecodeError(0, "the daemon's magic 0x6478696f", _foreign(magic))
        self.daemon_version = yield from cursor.word()
        self._changed = True
        yield from self._wait(DAEMON, lambda: self.client_version is not None)
        protocol = self._negotiated()
        if protocol.minor >= 38:
            self.daemon_features = yield from self._feature_list(cursor)
            self._changed = True
            yield from self._wait(DAEMON, lambda: self.client_features is not None)
            protocol = self._negotiated()
        self.protocol = self.handshake.protocol = protocol
        self._changed = True
        if protocol.minor >= 33:
            self.daemon_nix = text_of((yield from cursor.text(LONGEST_HELLO_TEXT)))
        if protocol.minor >= 35:
            yield from cursor.word()
        self.handshake.reply = (0, cursor.offset)
        if (yield from self._log(self.handshake, cursor)):
            self.handshake.complete = True
            self.handshake.daemon_end = cursor.offset
            if self.handshake.request_end is not None:
                self._over(self.handshake)
        yield from self._answers()

    def _negotiated(self) -> Protocol:
        assert self.client_version is not None
        assert self.daemon_version is not None
        minor = negotiate(self.client_version, self.daemon_version)
        if minor >= GUIX_MINOR:
            raise DecodeError(
                8, "a Nix protocol version", f"1.{minor}: Guix, which shares only the magic"
            )
        features = (self.client_features or frozenset()) & (self.daemon_features or frozenset())
        return Protocol(minor, features)

    def _feature_list(self, cursor: Cursor) -> Generator[None, None, frozenset[str]]:
        count = yield from cursor.word()
        if count > MOST_FEATURES:
            raise DecodeError(cursor.offset - 8, "the number of features", f"{count:#x}")
        found = set()
        for _ in range(count):
            found.add(text_of((yield from cursor.text(LONGEST_HELLO_TEXT))))
        return frozenset(found)

    def _requests(self) -> Scan:
        """The client's stream behind the handshake: one operation after the other."""
        lane = self._lanes[CLIENT]
        cursor = lane.cursor
        protocol = self.protocol
        assert protocol is not None
        while True:
            if self.lockstep and self.pending:
                yield from self._wait(CLIENT, lambda: not self.pending or self._daemon_over())
            while cursor.end - cursor.pos < 8:
                yield
            start = cursor.offset
            code = yield from cursor.word()
            operation = OPERATIONS.get(code)
            exchange = self._open("operation", CLIENT, start, code)
            self.requesting = exchange
            self.pending.append(exchange)
            self._changed = True
            if operation is None:
                exchange.note(f"no known operation at byte {start}: {_foreign(code)}")
                raise DecodeError(start + 8, "a known operation before this", _foreign(code))
            exchange.operation = operation
            program = operation.request.program(protocol)
            if program:
                yield from scan(cursor, program)
            payload = operation.request.payload
            if payload is not None:
                exchange.payload_start = cursor.offset
                exchange.payload_side = CLIENT
                carriage = payload.carriage(protocol)
                if carriage is PULLED:
                    yield from self._pulled(exchange, cursor)
                elif carriage is not None and not (yield from carriage.scan(cursor)):
                    raise DecodeError(cursor.offset, "a NAR token", "a STDERR_ERROR word")
            while cursor.pos > cursor.end:
                yield
            exchange.request_end = cursor.offset
            exchange.request_done = self.now
            self.requesting = None
            self._changed = True
            if exchange.daemon_end is not None:
                self._over(exchange)
            elif self._lanes[DAEMON].opaque is not None or self._daemon_over():
                self._unanswered(exchange)

    def _pulled(self, exchange: Exchange, cursor: Cursor) -> Scan:
        """The strings that answer STDERR_READ, until the daemon says it is done."""

        def settled() -> bool:
            return exchange.reads > exchange.answers or exchange.daemon_end is not None or over()

        def over() -> bool:
            return exchange.reply is not None or self._daemon_over()

        while True:
            yield from self._wait(CLIENT, settled)
            if exchange.answers >= exchange.reads:
                return
            start = cursor.offset
            length = yield from cursor.word()
            if length > self.limits.string:
                raise DecodeError(start, "an answer to STDERR_READ", f"length {length:#x}")
            cursor.payload(length)
            cursor.pos += -length & 7
            yield from cursor.arrived()
            exchange.answers += 1
            self._changed = True
            if exchange.log is not None:
                for frame in exchange.log:
                    if frame.frame.code == STDERR_READ and frame.answer is None:
                        frame.answer = (start, cursor.offset)
                        break

    def _answers(self) -> Scan:
        """The daemon's stream behind the handshake: log loops, replies, errors, orphans."""
        cursor = self._lanes[DAEMON].cursor
        while True:
            while cursor.end - cursor.pos < 8:
                yield
            if self.lockstep and not self.pending and not self._repeats_error(cursor):
                yield from self._wait(DAEMON, self._client_spoke)
            if not self.pending or self._at_sea is not None:
                yield from self._orphan(cursor)
                continue
            exchange = self.pending[0]
            exchange.answered = self.now
            exchange.daemon_start = cursor.offset
            if not (yield from self._log(exchange, cursor)):
                continue
            yield from self._reply(exchange, cursor)

    def _client_spoke(self) -> bool:
        return bool(self.pending) or not self._lanes[CLIENT].waiting

    def _repeats_error(self, cursor: Cursor) -> bool:
        """Whether all that is left is a second copy of the error just scanned."""
        before = self._last_error
        if before is None or before.error is None or before.daemon_end != cursor.offset:
            return False
        length = cursor.offset - before.error[0]
        pos = cursor.pos
        return cursor.end == pos + length and (
            cursor.buf[pos : pos + length] == cursor.buf[pos - length : pos]
        )

    def _log(self, exchange: Exchange, cursor: Cursor) -> Generator[None, None, bool]:
        """Scan STDERR frames up to the last. False when it was an error: no reply follows."""
        protocol = self.protocol
        assert protocol is not None
        while True:
            start = cursor.offset
            code = yield from cursor.word()
            if code == STDERR_LAST:
                return True
            frame = FRAMES_BY_CODE.get(code)
            if frame is None:
                raise DecodeError(start, "a STDERR frame", _foreign(code))
            if code == STDERR_ERROR:
                yield from self._error(exchange, cursor, start)
                return False
            exchange.frames += 1
            if code == STDERR_WRITE:
                length = yield from cursor.word()
                if length > self.limits.string:
                    raise DecodeError(start + 8, "the length of STDERR_WRITE", f"{length:#x}")
                exchange.payload_side = DAEMON
                cursor.payload(length)
                cursor.pos += -length & 7
            else:
                yield from scan(cursor, frame.fields.program(protocol))
            while cursor.pos > cursor.end:
                yield
            if exchange.log is not None:
                exchange.log.append(LogFrame(frame, start, cursor.offset, self.now))
            if code == STDERR_READ:
                exchange.reads += 1
                self._changed = True
                if self.lockstep:
                    yield from self._wait(DAEMON, lambda: self._answered(exchange))

    def _answered(self, exchange: Exchange) -> bool:
        return exchange.answers >= exchange.reads or not self._lanes[CLIENT].waiting

    def _error(self, exchange: Exchange, cursor: Cursor, start: int) -> Scan:
        """Scan an error behind its code; it ends the exchange."""
        exchange.error = (start, None)
        program = FRAMES_BY_CODE[STDERR_ERROR].fields.program(self.protocol or Protocol(0))
        if self.protocol is not None and self.protocol.minor < 26:
            yield from scan(cursor, program[:1])
            yield from cursor.arrived()
            self._status_missing = cursor.offset
            program = program[1:]
        yield from scan(cursor, program)
        yield from cursor.arrived()
        self._status_missing = None
        self._failed(exchange, start, cursor.offset)

    def _failed(self, exchange: Exchange, start: int, end: int) -> None:
        exchange.error = (start, end)
        exchange.daemon_end = end
        self._last_error = exchange
        self._changed = True
        if exchange.kind == "handshake":
            exchange.note("the daemon could not start")
            if exchange.request_end is not None:
                self._over(exchange)
            return
        if exchange.kind == "orphan":
            return
        self.pending.popleft()
        if exchange.request_end is not None:
            if exchange.code in OPERATIONS_AT_SEA and self._refuses_hashes(exchange):
                self._lose_step(exchange, "its arguments were not read")
            exchange.complete = exchange.reply is None
            self._over(exchange)
        elif exchange.operation is not None and exchange.operation.request.payload is not None:
            payload = exchange.operation.request.payload
            if payload.carriage(self.protocol or Protocol(0)) is FRAMES:
                self._lose_step(exchange, "its frames were not read")

    def _refuses_hashes(self, exchange: Exchange) -> bool:
        """Whether this daemon is a Nix 2.35 or later that knows realisations by path only."""
        from pix.protocol.types import REALISATION_WITH_PATH

        if self.protocol is None or REALISATION_WITH_PATH in self.protocol.features:
            return False
        release = [int(part) for part in (self.daemon_nix or "").split(".")[:2] if part.isdigit()]
        return [2, 35] <= release < [3]

    def _lose_step(self, exchange: Exchange, why: str) -> None:
        self._at_sea = exchange
        exchange.note(f"the daemon is out of step from here on: {why}")

    def _reply(self, exchange: Exchange, cursor: Cursor) -> Scan:
        operation = exchange.operation
        start = cursor.offset
        exchange.reply = (start, None)
        self._changed = True  # a pulled payload ends here
        if operation is None:
            raise DecodeError(start, "no reply to an unknown operation", "one")
        protocol = self.protocol
        assert protocol is not None
        program = operation.reply.program(protocol)
        if program:
            yield from scan(cursor, program)
        payload = operation.reply.payload
        carriage = payload.carriage(protocol) if payload is not None else None
        if carriage is not None and carriage is not WRITTEN:
            exchange.reply_payload_start = cursor.offset
            exchange.payload_side = DAEMON
            if not (yield from carriage.scan(cursor)):
                broken = cursor.offset
                exchange.reply = (start, broken)
                exchange.note(f"the payload breaks off at byte {broken} with an error")
                yield from cursor.word()
                yield from self._error(exchange, cursor, broken)
                return
        while cursor.pos > cursor.end:
            yield
        exchange.reply = (start, cursor.offset)
        exchange.daemon_end = cursor.offset
        self.pending.popleft()
        self._changed = True
        if exchange.request_end is not None:
            exchange.complete = True
            self._over(exchange)
        elif exchange is self.requesting and not self._is_pulled(exchange):
            exchange.note("the daemon answered before the request was complete")

    def _is_pulled(self, exchange: Exchange) -> bool:
        payload = exchange.operation.request.payload if exchange.operation else None
        return payload is not None and payload.carriage(self.protocol or Protocol(0)) is PULLED

    def _orphan(self, cursor: Cursor) -> Scan:
        """A frame that answers nothing: the second copy of an error, or a daemon out of step."""
        start = cursor.offset
        code = yield from cursor.word()
        frame = FRAMES_BY_CODE.get(code)
        if frame is None or code == STDERR_LAST:
            raise DecodeError(start, "silence, or an error, as nothing was asked", _foreign(code))
        orphan = self._open("orphan", DAEMON, start, None)
        orphan.answered = self.now
        orphan.daemon_start = start
        if code == STDERR_ERROR:
            before = self._last_error
            yield from self._error(orphan, cursor, start)
            if before is not None and before.daemon_end == start:
                orphan.note(
                    f"repeats the error of exchange {before.number}: work had not started,"
                    " the daemon closes"
                )
        else:
            assert self.protocol is not None
            yield from scan(cursor, frame.fields.program(self.protocol))
            yield from cursor.arrived()
            orphan.frames = 1
            if orphan.log is not None:
                orphan.log.append(LogFrame(frame, start, cursor.offset, self.now))
            if self._at_sea is not None:
                orphan.note(f"the daemon is out of step since exchange {self._at_sea.number}")
        orphan.daemon_end = cursor.offset
        orphan.complete = True
        self._over(orphan)

    # Book-keeping --------------------------------------------------------------------

    def _payload(self, side: int, start: int, length: int) -> None:
        exchange = self.requesting if side == CLIENT else self.pending[0] if self.pending else None
        if exchange is None:
            return
        if self.on_payload is not None:
            self.on_payload(side, start, length, exchange.payload_bytes)
        exchange.payload_bytes += length
        if exchange.payload_runs is not None:
            exchange.payload_runs.append((side, start, length))

    def _open(self, kind: str, side: int, start: int, code: int | None) -> Exchange:
        self._count += 1
        exchange = Exchange(
            self._count,
            kind,  # type: ignore[arg-type]  # one of the four kinds, from this module
            side,
            start,
            self.now,
            self.protocol,
            code,
            OPERATIONS.get(code) if code is not None else None,
        )
        if self.detail:
            exchange.log = []
            exchange.payload_runs = []
        self.observer.started(exchange)
        return exchange

    def _open_handshake(self) -> None:
        if self.handshake is None:
            self.handshake = self._open("handshake", CLIENT, 0, None)

    def _over(self, exchange: Exchange) -> None:
        if exchange.ended is not None:
            return
        exchange.ended = self.now
        if exchange.kind == "operation" and exchange.reply is not None and exchange.error is None:
            exchange.complete = exchange.reply[1] is not None and exchange.request_end is not None
        self.observer.ended(exchange)

    def _opaque(self, side: int, offset: int, reason: str) -> None:
        """Give a direction up, from `offset` to its end."""
        lane = self._lanes[side]
        cursor = lane.cursor
        if side == CLIENT and self.requesting is not None:
            self.requesting.note(f"request undecodable {reason}")
            self.requesting.request_end = offset
            self.requesting.request_done = self.now
            self.requesting = None
        if self.handshake is None:
            self._open_handshake()
        handshake = self.handshake
        if handshake is not None and handshake.ended is None:
            handshake.note(f"the {SIDES[side]} {reason}")
        lane.opaque = self._open("opaque", side, offset, None)
        lane.opaque.note(reason)
        lane.waiting = False
        cursor.pos = max(cursor.pos, cursor.end)
        if side == DAEMON:
            while self.pending:
                self._unanswered(self.pending.popleft())
        if "Guix" in reason and self._lanes[1 - side].opaque is None:
            self._opaque(1 - side, min(16, self._lanes[1 - side].cursor.offset), reason)

    def _unanswered(self, exchange: Exchange) -> None:
        if exchange.request_end is None and exchange is self.requesting:
            return
        if exchange in self.pending:
            self.pending.remove(exchange)
        exchange.daemon_end = self._lanes[DAEMON].cursor.received
        if self._at_sea is not None:
            exchange.note(f"not answered: the daemon is out of step since {self._at_sea.number}")
        elif self._daemon_over() and self._lanes[DAEMON].opaque is None:
            exchange.note("the daemon's stream ends without an answer")
        self._over(exchange)

    def _daemon_over(self) -> bool:
        return self._lanes[DAEMON].eof

    def _client_ended(self, lane: _Lane) -> None:
        cursor = lane.cursor
        left = cursor.end - cursor.pos
        if self.requesting is not None:
            at = cursor.received
            self.requesting.note(f"the client's stream ends inside the request, at byte {at}")
        elif left > 0 and lane.opaque is None and self.handshake is not self._unfinished():
            self._opaque(CLIENT, cursor.offset, f"{left} bytes at the end are no operation")

    def _unfinished(self) -> Exchange | None:
        """The handshake while it lasts."""
        if self.handshake is not None and self.handshake.ended is None:
            return self.handshake
        return None

    def _daemon_ended(self, lane: _Lane) -> None:
        cursor = lane.cursor
        end = cursor.received
        if self._status_missing == cursor.offset and cursor.pos == cursor.end:
            failed = self._unfinished() or (self.pending[0] if self.pending else None)
            if failed is not None and failed.error is not None:
                failed.note("the error has no status (Nix 1.0 to 2.3 leave out 0)")
                self._failed(failed, failed.error[0], end)
        handshake = self._unfinished()
        if handshake is not None:
            self._refused(handshake, end)
        elif not self.pending and cursor.end > cursor.pos and lane.opaque is None:
            self._opaque(DAEMON, cursor.offset, "the stream ends inside a frame")
        while self.pending:
            exchange = self.pending.popleft()
            if exchange.daemon_start is not None:
                exchange.note(f"the daemon's stream ends inside the answer, at byte {end}")
            elif self._at_sea is not None:
                exchange.note("not answered: the daemon was out of step")
            else:
                exchange.note("the daemon's stream ends without an answer")
            exchange.daemon_end = end
            if exchange.request_end is not None:
                self._over(exchange)

    def _refused(self, handshake: Exchange, end: int) -> None:
        if end == 0:
            handshake.note("the daemon said nothing: wrong magic, or a user who is not allowed")
        elif handshake.error is None and self.client_version and self.daemon_version:
            handshake.note(
                f"the daemon ({version_text(self.daemon_version)}) closed before the handshake"
                f" was over: it refuses the client's version {version_text(self.client_version)}"
            )
        handshake.daemon_end = end

    def _all_over(self) -> None:
        if self.handshake is not None:
            if self.handshake.request_end is None:
                self.handshake.request_end = min(
                    self._lanes[CLIENT].cursor.received, self._lanes[CLIENT].cursor.offset
                )
            self._over(self.handshake)
        if self.requesting is not None:
            exchange = self.requesting
            self.requesting = None
            if exchange in self.pending:
                self.pending.remove(exchange)
            exchange.request_end = self._lanes[CLIENT].cursor.received
            self._over(exchange)
        for side in (CLIENT, DAEMON):
            opaque = self._lanes[side].opaque
            if opaque is not None:
                end = self._lanes[side].cursor.received
                if side == CLIENT:
                    opaque.request_end = end
                else:
                    opaque.daemon_start, opaque.daemon_end = opaque.start, end
                self._over(opaque)


class _Collector:
    """Collects exchanges in order of start."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self.exchanges = exchanges

    def started(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def ended(self, exchange: Exchange) -> None:
        pass


def _foreign(word: int) -> str:
    """Describe a word that should have been something else, with its text if it is text."""
    raw = word.to_bytes(8, "little")
    text = raw.rstrip(b"\0")
    if text and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in text):
        return f"{word:#x} ({text.decode('ascii')!r})"
    return f"{word:#x}"
