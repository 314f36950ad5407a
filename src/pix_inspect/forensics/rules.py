"""The rules of forensics: each looks at one case and names the mistake that explains it, or not.

A case is the impossible word, the operations before it, and the turns that passed around it.
What a message should be is asked of the declarations, of this version and of all others.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from dataclasses import replace

from pix.codec.declare import OPERATIONS, STDERR_FRAMES, Frame, Operation, wire_of
from pix.codec.gates import FAMILIES, NEWEST, Protocol, version_text
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, Carriage, Payload
from pix.codec.records import Record
from pix.codec.values import Tree, tree
from pix.codec.wire import Wire, pack_string, pack_u64
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.conversation.notes import Reason
from pix.dataclass import dataclass
from pix.protocol import operations_of
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix.protocol.operations import Done
from pix.protocol.payload_items import ContentReader
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count
from pix_inspect.forensics.fields import gate_text
from pix_inspect.forensics.messages import (
    Answers,
    Message,
    Requests,
    fits,
    gated,
    is_gone,
    is_likely,
    is_regular,
    other_minor,
)
from pix_inspect.forensics.mistakes import Diagnosis, Mistake, Proviso
from pix_inspect.forensics.repairs import (
    LONGEST_LENGTH,
    Repair,
    explained,
    is_in_string,
    is_text,
    is_text_byte,
    is_turned_round,
    narrow_throughout,
)
from pix_inspect.forensics.turns import BEHIND, Turn, Turns
from pix_inspect.session.exchange_view import ExchangeView

LONGEST_TEXT = 400
SHORTEST_TEXT = 9
"""Bytes that are text rather than a number that looks like it."""
ONE, LAST = pack_u64(1), pack_u64(STDERR_LAST)
NAR_BEGINS = pack_string(b"nix-archive-1") + pack_string(b"(")
ERROR_TYPE = pack_string(b"Error")
"""What an error begins with from 1.26 on."""
MOST_FIELDS = 4
"""Fields of another version that are named."""
MOST_ENDS = 4
"""Places of STDERR_LAST up to which a reply may go on."""


@dataclass(slots=True)
class Case:
    """One case: the impossible word, what came before it, and what passed around it."""

    side: int
    offset: int
    reason: Reason | None
    protocol: Protocol
    suspects: list[ExchangeView]
    turns: Turns
    head: bytes = b""
    """The bytes from the offset on; a turn keeps its first ones only."""
    timed: bool = True
    """Whether who spoke when is known."""
    begins: int = 0
    """Where the first request may begin."""

    @property
    def word(self) -> int | None:
        """The eight bytes at the offset as a number."""
        return int.from_bytes(self.head[:8], "little") if len(self.head) >= 8 else None

    @property
    def operations(self) -> dict[int, Operation]:
        """The operations of the protocol that is spoken, by their numbers on the wire."""
        return operations_of(self.protocol.family)

    @property
    def frames(self) -> dict[int, Frame]:
        """Its STDERR frames, by their codes."""
        return STDERR_FRAMES if self.protocol.family.has_log else {}

    @property
    def turn(self) -> Turn | None:
        """The turn that the offset stands in."""
        return self.turns.at(self.side, self.offset)


# The word -----------------------------------------------------------------------------------


def word_line(case: Case) -> str:
    """Return a line that says all that the word could be."""
    word = case.word
    if word is None:
        return ""
    raw = word.to_bytes(8, "little")
    swapped = int.from_bytes(raw, "big")
    said = []
    family = case.protocol.family
    operation, frame = case.operations.get(word), case.frames.get(word)
    said.append(f"operation {operation.name}" if operation else "no operation")
    if family.has_log:
        said.append(f"frame {frame.name}" if frame else "no STDERR frame")
    if word <= LONGEST_LENGTH:
        said.append(f"a length of {count(word, 'byte')}")
    else:
        said.append("no length to believe")
    text = raw.rstrip(b"\0")
    if len(text) > 1 and all(32 <= byte < 127 for byte in text):
        said.append(f"the text {text.decode('ascii')!r}")
    if 1_000_000_000 < word < 5_000_000_000 and frame is None:
        said.append(f"the time {clock.strftime('%Y-%m-%d %H:%M:%S', clock.gmtime(word))} UTC")
    if family.oldest <= word - (family.major << 8) <= family.newest:
        said.append(f"the version {version_text(word)}")
    if word < 2:
        said.append("the boolean " + ("false", "true")[word])
    if word >> 32 and (swapped in case.operations or swapped in case.frames):
        said.append(f"{swapped:#x} with its bytes turned round")
    return f"{word:#x} at the {SIDES[case.side]}'s byte {case.offset:,} would be: {', '.join(said)}"


# What explains it ---------------------------------------------------------------------------


def broken_reply(case: Case) -> Diagnosis | None:
    """The oldest reply that is not what was said until the client spoke again."""
    for view in reversed(case.suspects):
        message = reply_of(view, case)
        found = _broken(message, f"the reply to {title_of(view)}")
        if found is not None:
            if message is not None and not message.data and is_only_success(message.wire):
                return Diagnosis(Mistake.MISSING_ONE, title_of(view))
            return found
    return None


def broken_request(case: Case) -> Diagnosis | None:
    """The oldest request that is not what was said until the daemon answered."""
    views = reversed(case.suspects)
    found = (_broken(request_of(view, case), title_of(view)) for view in views)
    return next(filter(None, found), None)


def _broken(message: Message | None, title: str) -> Diagnosis | None:
    """Return what is wrong with a message."""
    repair = explained(message) if message is not None else None
    if repair is None or message is None:
        return None
    found = _named(repair, message, title)
    return replace(found, proviso=Proviso.LEFT) if message.may_be_cut else found


def _named(repair: Repair, message: Message, title: str) -> Diagnosis:
    if repair.minor is not None:
        return other_version(title, message.protocol, repair.minor, message.wire)
    if repair.feature is not None:
        lacks = "not " if repair.feature in message.protocol.features else ""
        where = f"{title} has {lacks}the layout of {repair.feature}"
        return Diagnosis(repair.mistake, where)
    where = f"{title}: {repair.where}" if repair.where else title
    head, last = message.data[:-8], message.data[-8:]
    if repair.mistake is Mistake.LONG_REPLY and last == ONE and fits(message, head):
        return Diagnosis(Mistake.EXTRA_ONE, where)
    return Diagnosis(repair.mistake, where)


def second_hello(case: Case) -> Diagnosis | None:
    """The magic number, where a request or an answer begins."""
    if case.word in {family.magics[case.side] for family in FAMILIES}:
        where = f"the {SIDES[case.side]}'s magic number stands again at byte {case.offset:,}"
        return Diagnosis(Mistake.DOUBLED_HELLO, where)
    return None


def other_protocol(case: Case) -> Diagnosis | None:
    """A side that goes on in the worker protocol where the serve protocol was agreed on."""
    if case.protocol.family.has_log:
        return None
    if case.side == CLIENT:
        word = case.word
        meant = OPERATIONS.get(word) if word is not None else None
        if meant is None or case.turn is None or not case.turn.whole:
            return None
        if case.offset > max(case.turn.start, case.begins):
            return None
        rest = bytes(case.turn.data[case.offset - case.turn.start :])
        if _is_request(rest, NEWEST) is None:
            return None
        where = f"{word} at the client's byte {case.offset:,} is {meant.name} of that"
        return Diagnosis(Mistake.OTHER_PROTOCOL, where)
    for view in case.suspects[:1]:
        exchange = view.exchange
        start = exchange.daemon_start if exchange is not None else None
        start = case.offset if start is None else start
        turn = case.turns.at(DAEMON, start)
        begin = case.turns.read(DAEMON, start, start + 8)
        frame = STDERR_FRAMES.get(int.from_bytes(begin, "little"))
        if frame is not None and turn is not None and turn.start == start:
            where = f"the answer to {title_of(view)} begins with {frame.name}"
            return Diagnosis(Mistake.OTHER_PROTOCOL, where)
    return None


def framed(case: Case) -> Diagnosis | None:
    """A NAR in frames where it stands bare."""
    for view in reversed(case.suspects):
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or exchange.payload_start is None:
            continue
        if _carriage(operation.request, case.protocol) is not RAW_NAR:
            continue
        begun = exchange.payload_start
        data = case.turns.read(CLIENT, begun, begun + 8 + len(NAR_BEGINS))
        length = int.from_bytes(data[:8], "little")
        if data[8:] == NAR_BEGINS and length >= len(NAR_BEGINS):
            where = f"{title_of(view)}: a frame of {length:,} bytes at the client's byte {begun:,}"
            return Diagnosis(Mistake.FRAMED_NAR, where)
    return None


def run_on_reply(case: Case) -> Diagnosis | None:
    """The reply that ended at the impossible word, gone on with up to the next STDERR_LAST.

    Whose turn it was is asked where times are true.
    """
    if not case.protocol.family.has_log:
        return None
    if case.timed and case.turn is not case.turns.at(DAEMON, case.offset - 1):
        return None
    for view in case.suspects[:2]:
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or exchange.reply is None:
            continue
        if exchange.daemon_end != case.offset or view.protocol is None:
            continue
        start = exchange.reply[0]
        data = case.turns.read(DAEMON, start, case.offset + BEHIND)
        at = case.offset - start
        for _ in range(MOST_ENDS):
            at = data.find(pack_u64(STDERR_LAST), at + 1)
            if at < 0:
                break
            payload = operation.reply.payload
            own = Message(operation.reply, data[:at], view.protocol, start, "reply", payload)
            minor = other_minor(own)
            if minor is not None:
                title = f"the reply to {title_of(view)}"
                return other_version(title, view.protocol, minor, operation.reply)
    return None


def other_error(case: Case) -> Diagnosis | None:
    """An error frame in the layout of another version."""
    for view in case.suspects[:2]:
        exchange = view.exchange
        if exchange is None or exchange.error is None:
            continue
        start = exchange.error[0] + 8
        turn = _turn_of_end(case.turns, DAEMON, start)
        if turn is None or not turn.whole:
            continue
        own = bytes(turn.data[start - turn.start :])
        fields = STDERR_FRAMES[STDERR_ERROR].fields
        is_last = case.turns.is_last_of(turn)
        message = Message(fields, own, case.protocol, start, is_last=is_last)
        minor = other_minor(message)
        if minor is not None:
            found = other_version(f"the error of {title_of(view)}", case.protocol, minor, fields)
            is_cut = message.may_be_cut and own.startswith(ERROR_TYPE)
            return replace(found, proviso=Proviso.LEFT) if is_cut else found
    return None


def _no_last(case: Case) -> Diagnosis | None:
    """The answer begins with its reply, or the reply follows its log."""
    turn = case.turn
    if turn is None or case.reason is not Reason.NO_FRAME:
        return None
    for view in case.suspects[:1]:
        operation, exchange = operation_of(view), view.exchange
        begun = exchange.daemon_start if exchange is not None else None
        begun = case.offset if begun is None else begun
        if begun < case.offset and case.turns.is_last_of(turn):
            return None  # a frame may as well go on
        before = [each for other in case.suspects[1:] if (each := other.exchange) is not None]
        answers = sum(each.reply is not None for each in before)
        first = min((each.daemon_start or 0 for each in before), default=begun)
        if case.turns.read(DAEMON, first, case.offset).count(LAST) > answers:
            return None  # it was taken for a part of a frame that lacks one
        if operation is not None and turn.whole and operation.reply.payload is None:
            own = bytes(turn.data[case.offset - turn.start :])
            if own and fits(Message(operation.reply, own, case.protocol)):
                return Diagnosis(Mistake.MISSING_LAST, f"the answer to {title_of(view)}")
    return None


def _narrow_length(case: Case) -> Diagnosis | None:
    """A length of four bytes, and the text itself where its upper half should be."""
    data = case.head
    if len(data) < 12:
        return None
    length = int.from_bytes(data[:4], "little")
    if 4 <= length <= LONGEST_LENGTH and is_text(data[4 : 4 + min(length, 32)]):
        shown = inert(data[4 : 4 + min(length, 32)].decode("ascii", "replace"))
        return Diagnosis(Mistake.NARROW_LENGTH, f"{length} stands before '{shown}'")
    return None


def _odd_code(case: Case) -> Diagnosis | None:
    """An operation or a STDERR frame in four bytes, or with its bytes turned round."""
    word, turn = case.word, case.turn
    if not word or turn is None or turn.start != case.offset:
        return None
    known: Mapping[int, object] = case.operations if case.side == CLIENT else case.frames
    raw = word.to_bytes(8, "little")
    swapped, low = int.from_bytes(raw, "big"), word & 0xFFFFFFFF
    if is_turned_round(raw) and swapped in known:
        return Diagnosis(Mistake.BIG_ENDIAN, f"{word:#x} is {swapped:#x}")
    if low in known and word >> 32 and turn.whole:
        where = f"{low:#x} at the {SIDES[case.side]}'s byte {case.offset:,}"
        rest = bytes(turn.data[4:])
        if case.side == DAEMON:
            is_meant = _is_answer(case, low, rest)
        else:
            meant = _is_request(pack_u64(low) + rest, case.protocol, narrow=True)
            is_meant = meant is not None
        return Diagnosis(Mistake.NARROW_NUMBER, where) if is_meant else None
    return None


def broken_payload(case: Case) -> Diagnosis | None:
    """A payload that is still going on when its sender begins another operation."""
    for view in reversed(case.suspects):
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or exchange.payload_start is None:
            continue
        if exchange.request_done is not None or not has_likely_fields(view):
            continue
        carriage = _carriage(operation.request, case.protocol)
        if carriage is not RAW_NAR and carriage is not FRAMES:
            continue
        begun, is_over = exchange.payload_start, case.reason is not None
        if not _begins_well(case.turns.read(CLIENT, begun, begun + 64), carriage):
            continue
        for at, rest in case.turns.beginnings(CLIENT, begun, over=is_over):
            following = _is_request(rest, case.protocol)
            if following is None:
                continue
            where = (
                f"{title_of(view)} sends {at - begun:,} bytes of it, at the client's byte {at:,}"
                f" begins {following.name}"
            )
            if carriage is RAW_NAR:
                return Diagnosis(Mistake.HALF_NAR, where)
            whole = is_whole_frames(case.turns.read(CLIENT, begun, at))
            return Diagnosis(Mistake.UNENDED_FRAMES if whole else Mistake.HALF_FRAME, where)
    return None


def _begins_well(data: bytes, carriage: Carriage) -> bool:
    """Whether a payload begins as one does: with a NAR, a text, or a count and a path."""
    content = data if carriage is RAW_NAR else data[8:]
    is_nar = content[: len(NAR_BEGINS)] == NAR_BEGINS[: len(content)]
    is_other = is_text(content[:8]) or content[16:17] == b"/"
    return is_nar or (is_other and carriage is FRAMES)


def bare_payload(case: Case) -> Diagnosis | None:
    """A payload as it is, where frames are due."""
    return _unframed(case, _bare)


def unframed(case: Case) -> Diagnosis | None:
    """A payload that is padded, or one padded string, where frames are due."""
    return _unframed(case, _padded_payload)


def _unframed(case: Case, look: _LookAtPayload) -> Diagnosis | None:
    for view in reversed(case.suspects):
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or exchange.payload_start is None:
            continue
        payload = operation.request.payload
        if payload is None or payload.carriage(case.protocol) is not FRAMES:
            continue
        if not has_likely_fields(view):
            continue
        begun = exchange.payload_start
        turn = case.turns.at(CLIENT, begun)
        said = bytes(turn.data[begun - turn.start :]) if turn is not None else b""
        found = look(payload, said, turn is not None and turn.whole, case.protocol)
        if found is not None:
            mistake, what = found
            where = f"{title_of(view)}: {what} at the client's byte {begun + 8:,}"
            is_last = turn is None or turn is case.turns.all[-1]
            is_sure = mistake is not Mistake.STRING_FOR_FRAMES or not is_last
            return Diagnosis(mistake, where, None if is_sure else Proviso.KILLED)
    return None


_LookAtPayload = Callable[[Payload, bytes, bool, Protocol], "tuple[Mistake, str] | None"]
"""From a payload, what was said of it, and whether that is all of a turn, to what it is."""


def _bare(
    payload: Payload, said: bytes, is_whole: bool, protocol: Protocol
) -> tuple[Mistake, str] | None:
    """A payload with nothing around it."""
    if said.startswith(NAR_BEGINS):
        return Mistake.BARE_NAR, "nix-archive-1"
    if payload.content == "paths" and said and is_whole:
        reader = ContentReader("paths", protocol)
        reader.feed(said)
        if reader.complete and reader.items:
            return Mistake.BARE_NAR, f"{count(len(reader.items), 'path')} with their NARs"
    return None


def _padded_payload(
    _: Payload, said: bytes, is_whole: bool, protocol: Protocol
) -> tuple[Mistake, str] | None:
    """Frames with padding up to the empty one, or one string and no more."""
    if not is_whole:
        return None
    at, frames, is_padded, content = 0, 0, False, b""
    while at + 8 <= len(said):
        length = int.from_bytes(said[at : at + 8], "little")
        if not length:
            rest = tree(Requests(), said[at + 8 :], protocol)
            is_meant = is_padded and _begins_well(bytes(8) + content, FRAMES)
            if is_meant and is_regular(rest) and is_likely(rest):
                return Mistake.PADDED_FRAMES, f"{count(frames, 'frame')}"
            return None
        end = at + 8 + length + (-length & 7)
        if end > len(said) or any(said[at + 8 + length : end]):
            return None
        frames += 1
        content += said[at + 8 : at + 8 + min(length, len(NAR_BEGINS) - len(content))]
        is_padded = is_padded or bool(length & 7)
        at = end
    if frames == 1 and is_padded and at == len(said):
        return Mistake.STRING_FOR_FRAMES, f"{length:,} bytes"
    return None


def reliable(suspects: list[ExchangeView], turns: Turns, first: int) -> list[ExchangeView]:
    """Return the suspects, newest first, without what a stream out of step is taken for.

    A request begins a turn, or stands behind others that look like what they are declared to be;
    `first` is where the connection's first one may begin.
    """
    for i in range(len(suspects) - 1, -1, -1):
        operation, exchange = operation_of(suspects[i]), suspects[i].exchange
        if operation is not None and is_gone(operation):
            return suspects[i + 1 :]
        protocol = suspects[i].protocol
        turn = turns.at(CLIENT, exchange.start) if exchange is not None else None
        if exchange is None or turn is None or protocol is None:
            continue
        begun = max(first - turn.start, 0)
        before = bytes(turn.data[begun : exchange.start - turn.start])
        if before:
            found = tree(Requests(), before, protocol)
            if not (turn.whole and is_regular(found) and is_likely(found)):
                return suspects[i + 1 :]
    return suspects


def _is_request(data: bytes, protocol: Protocol, *, narrow: bool = False) -> Operation | None:
    """Return the operation of which these bytes are one request and no more.

    `narrow`: or would be, if its words were not all of four bytes.
    """
    number = int.from_bytes(data[:8], "little")
    operation = OPERATIONS.get(protocol.family.code(number)) if len(data) >= 16 else None
    if operation is None:
        return None
    request = operation.request
    message = Message(request, data[8:], protocol, payload=request.payload)
    is_one = fits(message) and is_likely(message.decoded())
    is_one = is_one or (narrow and narrow_throughout(message))
    return operation if is_one else None


def _is_answer(case: Case, code: int, rest: bytes) -> bool:
    """Whether bytes behind a STDERR tag are what it announces, and no more."""
    if code != STDERR_LAST:
        return fits(Message(STDERR_FRAMES[code].fields, rest, case.protocol))
    asked = [operation for view in case.suspects if (operation := operation_of(view))]
    replies = [Message(operation.reply, rest, case.protocol) for operation in asked]
    return any(fits(reply) or narrow_throughout(reply) for reply in replies)


def is_whole_frames(data: bytes) -> bool:
    """Whether a payload ends behind a frame that is not the empty one."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        if not length:
            return False
        at += 8 + length
    return at == len(data)


