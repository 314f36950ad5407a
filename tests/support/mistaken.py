"""Known mistakes, planted at every operation of a version into sessions else without fault.

Each is yielded with the operation, what was done, and the session as turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random

from pix.codec.declare import OPERATIONS, Operation, wire_of
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.payload import FRAMES, RAW_NAR
from pix.codec.records import Maybe
from pix.codec.values import encode, tree
from pix.codec.wire import Boolean, Enumeration, Node, String, Wire, Word
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST, STDERR_NEXT
from pix.protocol.types import FEATURES, UnkeyedValidPathInfo
from pix_inspect.forensics.rules import is_only_success
from tests.support.planted import found_in
from tests.support.playbook import said as as_said
from tests.support.recording import saved
from tests.support.typical import (
    NAR,
    TYPICAL,
    TypicalPlaybook,
    carried,
    content_of,
    known,
    reply_of,
    request_of,
    typical,
)
from tests.support.valid import log, value_of
from tests.support.words import OTHER, PATH, text, word

SAID = b"debug: connection accepted\n"
FOLLOWING = ("QueryPathInfo", "IsValidPath")
MINORS = (10, 21, 32, 35, 37, 38)
SHORTER = ("short reply", "short request", "other version", "other feature", "missing one")
LONGER = ("long reply", "long request", "other version", "other feature", "extra one")
"""What explains bytes as well in which a field is missing, or one too many."""
OF_FIELDS = ("missing field", "extra field")
MANY = {"missing field": 13, "extra field": 61}
MOST_FIELDS = 14
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


def verdict(mistake: str, case: Case, folder: Path) -> tuple[str, set[str]]:
    """Return right, silent or wrong, and the mistakes that are named."""
    session = saved(case.talk, folder, left=case.left)
    named = {found.mistake.label for found in found_in(session) if found.mistake is not None}
    session.close()
    if not named:
        return "silent", named
    return "right" if named <= {mistake, *case.also} else "wrong", named


def some(mistake: str, minor: int, every: int = 1) -> Iterator[Case]:
    """Yield one of so many sessions with a mistake, of those that are many one in more."""
    yield from islice(PLANTED[mistake](minor), None, None, every * MANY.get(mistake, 1))


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
        return [n for n in nodes(self.wire, self.data, self.minor) if isinstance(n.wire, kinds)]


def places(minor: int) -> Iterator[Place]:
    """Every message of a version, but for those whose payload comes in answers."""
    protocol = Protocol(minor)
    for operation in known(minor):
        request, reply = request_of(operation, protocol), reply_of(operation, protocol)
        payload = operation.request.payload
        if payload is None or payload.carriage(protocol) in (FRAMES, RAW_NAR):

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
                yield Case(
                    name,
                    f"{less} goes on",
                    place.with_(data),
                    None,
                    ("other version", "other feature", *OF_FIELDS),
                )
                hung = unanswered(minor, place.operation, data)
                yield Case(
                    name,
                    f"{less} hangs",
                    hung,
                    CLIENT,
                    ("other version", "other feature", *OF_FIELDS),
                )


def long_request(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for more in (word(99_999) + word(7), word(0), word(1)):
            if place.side == CLIENT:
                talk = place.with_(place.data + more)
                yield Case(
                    place.operation.name,
                    more.hex(),
                    talk,
                    None,
                    ("other version", "other feature", *OF_FIELDS),
                )


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


def missing_field(minor: int) -> Iterator[Case]:
    """A field left out anywhere in a message, in sessions of several kinds."""
    for place in places(minor):
        for node in place.nodes(Word, Boolean, String, ListOf, MapOf, Maybe)[:MOST_FIELDS]:
            end = node.end or 0
            if end - node.start == len(place.data):
                continue
            data = place.data[: node.start] + place.data[end:]
            yield from _shapes(place, data, f"{node.name} at {node.start}", SHORTER)


def extra_field(minor: int) -> Iterator[Case]:
    """A value put in anywhere in a message, in sessions of several kinds."""
    put = {"0": word(0), "1": word(1), "77": word(77), "text": text(b"what"), "paths": paths()}
    for place in places(minor):
        for node in place.nodes(Word, Boolean, String, ListOf, MapOf, Maybe)[:MOST_FIELDS]:
            for name, value in put.items():
                data = place.data[: node.start] + value + place.data[node.start :]
                yield from _shapes(place, data, f"{name} at {node.start}", LONGER)


def paths() -> bytes:
    return word(2) + text(PATH.encode()) + text(OTHER.encode())


def _shapes(place: Place, data: bytes, how: str, also: tuple[str, ...]) -> Iterator[Case]:
    """A message in sessions that go on, that hang, and whose client asks in advance."""
    name, minor = place.operation.name, place.minor
    yield Case(name, f"{how} goes on", place.with_(data), None, also)
    talk = begun(minor)
    if place.side == CLIENT:
        yield Case(name, f"{how} hangs", unanswered(minor, place.operation, data), CLIENT, also)
        talk.ask(name, data)
        talk.ask("IsValidPath")
        talk.daemon(error(minor, b"unexpected end of file"))
        yield Case(name, f"{how} in advance", talk, DAEMON, also)
    else:
        hung = replied(minor, place.operation, data, on=False)
        yield Case(name, f"{how} hangs", hung, CLIENT, also)
        talk.ask(name)
        talk.ask("IsValidPath")
        talk.answer(name, data)
        talk.answer("IsValidPath")
        talk.whole(*FOLLOWING)
        yield Case(name, f"{how} in advance", talk, None, also)


# Single values ----------------------------------------------------------------------------------


def narrow_length(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(String)[:MOST_NODES]:
            raw = str(node.value or "").encode()
            filled = {(-len(raw) & 7), (-(len(raw) + 4) & 7), 0}
            for padding in sorted(filled) if len(raw) >= 4 and node.end is not None else ():
                said = len(raw).to_bytes(4, "little") + raw + bytes(padding)
                talk = place.change(node.start, node.end or 0, said)
                yield Case(place.operation.name, f"{node.name} +{padding}", talk)


def narrow_number(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(Word, Enumeration, Boolean)[:MOST_NODES]:
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
        for fill in (4, 8) if place.operation.request.payload is None else ():
            said = narrowed(place, fill)
            talk = begun(minor)
            if place.side == CLIENT:
                talk.client(place.operation.code.to_bytes(4, "little"), said)
            else:
                talk.ask(place.operation.name)
                talk.daemon(STDERR_LAST.to_bytes(4, "little"), said)
            talk.pause()
            talk.client(b"") if place.side == DAEMON else talk.daemon(error(minor, b"bad"))
            yield Case(place.operation.name, f"all, filled to {fill}", talk, CLIENT)


def narrowed(place: Place, fill: int) -> bytes:
    """A message with every word in four bytes, and its texts filled up to four or eight."""
    data, out, at = place.data, b"", 0
    texts = {node.start for node in place.nodes(String)}
    texts |= {entry.start for node in place.nodes(MapOf) for entry in node.children or ()}
    while at < len(data):
        number = int.from_bytes(data[at : at + 8], "little")
        out += (number & 0xFFFFFFFF).to_bytes(4, "little")
        at += 8
        if at - 8 in texts:
            out += data[at : at + number] + bytes(-number % fill)
            at += number + (-number & 7)
    return out


def big_endian(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(Word, Enumeration, Boolean, String, ListOf)[:MOST_NODES]:
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
            for node in place.nodes(String)[:MOST_NODES]
            if (length := len(str(node.value or "").encode())) % 8 and node.end is not None
        ]
        for start, end in padded:
            yield Case(place.operation.name, f"at {start}", place.change(start, end, b""))
        if len(padded) > 1:
            data = place.data
            for start, end in reversed(padded):
                data = data[:start] + data[end:]
            yield Case(place.operation.name, "all", place.with_(data))


def padded_to_four(minor: int) -> Iterator[Case]:
    """At one string, and at all of them; some need no more than four would give."""
    for place in places(minor):
        ends = [
            (node.start + 8 + length, node.end)
            for node in place.nodes(String)
            if (length := len(str(node.value or "").encode())) % 8 in (1, 2, 3, 4)
            and node.end is not None
        ]
        for end, padded in ends[:MOST_NODES]:
            data = place.data[: padded - 4] + place.data[padded:]
            also = ("missing padding",) if end % 4 == 0 else ()
            yield Case(place.operation.name, f"at {end}", place.with_(data), None, also)
        if len(ends) > 1:
            data = place.data
            for _, padded in reversed(ends):
                data = data[: padded - 4] + data[padded:]
            also = ("missing padding",) if all(end % 4 == 0 for end, _ in ends) else ()
            yield Case(place.operation.name, "all", place.with_(data), None, also)


def counted_zeros(minor: int) -> Iterator[Case]:
    """A length that counts the padding, or the NUL behind the text."""
    for place in places(minor):
        for node in place.nodes(String)[:MOST_FIELDS]:
            raw = str(node.value or "").encode()
            if not raw or node.wire.name in ("String", "Contents") or node.end is None:
                continue
            for zeros in {1, -len(raw) % 8} - {0}:
                talk = place.change(node.start, node.end, text(raw + bytes(zeros)))
                yield Case(place.operation.name, f"{node.name} +{zeros}", talk)


def other_feature(minor: int) -> Iterator[Case]:
    """The layout of a feature that was not agreed on."""
    if minor < NEWEST_MINOR:
        return
    for place in places(minor):
        makes = request_of if place.side == CLIENT else reply_of
        for name in FEATURES:
            data = makes(place.operation, Protocol(minor, frozenset((name,))))
            if data != place.data and place.operation.name != "QueryRealisation":  # texts, both
                yield from _shapes(place, data, name, (*SHORTER, *LONGER, *OF_FIELDS))


def string_for_a_list(minor: int) -> Iterator[Case]:
    for place in places(minor):
        for node in place.nodes(ListOf)[:MOST_NODES]:
            element = node.wire.element if isinstance(node.wire, ListOf) else None
            if isinstance(element, String) and node.end is not None:
                said = " ".join(TYPICAL.get(element.name, ("some words", "others")))
                talk = place.change(node.start, node.end, text(said.encode()))
                yield Case(place.operation.name, node.name, talk)


def line_ends(minor: int) -> Iterator[Case]:
    """A terminal on the way: in texts of each message, and in the log and the error before it."""
    if minor == OLDEST_MINOR:  # a line feed is in its number, 0x10a: the handshake is broken
        for side in (CLIENT, DAEMON):
            for name, going in (("stops", ()), ("goes on", FOLLOWING)):
                talk = TypicalPlaybook(minor)
                talk.whole(*going)
                talk.turns = [
                    (who, data.replace(b"\n", b"\r\n") if who == side and data else data)
                    for who, data in talk.turns
                ]
                yield Case("handshake", f"{side} {name}", talk, CLIENT)
        return
    for place in places(minor):
        for node in place.nodes(String)[:MOST_NODES]:
            if isinstance(node.wire, String) and node.wire.name in ("String", "Contents", "Json"):
                lines = text(str(node.value or "{}").encode() + b"\nand more\n")
                talk = place.change(node.start, node.end or 0, lines)
                yield Case(place.operation.name, node.name, through_terminal(talk, place.side))
    for operation in known(minor):
        for length in (5, 7, 9, 14):  # no padding, one byte of it, and ten bytes
            for ends in (False, True):
                talk = begun(minor)
                talk.ask(operation.name)
                talk.daemon(word(STDERR_NEXT), text(b"x" * length + b"\n"))
                talk.daemon(word(STDERR_NEXT), text(b"one\ntwo\n"))
                if not ends:
                    talk.answer(operation.name)
                    talk.whole(*FOLLOWING)
                how = f"log of {length}, {'ends' if ends else 'goes on'}"
                left = CLIENT if ends else None
                yield Case(operation.name, how, through_terminal(talk, DAEMON), left)
        talk = begun(minor)
        talk.ask(operation.name)
        talk.daemon(error(minor, b"it failed:\nfor a reason"))
        talk.whole(*FOLLOWING)
        yield Case(operation.name, "error", through_terminal(talk, DAEMON))


def through_terminal(talk: TypicalPlaybook, side: int) -> TypicalPlaybook:
    """Have what a side says pass a terminal, behind the handshake."""
    first = len(begun(talk.protocol.minor).turns) - 2
    for i, (speaker, data) in enumerate(talk.turns):
        if i >= first and speaker == side and data:
            talk.turns[i] = (side, data.replace(b"\n", b"\r\n"))
    return talk


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
        if payload is not None and payload.content == "paths":
            content = bare_paths()
        if payload is not None and payload.content == "log":
            continue
        for talk, left in _instead(minor, operation, content):
            yield Case(operation.name, "" if left is None else "leaves", talk, left)


def bare_paths() -> bytes:
    """What AddMultipleToStore sends, in no frames."""
    info = typical(wire_of(UnkeyedValidPathInfo), Protocol(16))
    return word(1) + text(PATH.encode()) + encode(info.wire, info, Protocol(16)) + NAR


def padded_frames(minor: int) -> Iterator[Case]:
    for operation, _ in _with_payload(minor, FRAMES):
        for parts in ((b"a text of some length",), (b"one", b"two and a half", NAR)):
            frames = b"".join(map(text, parts)) + word(0)
            for talk, left in _instead(minor, operation, frames):
                how = f"{len(parts)} frames" + (" leaves" if left is not None else "")
                yield Case(operation.name, how, talk, left)


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
    if minor == OLDEST_MINOR:
        return  # daemons that read one word more in the handshake look the same
    for place in places(minor):
        for node in (
            place.nodes(Word, Enumeration, Boolean, String)[:MOST_NODES]
            if place.side == CLIENT
            else ()
        ):
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
    if minor == OLDEST_MINOR:
        return
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


# The handshake ----------------------------------------------------------------------------------

OFFERED = (b"realisation-with-path-not-hash", b"delete-dead-specific-referrers")


def greeting(
    minor: int, client: bytes | None = None, daemon: bytes | None = None, first: int | None = None
) -> TypicalPlaybook:
    """A session whose sides say this behind their versions; `first` says features before it."""
    version = word(0x100 | minor)
    ours, theirs = hellos(minor)
    magics = [word(CLIENT_MAGIC), word(DAEMON_MAGIC)]
    if first is not None:
        magics[first] += listed()
    talk = TypicalPlaybook(minor, [(CLIENT, magics[CLIENT]), (DAEMON, magics[DAEMON] + version)])
    talk.client(version + (ours if client is None else client))
    talk.daemon((theirs if daemon is None else daemon) + word(STDERR_LAST))
    return talk


def hellos(minor: int) -> tuple[bytes, bytes]:
    """What each side says behind its version."""
    ours = (word(0) if minor >= 38 else b"") + bytes(8 * ((minor >= 14) + (minor >= 11)))
    theirs = (word(0) if minor >= 38 else b"") + (text(b"2.24.9") if minor >= 33 else b"")
    return ours, theirs + (word(1) if minor >= 35 else b"")


def listed(count: int = 2) -> bytes:
    return word(count) + b"".join(map(text, OFFERED[:count]))


def _greeted(name: str, talk: TypicalPlaybook) -> Iterator[Case]:
    yield Case("handshake", f"{name} stops", talk, CLIENT)
    going = TypicalPlaybook(talk.protocol.minor, talk.turns)
    going.whole("IsValidPath", *FOLLOWING)
    yield Case("handshake", f"{name} goes on", going)


def missing_features(minor: int) -> Iterator[Case]:
    if minor >= 38:
        yield from _greeted("client", greeting(minor, client=bytes(16)))
        theirs = text(b"2.24.9") + word(1)
        yield from _greeted("daemon", greeting(minor, daemon=theirs))


def undue_features(minor: int) -> Iterator[Case]:
    ours, theirs = hellos(minor)
    if minor < 38:
        for count in range(3):
            talk = greeting(minor, client=listed(count) + ours)
            also = ("extra field",) if minor < 11 and not count else ()  # as in 1.11
            for case in _greeted(f"client {count}", talk):
                yield replace(case, also=also)
            yield from _greeted(f"daemon {count}", greeting(minor, daemon=listed(count) + theirs))


def misplaced_features(minor: int) -> Iterator[Case]:
    for side in (CLIENT, DAEMON):
        yield from _greeted(f"before the version, {side}", greeting(minor, first=side))
    if minor >= 38:
        yield from _greeted("behind the flags", greeting(minor, client=bytes(16) + listed()))
        theirs = text(b"2.24.9") + word(1)
        yield from _greeted("behind the trust", greeting(minor, daemon=theirs + listed()))


def missing_trust(minor: int) -> Iterator[Case]:
    if minor >= 35:
        yield from _greeted("", greeting(minor, daemon=hellos(minor)[1][:-8]))


def doubled_hello(minor: int) -> Iterator[Case]:
    """The client greets anew, behind another request; the daemon refuses it, or greets, too."""
    version = word(0x100 | minor)
    ours = word(CLIENT_MAGIC) + version
    for daemon in (error(minor, b"invalid operation"), word(DAEMON_MAGIC) + version, b""):
        for client in (ours, ours + hellos(minor)[0]):
            talk = begun(minor)
            talk.client(client)
            talk.daemon(daemon)
            yield Case("handshake", f"{len(client)}, {len(daemon)}", talk, CLIENT)


def undue_trust(minor: int) -> Iterator[Case]:
    if minor < 35:
        for trust in range(3):
            talk = greeting(minor, daemon=hellos(minor)[1] + word(trust))
            yield from _greeted(str(trust), talk)


# A terminal on the way --------------------------------------------------------------------------


def terminal_echo(minor: int) -> Iterator[Case]:
    """The hello comes back with its control characters made visible, alone or in front of all."""
    client = word(CLIENT_MAGIC) + word(0x100 | minor)
    visible = b"".join(b"^%c" % (byte ^ 64) if byte < 32 else bytes((byte,)) for byte in client)
    for name, banner in (("alone", b""), ("behind a banner", b"Welcome\r\n")):
        yield Case(
            "handshake", name,
            TypicalPlaybook(minor, [(CLIENT, client), (DAEMON, banner + visible)]), CLIENT,
        )  # fmt: skip
        talk = TypicalPlaybook(minor)
        side, data = talk.turns[1]
        talk.turns[1] = (side, banner + visible + (data or b""))
        yield Case("handshake", f"{name}, and goes on", talk)


def swallowed_bytes(minor: int) -> Iterator[Case]:
    """The daemon reads the request without the bytes of its first number, or of a later one."""
    for operation in known(minor):
        data = word(operation.code) + request_of(operation, Protocol(minor))
        words = first_text(data)
        for taken in (b"\x03\x1a\x1c", b"\x11\x13", b"\x04\x12\x15\x16\x17"):
            at = next((i for i in range(0, words - 15, 8) if data[i] in taken), None)
            number = int.from_bytes(data[at + 1 : at + 9], "little") if at is not None else 0
            if number:
                talk = begun(minor)
                talk.ask(operation.name)
                talk.daemon(error(minor, b"serialised integer %d is too large" % number))
                yield Case(operation.name, f"byte {at}", talk, DAEMON)


def first_text(data: bytes) -> int:
    """Where a request's words end, and a text or the end follows."""
    return next((i for i in range(8, len(data), 8) if any(data[i + 1 : i + 8])), len(data))


