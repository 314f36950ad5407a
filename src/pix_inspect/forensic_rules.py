"""The rules of forensics: each looks at one case and names the mistake that explains it, or not.

A case is the impossible word, the operations before it, and the turns that passed around it.
What a message should be is asked of the declarations, of this version and of all others.

Knows turns and declarations; nothing of how cases are found or shown.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pix.composite import Record, tree
from pix.exchange import CLIENT, DAEMON, SIDES
from pix.gates import NEWEST_MINOR, OLDEST_MINOR, Protocol, version_text
from pix.payload import RAW_NAR
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix.protocol.operations import Done
from pix.schema import FRAMES_BY_CODE, OPERATIONS, Operation, wire_of
from pix.wire import Node, Wire
from pix_inspect.inert import inert
from pix_inspect.mistakes import named
from pix_inspect.turns import Turn, Turns
from pix_inspect.view import ExchangeView

LONGEST_TEXT = 400
SHORTEST_TEXT = 9
"""Bytes that are text rather than a number that looks like it."""
LONGEST_LENGTH = 1 << 20
"""A length in four bytes that can be believed."""


@dataclass(slots=True)
class Case:
    """One case: the impossible word, what came before it, and what passed around it."""

    side: int
    offset: int
    reason: str
    protocol: Protocol
    suspects: list[ExchangeView]
    turns: Turns

    @property
    def word(self) -> int | None:
        """The eight bytes at the offset as a number."""
        return self.turns.word(self.side, self.offset)

    @property
    def turn(self) -> Turn | None:
        """The turn that the offset stands in."""
        return self.turns.at(self.side, self.offset)


# The word -----------------------------------------------------------------------------------


def word_lines(case: Case) -> Iterator[str]:
    """Yield a line that says all that the word could be."""
    word = case.word
    if word is None:
        return
    raw = word.to_bytes(8, "little")
    swapped = int.from_bytes(raw, "big")
    said = []
    operation, frame = OPERATIONS.get(word), FRAMES_BY_CODE.get(word)
    said.append(f"operation {operation.name}" if operation else "no operation")
    said.append(f"frame {frame.name}" if frame else "no STDERR frame")
    if word <= LONGEST_LENGTH:
        said.append(f"a length of {word:,} bytes")
    else:
        said.append("no length to believe")
    text = raw.rstrip(b"\0")
    if len(text) > 1 and all(32 <= byte < 127 for byte in text):
        said.append(f"the text {text.decode('ascii')!r}")
    if 1_000_000_000 < word < 5_000_000_000:
        said.append(f"the time {clock.strftime('%Y-%m-%d %H:%M:%S', clock.gmtime(word))} UTC")
    if 0x100 | OLDEST_MINOR <= word <= 0x100 | NEWEST_MINOR:
        said.append(f"the version {version_text(word)}")
    if word < 2:
        said.append("the boolean " + ("false", "true")[word])
    if word >> 32 and (swapped in OPERATIONS or swapped in FRAMES_BY_CODE):
        said.append(f"{swapped:#x} with its bytes turned round")
    yield f"{word:#x} at the {SIDES[case.side]}'s byte {case.offset:,} would be: {', '.join(said)}"


# What explains it ---------------------------------------------------------------------------


def _short_reply(case: Case) -> str | None:
    """A reply that goes on after the client has spoken again ended before that."""
    for view in case.suspects:
        exchange = view.exchange
        operation = operation_of(view)
        if exchange is None or operation is None or exchange.reply is None:
            continue
        start, end = exchange.reply
        end = case.offset if end is None else end
        first = _turn_of_end(case.turns, DAEMON, start)
        if first is None or end <= first.end or not first.whole:
            continue
        if operation.reply.payload is not None:
            continue
        own = bytes(first.data[start - first.start :])
        title = f"the reply to {title_of(view)} has {len(own)} bytes"
        if not own and is_only_success(operation.reply):
            return named("missing one", title)
        minor = _other_minor(operation.reply, own, case.protocol, start)
        if minor is not None:
            return other_version(f"the reply to {title_of(view)}", case.protocol.minor, minor)
        return named("short reply", title)
    return None


def _long_reply(case: Case) -> str | None:
    """What follows a whole reply in the same turn belongs to it for who wrote it."""
    turn = case.turn
    if turn is None or case.side != DAEMON or "nothing was asked" not in case.reason:
        return None
    view = next((v for v in case.suspects if v.span(DAEMON)[1] == case.offset), None)
    if view is None or turn.start == case.offset:
        return None
    operation = operation_of(view)
    exchange = view.exchange
    rest = bytes(turn.data[case.offset - turn.start :])
    if operation is None or exchange is None or not turn.whole:
        return None
    title = f"{len(rest)} bytes follow the reply to {title_of(view)}"
    if case.word == STDERR_LAST:
        return named("doubled STDERR_LAST", title)
    if exchange.reply is not None:
        start = exchange.reply[0]
        own = bytes(turn.data[max(start - turn.start, 0) :])
        minor = _other_minor(operation.reply, own, case.protocol, start)
        if minor is not None:
            return other_version(f"the reply to {title_of(view)}", case.protocol.minor, minor)
    if case.word == 1 and len(rest) == 8:
        return named("extra one", title)
    if _text(rest):
        return named("text in the stream", title)
    return named("long reply", title)


def _other_error(case: Case) -> str | None:
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
        fields = FRAMES_BY_CODE[STDERR_ERROR].fields
        minor = _other_minor(fields, own, case.protocol, start)
        if minor is not None:
            return other_version(f"the error of {title_of(view)}", case.protocol.minor, minor)
    return None


def _no_last(case: Case) -> str | None:
    """The answer begins with its reply."""
    turn = case.turn
    if turn is None or turn.start != case.offset or "a STDERR frame" not in case.reason:
        return None
    for view in case.suspects[:1]:
        operation = operation_of(view)
        if operation is not None and turn.whole and operation.reply.payload is None:
            own = bytes(turn.data)
            if own and fits(operation.reply, own, case.protocol.minor, 0, case.protocol):
                return named("missing STDERR_LAST", f"the answer to {title_of(view)}")
    return None


def _other_reply(case: Case) -> str | None:
    """A reply that cannot be read has the layout of another version."""
    for view in case.suspects[:1]:
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or exchange.reply is None:
            continue
        start = exchange.reply[0]
        turn = _turn_of_end(case.turns, DAEMON, start)
        if turn is not None and turn.whole:
            own = bytes(turn.data[start - turn.start :])
            minor = _other_minor(operation.reply, own, case.protocol, start)
            if minor is not None:
                return other_version(f"the reply to {title_of(view)}", case.protocol.minor, minor)
    return None


def _narrow_length(case: Case) -> str | None:
    """A length of four bytes, and the text itself where its upper half should be."""
    data = case.turns.read(case.side, case.offset, case.offset + 64)
    if len(data) < 12:
        return None
    length = int.from_bytes(data[:4], "little")
    if 4 <= length <= LONGEST_LENGTH and _text(data[4 : 4 + min(length, 32)]):
        shown = inert(data[4 : 4 + min(length, 32)].decode("ascii", "replace"))
        return named("32-bit length", f"{length} stands before {shown!r}")
    return None


def _big_endian(case: Case) -> str | None:
    """An operation or a STDERR frame with its bytes turned round."""
    word = case.word
    if not word or word & 0xFFFFFFFF:
        return None
    swapped = int.from_bytes(word.to_bytes(8, "little"), "big")
    if swapped in OPERATIONS or swapped in FRAMES_BY_CODE:
        return named("big-endian number", f"{word:#x} is {swapped:#x}")
    return None


def _unpadded(case: Case) -> str | None:
    """The daemon's turns are multiples of eight bytes, but for one."""
    for turn in case.turns.all:
        if turn.side == DAEMON and turn.start <= case.offset and (turn.end - turn.start) % 8:
            length = turn.end - turn.start
            return named("missing padding", f"the daemon's {length} bytes from {turn.start:,} on")
    return None