def _foreign_text(case: Case) -> Diagnosis | None:
    """A text where a message should begin, behind which the messages go on, or nothing is said."""
    turn = case.turn
    if turn is None or not turn.whole:
        return None
    data, at = bytes(turn.data), case.offset - turn.start
    end = next((i for i in range(at, len(data)) if not is_text_byte(data[i])), len(data))
    if end - at < SHORTEST_TEXT or is_in_string(data, at):
        return None
    for behind in (end, end - 1, end - 4):  # the next message may begin like a text
        if behind == len(data) or _are_messages(case, data[behind:]):
            shown = inert(data[at:behind][:LONGEST_TEXT].decode("ascii").rstrip())
            return Diagnosis(Mistake.TEXT_IN_STREAM, f"the {SIDES[case.side]} says '{shown}'")
    return None


def _are_messages(case: Case, data: bytes) -> bool:
    """Whether bytes are whole messages of the side that the case is about."""
    asked = list(filter(None, map(operation_of, reversed(case.suspects))))
    talks: list[Wire] = [Requests()]
    if case.side == DAEMON:
        talks = [Answers(asked[first:]) for first in range(len(asked))]
    found = (tree(talk, data, case.protocol) for talk in talks)
    return any(is_regular(each) and is_likely(each) for each in found)