PLANTED: dict[str, Callable[[int], Iterator[Case]]] = {
    "missing one": missing_one,
    "extra one": extra_one,
    "missing field": missing_field,
    "extra field": extra_field,
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
    "padding to four": padded_to_four,
    "counted zeros": counted_zeros,
    "other feature": other_feature,
    "string for a list": string_for_a_list,
    "CR LF for LF": line_ends,
    "text in the stream": printed,
    "half a NAR": half_a_nar,
    "unended frames": unended_frames,
    "half a frame": half_a_frame,
    "bare NAR": bare_nar,
    "padded frames": padded_frames,
    "string for frames": string_for_frames,
    "unread one": unread_one,
    "unread field": unread_field,
    "unread payload": unread_payload,
    "missing feature list": missing_features,
    "undue feature list": undue_features,
    "misplaced features": misplaced_features,
    "missing trust word": missing_trust,
    "undue trust word": undue_trust,
    "doubled hello": doubled_hello,
    "terminal echo": terminal_echo,
    "swallowed bytes": swallowed_bytes,
}
"""By the name of the mistake."""


# Anywhere ---------------------------------------------------------------------------------------

_MISSING = (*SHORTER, "missing field")
_EXTRA = (*LONGER, "extra field")
_ENDS = (None, None, CLIENT, DAEMON)


