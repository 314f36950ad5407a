"""The daemon's stream behind its handshake: log loops, replies, errors, orphans.

What a reply looks like depends on the oldest operation that waits for one. With nothing
asked, or a daemon that is out of step, frames are orphans; a reply would be undecodable.
Source: Nix `daemon.cc`, 2.3 to 2.35, and recorded sessions.
"""

from __future__ import annotations

from collections.abc import Generator

from pix.codec.cursor import (
    MOST_HELD,
    Cursor,
    Program,
    Scan,
    Window,
    behind,
    last_text,
    leap,
    scan,
    u64_at,
)
from pix.codec.declare import STDERR_FRAMES, Frame
from pix.codec.errors import DecodeError, WildLength
from pix.codec.payload import WRITTEN
from pix.codec.words import foreign
from pix.conversation.exchange import CLIENT, DAEMON, Exchange, LogFrame
from pix.conversation.notes import Misfit, Note, Reason
from pix.conversation.open_exchanges import Ledger
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST, STDERR_READ, STDERR_WRITE

MOST_HEADS = 64
"""Heads of frames that are remembered."""
_LAST = (STDERR_LAST,)
_TURNING = (STDERR_ERROR, STDERR_LAST, STDERR_READ, STDERR_WRITE)
"""Frames behind which something else follows than one more frame, or may."""


