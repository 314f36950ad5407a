"""The client's stream behind the handshake: one operation after the other.

A request ends by itself (counts, frames, the NAR grammar), but for payload that the daemon
pulls: there each STDERR_READ is answered by one string, and what comes behind the last
answer is the next operation. Source: Nix `remote-store.cc`.
"""

from __future__ import annotations

from collections.abc import Generator

from pix.codec.cursor import Cursor, Scan, leap, scan, u64_at
from pix.codec.errors import DecodeError, WildLength
from pix.codec.payload import PULLED
from pix.codec.words import foreign
from pix.conversation.exchange import CLIENT, Exchange
from pix.conversation.notes import Misfit, Note, Reason
from pix.conversation.open_exchanges import Ledger
from pix.protocol.logging import STDERR_READ


class ClientSide:
    """The scanner of requests. `lockstep` holds each back until the one before is answered."""

    def __init__(self, ledger: Ledger, lockstep: bool) -> None:
        self.ledger = ledger
        self.lockstep = lockstep

    def scan(self) -> Scan:
        """Scan requests for ever. Raises DecodeError for what is none."""
        ledger = self.ledger
        lane = ledger.client
        cursor = lane.cursor
        protocol = ledger.in_force()
        family = protocol.family
        most = cursor.limits.pending
        while True:
            if self.lockstep and ledger.pending:
                yield from lane.wait(lambda: not ledger.pending or ledger.daemon.silent)
            while cursor.end - cursor.pos < 8:
                yield
            start = cursor.base + cursor.pos
            if len(ledger.pending) >= most:
                raise DecodeError(start, f"at most {most} operations without answer", "one more")
            (number,) = u64_at(cursor.buf, cursor.pos)
            cursor.pos += 8
            exchange = ledger.asked(start, family.code(number))
            operation = exchange.operation
            if operation is None:
                exchange.note(Note(Reason.UNKNOWN_OPERATION, start, CLIENT, found=foreign(number)))
                raise DecodeError(start + 8, "a known operation before this", foreign(number))
            program = operation.request.program(protocol)
            if program and not leap(cursor, program):
                yield from scan(cursor, program)
            payload = operation.request.payload
            is_told = True
            if payload is not None:
                exchange.payload_start = cursor.offset
                exchange.payload_side = CLIENT
                carriage = payload.carriage(protocol)
                if carriage is PULLED:
                    is_told = yield from self._pulled(exchange, cursor)
                elif carriage is not None and not (yield from carriage.scan(cursor)):
                    raise DecodeError(cursor.offset, "a NAR token", "a STDERR_ERROR word")
            while cursor.pos > cursor.end:
                yield
            ledger.requested(exchange, cursor.offset)
            if not is_told:
                start = cursor.offset
                _length_of_answer((yield from cursor.word()), start, cursor)
                raise _reads_unseen(start)

    def _pulled(self, exchange: Exchange, cursor: Cursor) -> Generator[None, None, bool]:
        """The strings that answer STDERR_READ, until the daemon says it is done.

        False where its stream ends before.
        """
        ledger = self.ledger
        lane = ledger.client

        def settled() -> bool:
            return (
                exchange.reads > exchange.answers
                or exchange.settled
                or exchange.reply is not None
                or ledger.daemon.silent
            )

        looked = 0
        while True:
            yield from cursor.arrived()
            yield from lane.wait(settled)
            if exchange.answers >= exchange.reads:
                is_told = exchange.settled or exchange.reply is not None
                if is_told or ledger.daemon.opaque is None:
                    return is_told
                while cursor.end == cursor.pos:
                    yield
                raise _reads_unseen(cursor.offset)
            start = cursor.offset
            length = _length_of_answer((yield from cursor.word()), start, cursor)
            cursor.payload(length)
            cursor.pos += -length & 7
            yield from cursor.arrived()
            exchange.answers += 1
            ledger.changed = True
            log = exchange.log or ()
            while looked < len(log):
                frame = log[looked]
                looked += 1
                if frame.frame.code == STDERR_READ:
                    frame.answer = (start, cursor.offset)
                    break


def _length_of_answer(length: int, start: int, cursor: Cursor) -> int:
    """Return the length of an answer. Raises WildLength for what is none."""
    if length > cursor.limits.string:
        raise WildLength(start, "an answer to STDERR_READ", f"length {length:#x}")
    return length


def _reads_unseen(offset: int) -> Misfit:
    found = "bytes to a daemon that is not understood, or has left"
    return Misfit(Reason.READS_UNSEEN, offset, "answers to STDERR_READ", found)