def anywhere(random: Random) -> Case:
    """A mistake in a message of a session whose values are at random: `operation` is whose, with
    its number; `also` are all mistakes that may be named.
    """
    minor = random.randint(OLDEST_MINOR, NEWEST_MINOR)
    protocol = Protocol(minor)
    talk, operations = TypicalPlaybook(minor), list(known(minor))
    where = random.randrange(4)
    left = random.choice(_ENDS)
    how, title = "", ""
    also: tuple[str, ...] = ()
    for i in range(where + random.randint(1, 4)):
        operation = random.choice(operations)
        said = [
            encode(wire, value_of(wire, protocol, random), protocol)
            for wire in (operation.request, operation.reply)
        ]
        told = b""
        if i == where:
            side, title = random.choice((CLIENT, DAEMON)), f"#{i + 2} {operation.name}"
            wire, data, code = (operation.request, operation.reply)[side], said[side], b""
            in_log = side == DAEMON and random.random() < 0.4
            if in_log:
                frame = log(minor, random)[0]
                told = as_said(frame, protocol)
                wire, code, data = frame.wire, told[:8], told[8:]
            how, data, also = random.choice(list(_changes(wire, data, minor, random)))
            if in_log:
                told = code + data
            else:
                said[side] = data
        talk.ask(operation.name, said[CLIENT])
        if i == where and side == CLIENT and left is not None:
            break
        talk.daemon(told)
        talk.answer(operation.name, said[DAEMON])
    return Case(title, how, talk, left, also)