def _half_nar(case: Case) -> str | None:
    """A NAR that is still going on when its sender begins another operation."""
    for view in case.suspects:
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or exchange.payload_start is None:
            continue
        payload = operation.request.payload
        if payload is None or payload.carriage(case.protocol) is not RAW_NAR:
            continue
        begun = exchange.payload_start
        ends = [t for t in case.turns.all if t.side == CLIENT and t.start > begun]
        for turn in ends:
            number = int.from_bytes(turn.data[:8], "little")
            if number in OPERATIONS:
                sent = turn.start - begun
                where = (
                    f"{title_of(view)} sends {sent:,} bytes of it, at the client's byte"
                    f" {turn.start:,} begins {OPERATIONS[number].name}"
                )
                return named("half a NAR", where)
    return None


def short_request(case: Case) -> str | None:
    """A request that goes on after the daemon has answered ended before that."""
    for view in case.suspects:
        operation, exchange = operation_of(view), view.exchange
        if operation is None or exchange is None or operation.request.payload is not None:
            continue
        start = exchange.start + 8
        end = case.offset if exchange.request_end is None else exchange.request_end
        turn = case.turns.at(CLIENT, exchange.start)
        if turn is None or not turn.whole or end <= turn.end:
            continue
        own = bytes(turn.data[start - turn.start :])
        title = f"{title_of(view)} has {len(own)} bytes of arguments"
        minor = _other_minor(operation.request, own, case.protocol, start)
        if minor is not None:
            return other_version(title_of(view), case.protocol.minor, minor)
        return named("short request", title)
    return None


