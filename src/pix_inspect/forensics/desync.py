"""Desynchronised streams: what the first impossible word is, and which mistake explains it.

Looked at are the word itself (as an operation, a STDERR frame, a length, text, a time) and the
few exchanges before it: where their messages should end by declaration, and where their
speaker stopped.
"""

from __future__ import annotations

import re
from dataclasses import replace

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, Protocol
from pix.codec.payload import FRAMES
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Reason
from pix_inspect.base.safe_text import inert
from pix_inspect.forensics.endings import broken_off, given_up, unanswered
from pix_inspect.forensics.hellos import other_hello
from pix_inspect.forensics.line_ends import line_ends
from pix_inspect.forensics.log_frames import broken_frame
from pix_inspect.forensics.messages import fits, is_likely, nodes_of
from pix_inspect.forensics.mistakes import Diagnosis, Mistake, Proviso
from pix_inspect.forensics.order import early_answers
from pix_inspect.forensics.rules import (
    RULES,
    Case,
    Rule,
    bare_payload,
    broken_payload,
    broken_reply,
    broken_request,
    is_only_success,
    operation_of,
    other_error,
    reliable,
    reply_of,
    request_of,
    title_of,
    unframed,
    word_line,
)
from pix_inspect.forensics.strangers import SEARCHED, SWAPPED, Stranger, is_swapped, stranger
from pix_inspect.forensics.terminals import echo, sent_archive, sent_padding, swallowed
from pix_inspect.forensics.turns import Turns
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Row, Session

OLDEST = Protocol(OLDEST_MINOR)
READS_ON = "Nix 2.0 to 2.6 take the first word behind a 1.10 handshake for a part of it"
LOOK_BACK = 200
"""Exchanges among which those of the same connection are looked for."""
SUSPECTS = 5
"""Operations before the impossible word that are looked at."""
READ_BEFORE = 3
"""Exchanges before those, from which on is read what passed."""
HEAD = 64
"""Bytes from the impossible word on."""
HELLO = 4096
"""Bytes of either stream in which the handshake stands."""
UNSEEN = frozenset((Reason.NOT_RECORDED, Reason.ASKED_UNSEEN, Reason.TOO_FAR_AHEAD))
NO_ARCHIVE, NO_PADDING = "look like a Nix archive", "non-zero padding"
"""What Nix says of a NAR that does not begin as one, and of padding. Source: Nix archive.cc,
serialise.cc."""
_WIDE_NUMBER = re.compile(r"\b\d{10,20}\b")
FRAMES_WALKED = 1_000_000
PAYLOAD_SEARCHED = 1 << 20