def _changes(
    wire: Wire, data: bytes, minor: int, random: Random
) -> Iterator[tuple[str, bytes, tuple[str, ...]]]:
    """Yield ways to get a message wrong, at a place at random, and what may be said of each."""
    parts = [n for n in nodes(wire, data, minor) if n.end is not None and n.end <= len(data)]
    fields = [n for n in parts if isinstance(n.wire, (Word, Boolean, Enumeration, String, ListOf))]
    yield "more behind", data + random.choice((word(0), word(1), word(5), text(b"xyz"))), _EXTRA
    if len(data) >= 8:
        yield "less", data[: -random.choice((8, 16))], _MISSING
    if fields:
        node = random.choice(fields)
        start, end = node.start, node.end or 0
        put = random.choice((word(0), word(1), word(77), text(b"what"), text(b"/nix/store/a")))
        yield f"{put!r} before {node.name}", data[:start] + put + data[start:], _EXTRA
        if end > start:
            yield f"no {node.name}", data[:start] + data[end:], _MISSING
        if not isinstance(node.wire, (String, ListOf)) and end - start == 8:
            number = data[start:end]
            yield f"narrow {node.name}", data[:start] + number[:4] + data[end:], ("32-bit number",)
            if any(number):
                turned = data[:start] + number[::-1] + data[end:]
                yield f"{node.name} turned", turned, ("big-endian number",)
    if texts := [n for n in parts if isinstance(n.wire, String) and n.value]:
        node = random.choice(texts)
        raw = str(node.value).encode()
        for name, said, also in (
            ("unpadded", word(len(raw)) + raw, ("missing padding",)),
            ("to four", word(len(raw)) + raw + bytes(-len(raw) & 3), ("padding to four",)),
            ("NUL counted", text(raw + b"\0"), ("counted zeros",)),
        ):
            changed = data[: node.start] + said + data[node.end or 0 :]
            yield f"{node.name} {name}", changed, (*also, "missing padding")


def blamed(case: Case, folder: Path) -> list[str]:
    """Return the mistakes that are named for certain of such a session but are not in it."""
    session = saved(case.talk, folder, left=case.left)
    number = int(case.operation[1:].split()[0])
    wrong = [
        f"{found.mistake.label}: {found.explanation}"
        for found in found_in(session)
        if found.mistake is not None and found.diagnosis is not None and found.diagnosis.certain
        and not (
            found.mistake.label in case.also
            and (found.exchange == number or case.operation in " ".join(found.explanation))
        )
    ]  # fmt: skip
    session.close()
    return wrong