Rule = Callable[[Case], "Diagnosis | None"]
RULES: tuple[tuple[Rule, ...], tuple[Rule, ...]] = (
    (second_hello, other_protocol, _odd_code, bare_payload, broken_request, unframed, framed,
     broken_payload, _narrow_length, _foreign_text),
    (second_hello, bare_payload, broken_request, unframed, framed, broken_payload, other_protocol,
     _odd_code, broken_reply, run_on_reply, _narrow_length, other_error, _foreign_text, _no_last),
)  # fmt: skip
"""What is asked, in order, of the client's stream and of the daemon's."""


# Layouts ------------------------------------------------------------------------------------


def operation_of(view: ExchangeView) -> Operation | None:
    """Return what an exchange asked, None when that is not known."""
    return view.exchange.operation if view.exchange is not None else None


def title_of(view: ExchangeView) -> str:
    """Return an exchange's number and name."""
    return f"#{view.row.number} {view.row.name}"


def has_likely_fields(view: ExchangeView) -> bool:
    """Whether the fields of a request look like what they are declared to be."""
    part = view.part("request")
    if part is None or part.node is None:
        return False
    found = Tree([part.node], part.node.end or 0, part.error)
    return is_regular(found) and is_likely(found)


def is_only_success(reply: Wire) -> bool:
    """Whether a reply is nothing but the 1 that stands for success."""
    return reply is wire_of(Done)