class Forensics:
    """Looks into the streams of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._early: dict[int, tuple[int, int, Diagnosis | None]] = {}
        """By connection: when something passed last, the exchange that was asked of, the answer."""

    def diagnose(self, view: ExchangeView, side: int) -> Diagnosis:
        """Return what the first impossible word of an opaque exchange is, and what explains it."""
        if self._is_blind(view.row):
            return Diagnosis()
        holder, suspects = view, self._suspects(view.row)
        if suspects and suspects[0].row.operation is None and side == CLIENT:
            holder = suspects.pop(0)
        offset = max(holder.row.starts[side], 0)
        position = self._position((suspects[-1] if suspects else holder).row)
        turns = Turns(self.session.reader, view.row.connection, position, side, offset)
        reason = view.place.notes[0].reason if view.place.notes else None
        protocol = view.place.protocol or Protocol(NEWEST_MINOR)
        head = turns.read(side, offset, offset + HEAD)
        head = head or holder.kept[side].first(offset, offset + HEAD)
        case = Case(
            side,
            offset,
            reason,
            protocol,
            reliable(suspects, turns, begins := self._begins(view.row)),
            turns,
            head,
            timed=not self.session.made.timeless,
            begins=begins,
        )
        found = None
        if len(suspects) < SUSPECTS:
            found = self.hello(view.row, side) or self.hello(view.row, 1 - side)
        in_log = (broken_frame,) if side == DAEMON else ()
        found = found or _first(case, line_ends, *RULES[side], *in_log)
        return replace(found or Diagnosis(), word=word_line(case))

    def hello(self, row: Row, side: int) -> Diagnosis | None:
        """Return what is wrong with a side's part of the handshake of an exchange's connection."""
        first = self.session.connections[row.connection].handshake
        if first is None:
            return None
        view = self.session.exchange(first)
        if any(
            data is None
            for each in (CLIENT, DAEMON)
            for _, data in view.bytes(each, *view.span(each))
        ):
            return None
        position = view.row.position
        turns = Turns(self.session.reader, row.connection, position, side, HEAD)
        said = turns.read(CLIENT, 0, HELLO), turns.read(DAEMON, 0, HELLO)
        return other_hello(said, side)

    def early_answers(self, row: Row) -> tuple[int, Diagnosis] | None:
        """Return that what the daemon says unasked is asked later on the connection, and the
        number of the exchange of which that was found first.
        """
        connection = self.session.connections[row.connection]
        if connection.handshake is None:
            return None
        last, number, found = self._early.get(row.connection, (-1, 0, None))
        if last != connection.last:
            number, position = row.number, self.session.row(connection.handshake).position
            found = early_answers(self.session.reader, row.connection, position)
            self._early[row.connection] = (connection.last, number, found)
        return None if found is None else (number, found)

    def _suspects(self, row: Row) -> list[ExchangeView]:
        """The operations before on the same connection, the newest first."""
        found = []
        for i in range(row.number - 2, max(row.number - 2 - LOOK_BACK, -1), -1):
            other = self.session.row(i)
            if other.connection == row.connection and other.kind == "operation":
                found.append(self.session.exchange(i))
                if len(found) == SUSPECTS:
                    break
        return found

    def _is_blind(self, row: Row) -> bool:
        """Whether bytes were not recorded where structure was needed, up to an exchange.

        What was asked or answered in them is not known, so that nothing behind is evidence.
        """
        for i in range(row.number - 1, max(row.number - 2 - LOOK_BACK, -1), -1):
            if self.session.row(i).connection == row.connection:
                for note in self.session.remarks(i):
                    reasons = {note.reason, note.cause.reason if note.cause else None}
                    if not reasons.isdisjoint(UNSEEN):
                        return True
        return False

    def _begins(self, row: Row) -> int:
        """Where the first request of an exchange's connection may begin."""
        handshake = self.session.connections[row.connection].handshake
        return self.session.exchange(handshake).span(CLIENT)[1] if handshake is not None else 0

    def _position(self, oldest: Row) -> int:
        """Where to read from so that the turn is known in which an exchange begins.

        The first turn that is read may have begun earlier, and several requests stand in one.
        """
        position, before = oldest.position, 0
        for i in range(oldest.number - 2, max(oldest.number - 2 - LOOK_BACK, -1), -1):
            other = self.session.row(i)
            if other.connection == oldest.connection:
                position, before = other.position, before + 1
                if before == READ_BEFORE:
                    break
        return position

    def answered_early(self, row: Row) -> Diagnosis | None:
        """Return why a request was answered, or given up, before its end."""
        if self._is_blind(row):
            return None
        rules = (line_ends, bare_payload, broken_request, unframed, broken_payload)
        return _first(self._case(row), *rules)

    def left_unanswered(self, row: Row) -> bool:
        """Whether the client had closed before the first word of its answer."""
        exchange = self.session.exchange(row.number - 1).exchange
        closed = self._case(row).turns.closed.get(CLIENT)
        said = exchange.answered if exchange is not None else None
        return closed is not None and said is not None and closed <= said

    def line_ends(self, row: Row) -> Diagnosis | None:
        """Return whether line ends were changed on the way, in either direction."""
        return None if self._is_blind(row) else line_ends(self._case(row))

    def odd_operation(self, row: Row) -> Diagnosis | None:
        """Return why an operation is none: it may be the end of the request before."""
        suspects = self._suspects(row)[:1]
        if self._is_blind(row):
            return None
        if not suspects:
            return self.hello(row, CLIENT)
        return _first(self._case(row, suspects), broken_request)

    def odd_reply(self, row: Row) -> Diagnosis | None:
        """Return why a reply that was read to its end is none, as far as its speaker went on."""
        if self._is_blind(row):
            return None
        suspects = [self.session.exchange(row.number - 1), *self._suspects(row)]
        return _first(self._case(row, suspects), broken_request, broken_reply)

    def ends_whole(self, row: Row, side: int) -> bool:
        """Whether what a side said in an exchange ends where its declaration does."""
        case = self._case(row)
        says = request_of if side == CLIENT else reply_of
        message = says(case.suspects[0], case) if case.suspects else None
        return message is not None and message.is_whole

    def _case(self, row: Row, suspects: list[ExchangeView] | None = None) -> Case:
        """The case of an exchange, or of those before it, with nothing impossible in it."""
        view = self.session.exchange(row.number - 1)
        suspects = [view] if suspects is None else suspects
        end = view.span(CLIENT)[1]
        position = self._position(suspects[-1].row)
        turns = Turns(self.session.reader, row.connection, position, CLIENT, end)
        protocol = view.place.protocol or Protocol(NEWEST_MINOR)
        begins = self._begins(view.row)
        suspects = reliable(suspects, turns, begins)
        timed = not self.session.made.timeless
        return Case(CLIENT, end, None, protocol, suspects, turns, timed=timed, begins=begins)

    def foreign(self, view: ExchangeView, side: int) -> Stranger | None:
        """Return who speaks where the magic should be."""
        said = view.kept[side].first(0, SEARCHED)
        handshake = self.session.connections[view.row.connection].handshake
        if handshake is not None:
            other = self.session.exchange(handshake).kept[1 - side].first(0, HELLO)
            if is_swapped(said, other, side):
                return Stranger("", SWAPPED)
            if side == DAEMON and (repeated := echo(other, said)):
                return Stranger("", repeated.where, repeated)
        return stranger(said, side)

    def complaint(self, view: ExchangeView, text: str) -> Diagnosis | None:
        """Return what explains an error of the daemon that what was sent does not bear out."""
        if self._is_blind(view.row):
            return None
        if NO_ARCHIVE in text:
            return sent_archive(view)
        if NO_PADDING in text:
            return sent_padding(view)
        found = (swallowed(view, int(number)) for number in _WIDE_NUMBER.findall(text))
        return next(filter(None, found), None)

    def left(self, row: Row, by: int | None) -> Diagnosis | None:
        """Return why `by` may have left first, in the middle of the operation `row`."""
        found = self._left(row, by)
        if by is None or self._is_blind(row):
            return found
        case = self._case(row)
        view, timed = self.session.exchange(row.number - 1), not self.session.made.timeless
        for side, says in ((CLIENT, request_of), (DAEMON, reply_of)):
            message = says(view, case)
            if message is not None and (
                said := broken_off(message, side, by, case.turns, timed=timed)
            ):
                found = found or Diagnosis()
                return replace(found, evidence=(*found.evidence, said))
        exchange = view.exchange
        if found is None and exchange is not None and exchange.daemon_start is None:
            whole = exchange.request_done is not None
            said = unanswered(by, case.turns, is_whole=whole) if timed else ""
            evidence = tuple(filter(None, (given_up(view, case.turns), said)))
            return Diagnosis(evidence=evidence) if evidence else None
        return found

    def _left(self, row: Row, by: int | None) -> Diagnosis | None:
        view = self.session.exchange(row.number - 1)
        exchange = view.exchange
        if exchange is None or exchange.operation is None or view.protocol is None:
            return None
        if self._is_blind(row):
            return None
        case = self._case(row)
        if changed := line_ends(case):
            return changed
        if exchange.error is not None:
            return _first(case, other_error)
        if exchange.request_done is None:
            return (
                _first(case, bare_payload)
                or _on_condition(_first(case, broken_request))
                or _first(case, unframed, broken_payload)
                or _unended(view)
            )
        explained = _first(case, bare_payload, broken_request, unframed)
        if explained is not None and (explained.certain or by != DAEMON):
            return explained
        if by == DAEMON:
            return _on_condition(_first(case, broken_reply), Proviso.CRASHED)
        if exchange.reply is not None:
            return _on_condition(_first(case, broken_reply))
        if exchange.daemon_start is not None or not view.protocol.family.has_log:
            return None
        suspects = self._suspects(row)
        if not suspects or suspects[0].row.state != "ok":
            return None
        before = suspects[0]
        operation = operation_of(before)
        if operation is None or not is_only_success(operation.reply):
            return None
        asked = request_of(view, self._case(row, [view, before]))
        if asked is None or not (asked.stops and fits(asked) and is_likely(asked.decoded())):
            return None  # it did not wait, was still speaking, or is refused for what it said
        return Diagnosis(Mistake.UNREAD_ONE, title_of(before), Proviso.LEFT)

    def met(self, view: ExchangeView, number: int) -> Diagnosis | None:
        """Return what the daemon took for operation `number`, which it says is invalid."""
        if number >= 1 << 64 or self._is_blind(view.row):
            return None
        if lost := swallowed(view, number):
            return lost
        if view.protocol == OLDEST:
            found = _unread_field(view, number)
            return None if found is None else Diagnosis(None, evidence=(found.where, READS_ON))
        before = self._suspects(view.row)
        if changed := self.line_ends(view.row):
            return changed
        for suspect in [*before[:1], view, *before[1:]]:
            found = _unread_field(suspect, number) or _unread_payload(suspect, number)
            if found is not None:
                return found
        return None