def _long_request(case: Case) -> str | None:
    """What follows a whole request before the daemon answers belongs to it."""
    turn = case.turn
    if turn is None or case.side != CLIENT or turn.start == case.offset:
        return None
    views = [v for v in case.suspects if turn.start <= v.span(CLIENT)[0] < case.offset]
    view = views[-1] if views else None
    operation = operation_of(view) if view is not None else None
    if view is None or operation is None or operation.request.payload is not None:
        return None
    start = view.span(CLIENT)[0] + 8
    if turn.whole:
        own = bytes(turn.data[start - turn.start :])
        minor = _other_minor(operation.request, own, case.protocol, start)
        if minor is not None:
            return other_version(title_of(view), case.protocol.minor, minor)
    end = view.span(CLIENT)[1]
    if end >= turn.end:
        return None
    return named("long request", f"{turn.end - end} bytes follow {title_of(view)}")


def _foreign_text(case: Case) -> str | None:
    turn = case.turn
    if turn is None:
        return None
    rest = bytes(turn.data[case.offset - turn.start :])[:LONGEST_TEXT]
    end = next((i for i, byte in enumerate(rest) if not _is_text(byte)), len(rest))
    if end < SHORTEST_TEXT:
        return None
    shown = inert(rest[:end].decode("ascii").rstrip())
    return named("text in the stream", f"the {SIDES[case.side]} says {shown!r}")


_Rule = Callable[[Case], "str | None"]
RULES: tuple[tuple[_Rule, ...], tuple[_Rule, ...]] = (
    (_big_endian, _half_nar, _narrow_length, short_request, _long_request, _foreign_text),
    (_big_endian, _narrow_length, _other_error, _other_reply, _foreign_text, _unpadded,
     _short_reply, _long_reply, _no_last),
)  # fmt: skip
"""What is asked, in order, of the client's stream and of the daemon's."""


# Layouts ------------------------------------------------------------------------------------


def operation_of(view: ExchangeView) -> Operation | None:
    """Return what an exchange asked, None when that is not known."""
    return view.exchange.operation if view.exchange is not None else None


def title_of(view: ExchangeView) -> str:
    """Return an exchange's number and name."""
    return f"#{view.row.number} {view.row.operation or view.row.kind}"


def is_only_success(reply: Record) -> bool:
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


def fits(wire: Wire, data: bytes, minor: int, base: int, protocol: Protocol | None = None) -> bool:
    """Whether the bytes are exactly one value of this layout, with nothing irregular."""
    features = protocol.features if protocol is not None else frozenset[str]()
    decoded = tree(wire, data, Protocol(minor, features), name="value", base=base)
    if decoded.error is not None or decoded.end != base + len(data):
        return False
    return not any(node.note for root in decoded.nodes for node, _ in nodes_of(root, ""))


def _other_minor(wire: Wire, data: bytes, protocol: Protocol, base: int) -> int | None:
    """Return the version nearest to the agreed one whose layout the bytes have, if it has not."""
    if not data or fits(wire, data, protocol.minor, base, protocol):
        return None
    minors = sorted(
        range(OLDEST_MINOR, NEWEST_MINOR + 1), key=lambda minor: abs(minor - protocol.minor)
    )
    for minor in minors:
        if minor != protocol.minor and fits(wire, data, minor, base, protocol):
            return minor
    return None


def other_version(what: str, announced: int, minor: int) -> str:
    """Return the line that names the mistake of another version's layout."""
    where = f"{what} has the layout of 1.{minor}, agreed is 1.{announced}"
    return named("other version", where)


def nodes_of(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """Yield a tree's nodes, each with its path."""
    stack = [(node, path)]
    while stack:
        node, path = stack.pop()
        if not (node.children is not None and isinstance(node.wire, Record)):
            yield node, path
        stack.extend((child, f"{path}.{child.name}") for child in reversed(node.children or ()))


def _is_text(byte: int) -> bool:
    return 32 <= byte < 127 or byte in b"\r\n\t\x1b"


def _text(data: bytes) -> bool:
    return len(data) >= 4 and all(map(_is_text, data))