class DaemonSide:
    """The scanner of answers. `lockstep` holds answers back until something was asked."""

    def __init__(self, ledger: Ledger, lockstep: bool) -> None:
        self.ledger = ledger
        self.lockstep = lockstep
        self.status_missing: int | None = None
        """Where the error's status would stand, while that is all that is missing."""
        self.last_word: int | None = None
        """The length of a copy that would answer the next operation, were it not the last word."""
        self._copy: bytes | None = None
        self._error_before: bytes | None = None
        self._others_waited = False
        self._logging: Exchange | None = None
        """The exchange of whose log the next frame is waited for."""
        self._telling: dict[int, tuple[Frame, Program]] = {}
        """The frames that only tell something, by code, each with its program."""
        self._heads: dict[bytes, Frame] = {}
        """What stands before the text that ends a frame, of those that passed: a build's lines
        differ in their text alone."""
        self._reach = 0
        """How long that was the last time."""

    def handshake(self) -> Scan:
        """Scan the log loop that ends the handshake, where there is one."""
        ledger = self.ledger
        family = ledger.family
        if family is not None and not family.has_log:
            yield from ledger.daemon.wait(lambda: ledger.protocol is not None)
            ledger.handshake_over(DAEMON, ledger.daemon.cursor.offset)
        elif (yield from self._log(ledger.begun_handshake(), ledger.daemon.cursor)):
            ledger.handshake_over(DAEMON, ledger.daemon.cursor.offset)

    def scan(self) -> Scan:
        """Scan answers for ever. Raises DecodeError for what is none."""
        ledger = self.ledger
        cursor = ledger.daemon.cursor
        while cursor.end - cursor.pos < 8:
            yield
        has_log = ledger.in_force().family.has_log
        while True:
            while cursor.end - cursor.pos < 8:
                yield
            if self._copy is not None and (yield from self._is_copy(cursor)):
                yield from self._orphan(cursor)
                continue
            if not ledger.pending and ledger.client.waiting:
                # what the client said in advance comes first, however the bytes were cut
                yield from ledger.daemon.wait(self._client_spoke)
            pending = ledger.pending
            if not pending or ledger.at_sea is not None or not ledger.asked_in_time():
                yield from self._orphan(cursor)
                continue
            exchange = pending[0]
            exchange.answered = ledger.now
            exchange.daemon_start = cursor.base + cursor.pos
            if not has_log:
                pass
            elif u64_at(cursor.buf, cursor.pos) == _LAST:
                cursor.pos += 8
            elif not (yield from self._log(exchange, cursor)):
                continue
            yield from self._reply(exchange, cursor)

    def _tell(self) -> dict[int, tuple[Frame, Program]]:
        protocol = self.ledger.in_force()
        self._telling = {
            code: (frame, frame.fields.program(protocol))
            for code, frame in STDERR_FRAMES.items()
            if code not in _TURNING
        }
        return self._telling

    def frames(self, data: Window, time: int) -> int:
        """Take the whole frames that go on with a log, and return how many bytes those are.

        A log of many lines is scanned in a fifth of the time this way.
        """
        exchange, ledger = self._logging, self.ledger
        if exchange is None or ledger.heard:
            return 0
        lane = ledger.daemon
        cursor = lane.cursor
        if cursor.pos != cursor.end or lane.silent:
            return 0
        known, limits, size = self._telling or self._tell(), cursor.limits, len(data)
        log, pos, base = exchange.log, 0, cursor.base + cursor.end
        data, heads, reach = bytes(data), self._heads, self._reach
        while pos + 8 <= size:
            text = pos + reach
            frame = heads.get(data[pos:text])
            if frame is not None and text + 8 <= size:
                end = text + (u64_at(data, text)[0] + 15 & -8)
            else:
                found = known.get(u64_at(data, pos)[0])
                if found is None:
                    break
                frame, program = found
                end = behind(data, pos + 8, program, limits)
                if 0 <= end <= size and (text := last_text(data, pos + 8, program)) > pos:
                    reach = self._reach = text - pos
                    if len(heads) == MOST_HEADS:
                        heads.clear()
                    heads[data[pos:text]] = frame
            if not 0 <= end <= size:
                break
            exchange.frames += 1
            if log is not None:
                log.append(LogFrame(frame, base + pos, base + end, time))
            pos = end
        if pos:
            cursor.skip_to(base + pos)
        return pos

    def _client_spoke(self) -> bool:
        return bool(self.ledger.pending) or not self.ledger.client.waiting

    def _is_copy(self, cursor: Cursor) -> Generator[None, None, bool]:
        """Whether what comes is the copy of the error just said, which answers nobody.

        Nix says an error twice that came before work began, and closes. Where the next
        operation waited already, it may be its answer: not if it is the daemon's last word.
        """
        ledger = self.ledger
        failed, copy, self._copy = ledger.last_error, self._copy, None
        if copy is None or failed is None or failed.daemon_end != cursor.offset:
            return False
        asked = bool(ledger.pending)
        if not ((asked and self._others_waited) or ledger.client.waiting):
            return False  # asked when the error was known; or an orphan, whatever it says
        program = STDERR_FRAMES[STDERR_ERROR].fields.program(ledger.in_force())
        while True:
            if u64_at(cursor.buf, cursor.pos) != (STDERR_ERROR,):
                return False
            end = behind(cursor.buf, cursor.pos + 8, program, cursor.limits)
            if 0 <= end <= cursor.end:
                break
            if cursor.end - cursor.pos > MOST_HELD:
                return False
            yield
        length = end - cursor.pos
        if not self._is_same(copy, bytes(cursor.buf[cursor.pos : end])):
            return False
        if self.lockstep:
            client = ledger.client.cursor
            is_last = cursor.end == end
            (code,) = u64_at(client.buf, client.pos) if client.end - client.pos >= 8 else (None,)
            return is_last and code != failed.code
        if not asked:
            return True
        self.last_word = length
        while cursor.end == cursor.pos + length:
            yield
        self.last_word = None
        return False

    def _is_again(self, error: bytes | None) -> bool:
        """Whether an error says what the one before it said, as far as both are held."""
        before, self._error_before = self._error_before, error
        return before is None or error is None or self._is_same(before, error)

    def _is_same(self, error: bytes, other: bytes) -> bool:
        """Whether two frames say one error; before 1.26 the copy may lack its first word."""
        if error == other:
            return True
        if self.ledger.in_force().minor >= 26:
            return False
        texts = (_text_behind(error, 8), _text_behind(other, 8))
        return len({text.removeprefix(b"error: ") for text in texts}) == 1

    def _log(self, exchange: Exchange, cursor: Cursor) -> Generator[None, None, bool]:
        """Scan STDERR frames up to the last. False when it was an error: no reply follows."""
        ledger = self.ledger
        protocol = ledger.in_force()
        while True:
            self._logging = exchange
            code = yield from cursor.word()
            self._logging = None
            start = cursor.offset - 8  # `frames` may have gone on meanwhile
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
            elif not leap(cursor, program := frame.fields.program(protocol)):
                yield from scan(cursor, program)
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
        cursor.held = start
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
        self._copy = cursor.release()
        self.ledger.failed(exchange, start, cursor.offset, again=self._is_again(self._copy))
        self._others_waited = bool(self.ledger.pending)

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
        if program and not leap(cursor, program):
            yield from scan(cursor, program)
        payload = operation.reply.payload
        carriage = payload.carriage(protocol) if payload is not None else None
        if carriage is not None and carriage is not WRITTEN:
            exchange.reply_payload_start = cursor.offset
            exchange.payload_side = DAEMON
            if not (yield from carriage.scan(cursor)):
                broken = cursor.offset
                if not protocol.family.has_log:
                    raise DecodeError(broken, "a NAR token", "a STDERR_ERROR word")
                exchange.reply = (start, broken)
                exchange.note(Note(Reason.PAYLOAD_FAILED, broken, DAEMON))
                yield from cursor.word()
                yield from self._error(exchange, cursor, broken)
                return
        while cursor.pos > cursor.end:
            yield
        exchange.reply = (start, cursor.offset)
        if cursor.failures:
            found = (name if n == 1 else f"{name} ×{n}" for name, n in cursor.failures.items())
            exchange.note(Note(Reason.BUILD_FAILED, found=", ".join(found)))
            cursor.failures = {}
        ledger.replied(exchange, cursor.offset)

    def _orphan(self, cursor: Cursor) -> Scan:
        """A frame that answers nothing: the second copy of an error, or a daemon out of step."""
        ledger = self.ledger
        start = cursor.offset
        code = yield from cursor.word()
        has_log = ledger.in_force().family.has_log
        frame = STDERR_FRAMES.get(code) if has_log else None
        if frame is None or code == STDERR_LAST:
            found = foreign(code) if frame is None else frame.name
            said = "silence, or an error" if has_log else "silence"
            wanted, at_sea = f"{said}, as nothing was asked", ledger.at_sea
            if ledger.asks_unseen:
                raise Misfit(Reason.ASKED_UNSEEN, start, wanted, found)
            if at_sea is None:
                raise Misfit(Reason.UNASKED, start, wanted, found)
            raise Misfit(Reason.UNASKED_OUT_OF_STEP, start, wanted, found, at_sea.number)
        orphan = ledger.strayed(start)
        if ledger.asks_unseen:
            orphan.note(Note(Reason.ASKED_UNSEEN))
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
        cursor = ledger.daemon.cursor
        if (length := self.last_word) is not None and cursor.end == cursor.pos + length:
            self._conclude_copy(cursor, length)
        end = cursor.received
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
        ledger.failed(failed, failed.error[0], end, again=self._is_again(cursor.release()))
        if failed is ledger.orphan:
            ledger.stray_ended(failed, end)

    def _conclude_copy(self, cursor: Cursor, length: int) -> None:
        """Decide on the last word: to a client that asked the same and left, it was the answer."""
        ledger = self.ledger
        failed, asked = ledger.last_error, ledger.pending[0]
        start = cursor.offset
        cursor.pos += length
        self.last_word = None
        if ledger.first_left == CLIENT and failed is not None and failed.code == asked.code:
            asked.answered, asked.daemon_start = ledger.now, start
            ledger.failed(asked, start, cursor.offset)
            return
        orphan = ledger.strayed(start)
        ledger.failed(orphan, start, cursor.offset, again=True)
        ledger.stray_ended(orphan, cursor.offset)


def _text_behind(frame: bytes, at: int) -> bytes:
    """Return the string that stands at a place of a whole frame."""
    (length,) = u64_at(frame, at)
    return frame[at + 8 : at + 8 + length]