def _turn_of_end(turns: Turns, side: int, offset: int) -> Turn | None:
    """Return the turn that holds a byte, or ends before it."""
    found = turns.at(side, offset)
    if found is not None and found.start < offset:
        return found
    for turn in turns.all:
        if turn.side == side and turn.end == offset:
            return turn
    return found


def request_of(view: ExchangeView, case: Case) -> Message | None:
    """Return a request behind its number: what the client said until the daemon answered.

    None when that is not known, or it does not begin what the client said there.
    """
    operation, exchange = operation_of(view), view.exchange
    if operation is None or exchange is None or view.protocol is None or is_gone(operation):
        return None
    turn = case.turns.at(CLIENT, exchange.start)
    if turn is None or not turn.whole or turn.start > exchange.start:
        return None
    if exchange.start > max(turn.start, case.begins):
        return None  # it is read with the request before it
    older = [each.exchange for each in case.suspects if each.row.number < view.row.number]
    ends = [each.daemon_end for each in older if each is not None]
    stops = all(end is None or case.turns.is_before(DAEMON, end, turn) for end in ends)
    start = exchange.start + 8
    own = bytes(turn.data[start - turn.start :])
    beyond = case.turns.read(CLIENT, turn.end, turn.end + BEHIND)
    request = operation.request
    if _carriage(request, view.protocol) is PULLED and not exchange.reads:
        return None  # what the daemon asked for is not there
    is_last = turn is case.turns.all[-1]
    if exchange.error is not None and exchange.request_done is None:
        is_last = case.turns.is_last_of(turn)
    rest = Requests(view.protocol), stops, beyond, is_last
    return Message(request, own, view.protocol, start, "request", request.payload, *rest)