def _unread_field(view: ExchangeView, number: int) -> Diagnosis | None:
    """The last field of a request that begins with this number; for 0, only the very last."""
    part = view.part("request")
    if part is None or part.node is None:
        return None
    found = None
    for node, path in nodes_of(part.node, "request"):
        data = view.kept[CLIENT].first(node.start, node.start + 8)
        is_last = node.end == part.node.end == view.span(CLIENT)[1]
        if data == number.to_bytes(8, "little") and (number or is_last):
            found = node, path
    if found is None:
        return None
    node, path = found
    is_text = node.children is None and isinstance(node.value, str)
    what = inert(f"the length of {path}" if is_text else path)
    at = f"{number} stands at the client's byte {node.start:,}"
    return Diagnosis(Mistake.UNREAD_FIELD, f"{at}, as {what} of {title_of(view)}")


def _unread_payload(view: ExchangeView, number: int) -> Diagnosis | None:
    """Where a payload holds the number, as the length of a token or of a frame does."""
    exchange = view.exchange
    start = exchange.payload_start if exchange is not None else None
    if start is None or not number:
        return None
    data = view.kept[CLIENT].first(start, min(start + PAYLOAD_SEARCHED, view.span(CLIENT)[1]))
    at = data.find(number.to_bytes(8, "little"))
    while at > 0 and at & 7:
        at = data.find(number.to_bytes(8, "little"), at + 1)
    if at < 0:
        return None
    where = f"{number} stands at the client's byte {start + at:,}, in the payload of"
    return Diagnosis(Mistake.UNREAD_PAYLOAD, f"{where} {title_of(view)}")


