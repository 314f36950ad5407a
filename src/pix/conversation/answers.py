"""The daemon's stream behind its handshake: log loops, replies, errors, orphans.

What a reply looks like depends on the oldest operation that waits for one. With nothing
asked, or a daemon that is out of step, frames are orphans; a reply would be undecodable.
Source: Nix `daemon.cc`, 2.3 to 2.35, and recorded sessions.
"""

from __future__ import annotations

from collections.abc import Generator

from pix.codec.cursor import Cursor, Program, Scan, leap, scan, u64_at
from pix.codec.declare import STDERR_FRAMES
from pix.codec.errors import WildLength
from pix.codec.payload import WRITTEN
from pix.codec.words import foreign
from pix.conversation.exchange import DAEMON, Exchange, LogFrame
from pix.conversation.notes import Misfit, Note, Reason
from pix.conversation.open_exchanges import Ledger
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST, STDERR_READ, STDERR_WRITE

_LAST = (STDERR_LAST,)


class DaemonSide:
    """The scanner of answers. `lockstep` holds answers back until something was asked."""

    def __init__(self, ledger: Ledger, lockstep: bool) -> None:
        self.ledger = ledger
        self.lockstep = lockstep
        self.status_missing: int | None = None
        """Where the error's status would stand, while that is all that is missing."""
        self._programs: dict[int, Program] = {}

    def handshake(self) -> Scan:
        """Scan the log loop that ends the handshake."""
        ledger = self.ledger
        if (yield from self._log(ledger.begun_handshake(), ledger.daemon.cursor)):
            ledger.handshake_over(DAEMON, ledger.daemon.cursor.offset)

    def scan(self) -> Scan:
        """Scan answers for ever. Raises DecodeError for what is none."""
        ledger = self.ledger
        cursor = ledger.daemon.cursor
        while True:
            while cursor.end - cursor.pos < 8:
                yield
            if not ledger.pending and ledger.client.waiting and not self._repeats_error(cursor):
                # what the client said in advance comes first, however the bytes were cut
                yield from ledger.daemon.wait(self._client_spoke)
            pending = ledger.pending
            if not pending or ledger.at_sea is not None:
                yield from self._orphan(cursor)
                continue
            exchange = pending[0]
            exchange.answered = ledger.now
            exchange.daemon_start = cursor.base + cursor.pos
            if u64_at(cursor.buf, cursor.pos) == _LAST:
                cursor.pos += 8
            elif not (yield from self._log(exchange, cursor)):
                continue
            if not self._reply_at_once(exchange, cursor):
                yield from self._reply(exchange, cursor)

    def _client_spoke(self) -> bool:
        return bool(self.ledger.pending) or not self.ledger.client.waiting

    def _repeats_error(self, cursor: Cursor) -> bool:
        """Whether all that is left is a second copy of the error just scanned."""
        before = self.ledger.last_error
        if (
            not self.lockstep
            or before is None
            or before.error is None
            or before.daemon_end != cursor.offset
        ):
            return False
        length = cursor.offset - before.error[0]
        pos = cursor.pos
        return (
            pos >= length
            and cursor.end == pos + length
            and cursor.buf[pos : pos + length] == cursor.buf[pos - length : pos]
        )

    def _log(self, exchange: Exchange, cursor: Cursor) -> Generator[None, None, bool]:
        """Scan STDERR frames up to the last. False when it was an error: no reply follows."""
        ledger = self.ledger
        protocol = ledger.in_force()
        while True:
            start = cursor.offset
            code = yield from cursor.word()
            if code == STDERR_LAST:
                return True
            frame = STDERR_FRAMES.get(code)
            if frame is None:
                raise Misfit(Reason.NO_FRAME, start, "a STDERR frame", foreign(code))
            if code == STDERR_ERROR:
                yield from self._error(exchange, cursor, start)
                return False
            if code == STDERR_WRITE and self._is_written(exchange):
                length = yield from cursor.word()
                if length > cursor.limits.string:
                    raise WildLength(start + 8, "the length of STDERR_WRITE", f"{length:#x}")
                exchange.payload_side = DAEMON
                cursor.payload(length)
                cursor.pos += -length & 7
            else:
                yield from scan(cursor, frame.fields.program(protocol))
            while cursor.pos > cursor.end:
                yield
            exchange.frames += 1
            if exchange.log is not None:
                exchange.log.append(LogFrame(frame, start, cursor.offset, ledger.now))
            if code == STDERR_READ:
                exchange.reads += 1
                ledger.changed = True
                if self.lockstep:
                    yield from ledger.daemon.wait(lambda: self._answered(exchange))

    def _answered(self, exchange: Exchange) -> bool:
        return exchange.answers >= exchange.reads or not self.ledger.client.waiting

    def _is_written(self, exchange: Exchange) -> bool:
        payload = exchange.operation.reply.payload if exchange.operation else None
        return payload is not None and payload.carriage(self.ledger.in_force()) is WRITTEN

    def _error(self, exchange: Exchange, cursor: Cursor, start: int) -> Scan:
        """Scan an error behind its code; it ends the exchange."""
        protocol = self.ledger.in_force()
        exchange.error = (start, None)
        fields = STDERR_FRAMES[STDERR_ERROR].fields
        program = fields.program(protocol)
        if fields.has("status", protocol):
            yield from scan(cursor, program[:1])
            yield from cursor.arrived()
            self.status_missing = cursor.offset
            program = program[1:]
        yield from scan(cursor, program)
        yield from cursor.arrived()
        self.status_missing = None
        self.ledger.failed(exchange, start, cursor.offset)

    def _reply_at_once(self, exchange: Exchange, cursor: Cursor) -> bool:
        """Take a reply without payload that has arrived whole; False, changing nothing, if not."""
        operation = exchange.operation
        if operation is None or operation.reply.payload is not None:
            return False
        before = cursor.pos
        program = self._programs.get(operation.code)
        if program is None:
            program = operation.reply.program(self.ledger.in_force())
            self._programs[operation.code] = program
        if program and not leap(cursor, program):
            return False
        if cursor.pos > cursor.end:
            cursor.pos = before
            return False
        end = cursor.base + cursor.pos
        exchange.reply = (cursor.base + before, end)
        self.ledger.replied(exchange, end)
        return True

    def _reply(self, exchange: Exchange, cursor: Cursor) -> Scan:
        ledger = self.ledger
        operation = exchange.operation
        start = cursor.offset
        exchange.reply = (start, None)
        ledger.changed = True  # a pulled payload ends here
        if operation is None:
            wanted = "no reply to an unknown operation"
            raise Misfit(Reason.UNKNOWN_REPLY, start, wanted, "one")
        protocol = ledger.in_force()
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
                exchange.note(Note(Reason.PAYLOAD_FAILED, broken, DAEMON))
                yield from cursor.word()
                yield from self._error(exchange, cursor, broken)
                return
        while cursor.pos > cursor.end:
            yield
        exchange.reply = (start, cursor.offset)
        ledger.replied(exchange, cursor.offset)

    def _orphan(self, cursor: Cursor) -> Scan:
        """A frame that answers nothing: the second copy of an error, or a daemon out of step."""
        ledger = self.ledger
        start = cursor.offset
        code = yield from cursor.word()
        frame = STDERR_FRAMES.get(code)
        if frame is None or code == STDERR_LAST:
            found = foreign(code) if frame is None else frame.name
            wanted, at_sea = "silence, or an error, as nothing was asked", ledger.at_sea
            if at_sea is None:
                raise Misfit(Reason.UNASKED, start, wanted, found)
            raise Misfit(Reason.UNASKED_OUT_OF_STEP, start, wanted, found, at_sea.number)
        orphan = ledger.strayed(start)
        if code == STDERR_ERROR:
            yield from self._error(orphan, cursor, start)
        else:
            yield from scan(cursor, frame.fields.program(ledger.in_force()))
            yield from cursor.arrived()
            orphan.frames = 1
            if orphan.log is not None:
                orphan.log.append(LogFrame(frame, start, cursor.offset, ledger.now))
        ledger.stray_ended(orphan, cursor.offset)

    def ended(self) -> None:
        """Conclude what may lack its end: an error whose status the daemon left out."""
        ledger = self.ledger
        end = ledger.daemon.cursor.received
        if self.status_missing != end:
            ledger.daemon_ends()
            return
        handshake = ledger.handshake
        if ledger.orphan is not None:
            failed = ledger.orphan
        elif handshake is not None and handshake.daemon_end is None:
            failed = handshake
        else:
            failed = ledger.pending[0]
        assert failed.error is not None
        failed.note(Note(Reason.NO_STATUS, end, DAEMON))
        ledger.failed(failed, failed.error[0], end)
        if failed is ledger.orphan:
            ledger.stray_ended(failed, end)