def reply_of(view: ExchangeView, case: Case) -> Message | None:
    """Return a reply: what the daemon said behind STDERR_LAST until the client spoke again."""
    operation, exchange = operation_of(view), view.exchange
    if operation is None or exchange is None or view.protocol is None or exchange.reply is None:
        return None
    is_early = any(note.reason is Reason.ANSWERED_EARLY for note in exchange.notes)
    question = case.turns.at(CLIENT, exchange.start)
    is_in_two = question is not None and question.end < (exchange.request_end or 0)
    if exchange.request_done is None or is_early or (is_in_two and not operation.request.payload):
        return None  # what was asked is not known
    start = exchange.reply[0]
    has_log = view.protocol.family.has_log  # else a reply is all that is said
    turn = _turn_of_end(case.turns, DAEMON, start) if has_log else case.turns.at(DAEMON, start)
    if turn is None or not turn.whole:
        return None
    own = bytes(turn.data[start - turn.start :])
    beyond = case.turns.read(DAEMON, turn.end, turn.end + BEHIND)
    later = [each for each in reversed(case.suspects) if each.row.number > view.row.number]
    asked = list(filter(None, map(operation_of, later)))
    begun = [each.row.starts[CLIENT] + 8 for each in later]
    stops = not any(case.turns.is_before(CLIENT, start, turn) for start in begun)
    reply = operation.reply
    rest = Answers(asked), stops, beyond, case.turns.is_last_of(turn)
    return Message(reply, own, view.protocol, start, "reply", reply.payload, *rest)


def _carriage(record: Record, protocol: Protocol) -> Carriage | None:
    return record.payload.carriage(protocol) if record.payload is not None else None


def other_version(what: str, agreed: Protocol, minor: int, wire: Wire) -> Diagnosis:
    """Return that something has another version's layout, and which fields are the difference."""
    theirs = replace(agreed, minor=minor)
    where = f"{what} has the layout of {theirs.text}, agreed is {agreed.text}"
    fields = gated(wire, agreed, theirs)
    if fields:
        named = (f"{each.name} ({gate_text(each)})" for each in fields[:MOST_FIELDS])
        sign = "without" if fields[0].gate.admits(agreed) else "with"
        where += f": {sign} {', '.join(named)}"
    return Diagnosis(Mistake.OTHER_VERSION, where)
