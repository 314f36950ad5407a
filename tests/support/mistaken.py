"""Known mistakes, planted at every operation of a version into sessions else without fault.

Each is yielded with the operation, what was done, and the session as turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pix.codec.declare import OPERATIONS, Operation
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, Protocol
from pix.codec.lists import ListOf
from pix.codec.payload import FRAMES, RAW_NAR
from pix.codec.values import tree
from pix.codec.wire import Boolean, Enumeration, Node, String, Wire, Word
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix_inspect.forensics.rules import is_only_success
from tests.support.typical import (
    NAR,
    TYPICAL,
    TypicalPlaybook,
    carried,
    content_of,
    known,
    reply_of,
    request_of,
)
from tests.support.words import text, word

SAID = b"debug: connection accepted\n"
FOLLOWING = ("QueryPathInfo", "IsValidPath")
MOST_NODES = 3
"""Fields of a kind, of each message, that a mistake is planted at."""


@dataclass
class Case:
    """A session with a mistake: `left` is the side that closes first."""

    operation: str
    how: str
    talk: TypicalPlaybook
    left: int | None = None
    also: tuple[str, ...] = ()
    """Other mistakes that explain the very same bytes."""


def begun(minor: int) -> TypicalPlaybook:
    talk = TypicalPlaybook(minor)
    talk.whole("IsValidPath")
    return talk


def replied(minor: int, operation: Operation, fields: bytes, *, on: bool = True) -> TypicalPlaybook:
    """A session with this reply; `on`: and others behind it."""
    talk = begun(minor)
    talk.ask(operation.name)
    talk.answer(operation.name, fields)
    if on:
        talk.whole(*FOLLOWING)
    return talk


def asked(minor: int, operation: Operation, fields: bytes) -> TypicalPlaybook:
    """A session with this request, which the daemon answers all the same."""
    talk = begun(minor)
    talk.ask(operation.name, fields)
    talk.answer(operation.name)
    talk.whole(*FOLLOWING)
    return talk


def unanswered(minor: int, operation: Operation, fields: bytes) -> TypicalPlaybook:
    talk = begun(minor)
    talk.ask(operation.name, fields)
    return talk


def error(minor: int, said: bytes) -> bytes:
    """An error in the layout of its version."""
    if minor < 26:
        return word(STDERR_ERROR) + text(said) + word(1)
    return word(STDERR_ERROR) + text(b"Error") + word(0) + text(b"Error") + text(said) + bytes(16)


def nodes(wire: Wire, data: bytes, minor: int) -> list[Node]:
    stack = list(tree(wire, data, Protocol(minor), name="value", base=0).nodes)
    found: list[Node] = []
    while stack:
        node = stack.pop(0)
        found.append(node)
        stack = [*(node.children or ()), *stack]
    return found


@dataclass
class Place:
    """A message that a mistake can be planted in: `with_` makes the session of its new bytes."""

    operation: Operation
    side: int
    wire: Wire
    data: bytes
    with_: Callable[[bytes], TypicalPlaybook]
    minor: int

    def change(self, start: int, end: int, put: bytes) -> TypicalPlaybook:
        return self.with_(self.data[:start] + put + self.data[end:])

    def nodes(self, *kinds: type[Wire]) -> list[Node]:
        found = [n for n in nodes(self.wire, self.data, self.minor) if isinstance(n.wire, kinds)]
        return found[:MOST_NODES]


def places(minor: int) -> Iterator[Place]:
    """Every message without payload of a version."""
    protocol = Protocol(minor)
    for operation in known(minor):
        request, reply = request_of(operation, protocol), reply_of(operation, protocol)
        if operation.request.payload is None:

            def with_request(data: bytes, operation: Operation = operation) -> TypicalPlaybook:
                return asked(minor, operation, data)

            yield Place(operation, CLIENT, operation.request, request, with_request, minor)
        if operation.reply.payload is None:

            def with_reply(data: bytes, operation: Operation = operation) -> TypicalPlaybook:
                return replied(minor, operation, data)

            yield Place(operation, DAEMON, operation.reply, reply, with_reply, minor)


# Replies and requests that are too short or too long ------------------------------------------


def missing_one(minor: int) -> Iterator[Case]:
    for operation in known(minor):
        if is_only_success(operation.reply):
            yield Case(operation.name, "goes on", replied(minor, operation, b""))
            hung = replied(minor, operation, b"", on=False)
            yield Case(operation.name, "hangs", hung, CLIENT)


def extra_one(minor: int) -> Iterator[Case]:
    for place in places(minor):
        if place.side == DAEMON:
            yield Case(place.operation.name, "", place.with_(place.data + word(1)))


def short_reply(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for less in (8, 16):
            if place.side == DAEMON and len(place.data) > less:
                name, data = place.operation.name, place.data[:-less]
                yield Case(name, f"{less} goes on", place.with_(data), None, ("other version",))
                hung = replied(minor, place.operation, data, on=False)
                yield Case(name, f"{less} hangs", hung, CLIENT, ("other version",))


def long_reply(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for more in (word(5), word(0) + word(77)):
            if place.side == DAEMON:
                talk = place.with_(place.data + more)
                yield Case(place.operation.name, str(len(more)), talk, None, ("other version",))


def short_request(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for less in (8, 16):
            if place.side == CLIENT and len(place.data) >= less:
                name, data = place.operation.name, place.data[:-less]
                yield Case(name, f"{less} goes on", place.with_(data), None, ("other version",))
                hung = unanswered(minor, place.operation, data)
                yield Case(name, f"{less} hangs", hung, CLIENT, ("other version",))


def long_request(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for more in (word(99_999) + word(7), word(0), word(1)):
            if place.side == CLIENT:
                talk = place.with_(place.data + more)
                yield Case(place.operation.name, more.hex(), talk, None, ("other version",))


def missing_last(minor: int) -> Iterator[Case]:
    for place in places(minor):
        if place.side == DAEMON and place.data:
            talk = begun(minor)
            talk.ask(place.operation.name)
            talk.daemon(place.data)
            talk.whole(*FOLLOWING)
            yield Case(place.operation.name, "", talk)


def doubled_last(minor: int) -> Iterator[Case]:
    for place in places(minor):
        if place.side == DAEMON:
            yield Case(place.operation.name, "", place.with_(word(STDERR_LAST) + place.data))


def other_version(minor: int) -> Iterator[Case]:
    for place in places(minor):
        seen = {place.data}
        makes = request_of if place.side == CLIENT else reply_of
        for other in range(OLDEST_MINOR, NEWEST_MINOR + 1):
            data = makes(place.operation, Protocol(other))
            if data in seen or place.operation.name == "QueryRealisation":  # texts, both ways
                continue
            seen.add(data)
            name, how = place.operation.name, f"1.{other}"
            yield Case(name, f"{how} goes on", place.with_(data))
            hung = (
                unanswered(minor, place.operation, data) if place.side == CLIENT
                else replied(minor, place.operation, data, on=False)
            )  # fmt: skip
            yield Case(name, f"{how} hangs", hung, CLIENT)


# Single values ----------------------------------------------------------------------------------


def narrow_length(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(String):
            raw = str(node.value or "").encode()
            filled = {(-len(raw) & 7), (-(len(raw) + 4) & 7), 0}
            for padding in sorted(filled) if len(raw) >= 4 and node.end is not None else ():
                said = len(raw).to_bytes(4, "little") + raw + bytes(padding)
                talk = place.change(node.start, node.end or 0, said)
                yield Case(place.operation.name, f"{node.name} +{padding}", talk)


def narrow_number(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(Word, Enumeration, Boolean):
            narrow = int(node.value).to_bytes(4, "little")
            talk = place.change(node.start, node.start + 8, narrow)
            yield Case(place.operation.name, node.name, talk)
        if not place.data and place.side == CLIENT:
            continue
        talk = begun(minor)
        if place.side == CLIENT:
            talk.client(place.operation.code.to_bytes(4, "little"), place.data)
            talk.answer(place.operation.name)
        else:
            talk.ask(place.operation.name)
            talk.daemon(STDERR_LAST.to_bytes(4, "little"), place.data)
        talk.whole(*FOLLOWING)
        yield Case(place.operation.name, "code", talk)


def big_endian(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(Word, Enumeration, Boolean, String, ListOf):
            raw = place.data[node.start : node.start + 8]
            if any(raw):
                talk = place.change(node.start, node.start + 8, raw[::-1])
                yield Case(place.operation.name, node.name, talk)
        talk = begun(minor)
        if place.side == CLIENT:
            talk.client(place.operation.code.to_bytes(8, "big"), place.data)
            talk.answer(place.operation.name)
        else:
            talk.ask(place.operation.name)
            talk.daemon(STDERR_LAST.to_bytes(8, "big"), place.data)
        talk.whole(*FOLLOWING)
        yield Case(place.operation.name, "code", talk)


def missing_padding(minor: int) -> Iterator[Case]:
    """At one string, and at all of them."""
    for place in places(minor):
        padded = [
            (node.start + 8 + length, node.end)
            for node in place.nodes(String)
            if (length := len(str(node.value or "").encode())) % 8 and node.end is not None
        ]
        for start, end in padded:
            yield Case(place.operation.name, f"at {start}", place.change(start, end, b""))
        if len(padded) > 1:
            data = place.data
            for start, end in reversed(padded):
                data = data[:start] + data[end:]
            yield Case(place.operation.name, "all", place.with_(data))


def string_for_a_list(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(ListOf):
            element = node.wire.element if isinstance(node.wire, ListOf) else None
            if isinstance(element, String) and node.end is not None:
                said = " ".join(TYPICAL.get(element.name, ("some words", "others")))
                talk = place.change(node.start, node.end, text(said.encode()))
                yield Case(place.operation.name, node.name, talk)


def printed(minor: int) -> Iterator[Case]:
    for place in places(minor):
        talk = begun(minor)
        if place.side == CLIENT:
            talk.client(SAID)
        talk.ask(place.operation.name)
        if place.side == DAEMON:
            talk.daemon(SAID)
        talk.answer(place.operation.name)
        talk.whole(*FOLLOWING)
        yield Case(place.operation.name, f"before, side {place.side}", talk)
        if place.side == DAEMON:
            yield Case(place.operation.name, "behind", place.with_(place.data + SAID))


# Payload, and what is left unread ---------------------------------------------------------------


def half_a_nar(minor: int) -> Iterator[Case]:
    for operation, payload in _with_payload(minor, RAW_NAR):
        for tenths in (1, 5, 9):
            for failed in (True, False):
                talk = begun(minor)
                fields = request_of(operation, Protocol(minor))
                talk.client(word(operation.code), fields, payload[: len(payload) * tenths // 10])
                if failed:
                    talk.daemon(error(minor, b"bad archive: unexpected end of file"))
                talk.pause()
                talk.ask("IsValidPath")
                talk.daemon(error(minor, b"bad archive"))
                talk.ask("QueryPathInfo")
                yield Case(operation.name, f"{tenths} tenths, {failed}", talk)


def unended_frames(minor: int) -> Iterator[Case]:
    for operation, payload in _with_payload(minor, FRAMES):
        fields = request_of(operation, Protocol(minor))
        for how in ("leaves", "fails", "answers"):
            talk = begun(minor)
            talk.client(word(operation.code), fields, payload[:-8])
            if how == "fails":
                talk.daemon(error(minor, b"unexpected end of file"))
                talk.ask("IsValidPath")
                talk.daemon(error(minor, b"unexpected end of file"))
            elif how == "answers":
                talk.answer(operation.name)
                talk.whole("IsValidPath")
            yield Case(operation.name, how, talk, CLIENT if how == "leaves" else None)


def half_a_frame(minor: int) -> Iterator[Case]:
    for operation, payload in _with_payload(minor, FRAMES):
        talk = begun(minor)
        talk.client(word(operation.code), request_of(operation, Protocol(minor)))
        talk.client(payload[: len(payload) // 2 & ~7])
        talk.pause()
        talk.ask("IsValidPath")
        talk.daemon(error(minor, b"unexpected end of file"))
        yield Case(operation.name, "", talk)


def bare_nar(minor: int) -> Iterator[Case]:
    for operation, _ in _with_payload(minor, FRAMES):
        payload = operation.request.payload
        content = content_of(payload) if payload is not None else b""
        if not content.startswith(NAR[:24]):
            continue
        for talk, left in _instead(minor, operation, content):
            yield Case(operation.name, "" if left is None else "leaves", talk, left)


def string_for_frames(minor: int) -> Iterator[Case]:
    for operation, _ in _with_payload(minor, FRAMES):
        for talk, left in _instead(minor, operation, text(b"a text of some length")):
            yield Case(operation.name, "" if left is None else "leaves", talk, left)


def _instead(
    minor: int, operation: Operation, payload: bytes
) -> Iterator[tuple[TypicalPlaybook, int | None]]:
    """Sessions with another payload: the client leaves, or the daemon fails."""
    for left in (CLIENT, None):
        talk = begun(minor)
        talk.client(word(operation.code), request_of(operation, Protocol(minor)), payload)
        if left is None:
            talk.daemon(error(minor, b"unexpected end of file"))
        yield talk, left


def _with_payload(minor: int, carriage: object) -> Iterator[tuple[Operation, bytes]]:
    protocol = Protocol(minor)
    for operation in known(minor):
        payload = operation.request.payload
        if payload is not None and payload.carriage(protocol) is carriage:
            yield operation, carried(payload, protocol)


def unread_one(minor: int) -> Iterator[Case]:
    for operation in known(minor):
        if is_only_success(operation.reply):
            talk = begun(minor)
            talk.whole(operation.name)
            talk.ask("IsValidPath")
            yield Case(operation.name, "", talk, CLIENT)


def unread_field(minor: int) -> Iterator[Case]:
    """The daemon meets a field as an operation, before or after the client asks again."""
    for place in places(minor):
        for node in place.nodes(Word, Enumeration, Boolean, String) if place.side == CLIENT else ():
            raw = place.data[node.start : node.start + 8]
            number = int.from_bytes(raw, "little")
            if number in OPERATIONS and number:
                continue
            if not number and node.end != len(place.data):
                continue
            for asks in (True, False):
                talk = begun(minor)
                talk.whole(place.operation.name)
                if asks:
                    talk.ask("QueryAllValidPaths")
                talk.daemon(error(minor, b"invalid operation %d" % number))
                yield Case(place.operation.name, f"{node.name} {asks}", talk, DAEMON)


def unread_payload(minor: int) -> Iterator[Case]:
    """The daemon gives up in the middle of a payload and reads on as if it were its end."""
    for carriage in (RAW_NAR, FRAMES):
        for operation, payload in _with_payload(minor, carriage):
            words = range(0, len(payload) - 7, 8)
            numbers = [int.from_bytes(payload[at : at + 8], "little") for at in words]
            for number in {numbers[0], numbers[len(numbers) // 2]} - {0}:
                talk = begun(minor)
                talk.ask(operation.name)
                talk.daemon(error(minor, b"it is too large"))
                talk.ask("QueryAllValidPaths")
                talk.daemon(error(minor, b"invalid operation %d" % number))
                yield Case(operation.name, str(number), talk, DAEMON)


PLANTED: dict[str, Callable[[int], Iterator[Case]]] = {
    "missing one": missing_one,
    "extra one": extra_one,
    "short reply": short_reply,
    "long reply": long_reply,
    "short request": short_request,
    "long request": long_request,
    "missing STDERR_LAST": missing_last,
    "doubled STDERR_LAST": doubled_last,
    "other version": other_version,
    "32-bit length": narrow_length,
    "32-bit number": narrow_number,
    "big-endian number": big_endian,
    "missing padding": missing_padding,
    "string for a list": string_for_a_list,
    "text in the stream": printed,
    "half a NAR": half_a_nar,
    "unended frames": unended_frames,
    "half a frame": half_a_frame,
    "bare NAR": bare_nar,
    "string for frames": string_for_frames,
    "unread one": unread_one,
    "unread field": unread_field,
    "unread payload": unread_payload,
}
"""By the name of the mistake."""