def _first(case: Case, *rules: Rule) -> Diagnosis | None:
    """Return what the first rule finds that finds anything."""
    return next(filter(None, (rule(case) for rule in rules)), None)


def _on_condition(found: Diagnosis | None, proviso: Proviso = Proviso.LEFT) -> Diagnosis | None:
    """Say of what looks cut short that it may be on purpose; another version's layout is none."""
    if found is None or (found.mistake is Mistake.OTHER_VERSION and proviso is Proviso.LEFT):
        return found  # it has its own proviso
    return replace(found, proviso=proviso)


def _unended(view: ExchangeView) -> Diagnosis | None:
    """Whether a payload in frames stops behind a whole frame that is not the empty one."""
    exchange = view.exchange
    if exchange is None or exchange.payload_start is None or exchange.operation is None:
        return None
    payload = exchange.operation.request.payload
    if payload is None or view.protocol is None or payload.carriage(view.protocol) is not FRAMES:
        return None
    at, end = exchange.payload_start, view.span(CLIENT)[1]
    for _ in range(FRAMES_WALKED):
        if at == end:
            frames = "behind a whole frame" if end > exchange.payload_start else "before any frame"
            where = f"{title_of(view)} stops {frames}, at the client's byte {end:,}"
            return Diagnosis(Mistake.UNENDED_FRAMES, where, Proviso.KILLED)
        head = view.kept[CLIENT].first(at, at + 8)
        if len(head) < 8:
            break
        length = int.from_bytes(head, "little")
        at += 8 + length
        if not length or at > end:
            break
    return None
