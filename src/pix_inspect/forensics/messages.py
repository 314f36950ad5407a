"""What one side said in one turn, as declared: a message, its payload, and what follows it.

A client that pipelines says several requests in a turn, and its daemon several answers; so what
follows the first message is read on by the declarations up to where the speaker stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pix.codec.declare import OPERATIONS, STDERR_FRAMES, Operation
from pix.codec.errors import DecodeError, Truncated
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, WORKER, Protocol
from pix.codec.lists import MapOf
from pix.codec.payload import PULLED, Payload
from pix.codec.records import Field, Record
from pix.codec.values import Tree, tree
from pix.codec.wire import Meaning, Node, Reader, String, Wire, Word
from pix.dataclass import dataclass
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix.protocol.types import FEATURES

MOST_MISSING = 1 << 24
"""Bytes that what is cut may lack."""
BELIEVABLE = 1 << 50
"""A size or a time that can be believed."""


class Following(Wire):
    """Messages behind the first one, up to the end of the bytes."""

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        while reader.pos < reader.end:
            self.one(reader, out)

    def one(self, reader: Reader, out: list[Node]) -> None:
        """Read one message. Raises DecodeError."""
        raise NotImplementedError


class Requests(Following):
    """Requests, each with its number and its payload; the daemon speaks `agreed`, if given."""

    def __init__(self, agreed: Protocol | None = None) -> None:
        self.agreed = agreed

    def one(self, reader: Reader, out: list[Node]) -> None:
        at = reader.offset
        code = reader.u64()
        operation = OPERATIONS.get(reader.protocol.family.code(code))
        if operation is None or is_gone(operation):
            raise DecodeError(at, "an operation", str(code))
        Fields(operation.request).tree(reader, f"then {operation.name}", out)
        payload = operation.request.payload
        # what is sent when the daemon asks for it comes only where the daemon would ask
        talks = (reader.protocol, self.agreed or reader.protocol)
        if payload is not None and all(payload.carriage(each) is PULLED for each in talks):
            if reader.pos < reader.end:
                reader.string()
            reader.pos = reader.end  # how many answers to STDERR_READ follow is not known


def is_gone(operation: Operation) -> bool:
    """Whether no version that is described here has an operation."""
    removed = operation.life.removed
    return removed is not None and removed.minor is not None and removed.minor <= OLDEST_MINOR


class Answers(Following):
    """Answers to what was asked, in that order: log frames, then a reply or an error."""

    def __init__(self, asked: Sequence[Operation]) -> None:
        self.asked = asked

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        for operation in self.asked:
            if reader.pos == reader.end:
                return
            self._answer(operation, reader, out)
        if reader.pos < reader.end:
            raise DecodeError(reader.offset, "nothing more", f"{reader.end - reader.pos} bytes")

    def _answer(self, operation: Operation, reader: Reader, out: list[Node]) -> None:
        while reader.protocol.family.has_log:
            if reader.pos == reader.end:
                return  # its log goes on
            at = reader.offset
            code = reader.u64()
            frame = STDERR_FRAMES.get(code)
            if frame is None:
                raise DecodeError(at, "a STDERR frame", str(code))
            if code == STDERR_LAST:
                break
            frame.fields.tree(reader, frame.name, out)
            if code == STDERR_ERROR:
                return
        Fields(operation.reply).tree(reader, f"then {operation.name}", out)


class Fields(Wire):
    """A record's fields, and its payload where that stands behind them."""

    def __init__(self, record: Wire, payload: Payload | None = None) -> None:
        self.record = record
        self.payload = payload or (record.payload if isinstance(record, Record) else None)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        self.record.tree(reader, name, out, field)
        carriage = self.payload.carriage(reader.protocol) if self.payload is not None else None
        if carriage is not None and carriage.inline:
            carriage.read(reader)


@dataclass(frozen=True, slots=True)
class Message:
    """The bytes of one message and of those that follow it, to where their speaker stopped.

    `base` is the stream offset of the first byte; `payload`: what stands behind the fields.
    `stops`: the speaker waited for the other side then; otherwise it was interrupted, perhaps.
    `beyond` is what it said next, once the other side had spoken; `is_last`: nobody said more,
    so that the speaker may have been cut off.
    """

    wire: Wire
    data: bytes
    protocol: Protocol
    base: int = 0
    name: str = "value"
    payload: Payload | None = None
    following: Following | None = None
    stops: bool = True
    beyond: bytes = b""
    is_last: bool = False

    @property
    def has_payload(self) -> bool:
        """Whether payload stands in the stream behind the fields."""
        carriage = self.payload.carriage(self.protocol) if self.payload is not None else None
        return carriage is not None and carriage.inline

    def decoded(self, data: bytes | None = None, protocol: Protocol | None = None) -> Tree:
        """Return the tree of all of it, of other bytes or in another protocol."""
        data = self.data if data is None else data
        return tree(_Whole(self), data, protocol or self.protocol, name=self.name, base=0)

    def first(self, data: bytes | None = None) -> Tree:
        """Return the tree of the fields of the first message alone."""
        data = self.data if data is None else data
        return tree(self.wire, data, self.protocol, name=self.name, base=0)

    @property
    def is_whole(self) -> bool:
        """Whether the bytes end where they should by declaration, whatever values are in them."""
        found = self.decoded()
        return found.error is None and found.end == len(self.data)

    @property
    def is_first_whole(self) -> bool:
        """Whether the first message is there to its end, with what is sent along."""
        return replace(self, following=None).decoded().error is None

    @property
    def is_followed(self) -> bool:
        """Whether there is another whole message behind the first one."""
        found = self.decoded()
        read = Tree([node for node in found.nodes if node.end is not None], found.end, None)
        return len(read.nodes) > 1 and is_regular(read) and is_likely(read)

    @property
    def may_be_cut(self) -> bool:
        """Whether it may be right as far as it goes, and its speaker was cut off."""
        found = self.decoded()
        if not (self.is_last and isinstance(found.error, Truncated)):
            return False
        read = replace(found, error=None)
        return found.error.missing < MOST_MISSING and is_regular(read) and is_likely(read)

    @property
    def goes_on(self) -> bool:
        """Whether it was but interrupted, in it or in what follows it: then it lacks nothing."""
        if self.following is None:
            return False
        found = self.decoded(self.data + self.beyond)
        error = found.error
        read = Tree([node for node in found.nodes if node.end is not None], found.end, None)
        if error is not None and not (
            isinstance(error, Truncated) and error.missing < MOST_MISSING
        ):
            return False
        first = (read.nodes[0].end or 0) if read.nodes else len(self.data) + 1
        if first > len(self.data) and (not self.beyond or (error and len(read.nodes) < 2)):
            return False
        return is_regular(read) and is_likely(read)


class _Whole(Wire):
    """A message and those that follow it."""

    def __init__(self, message: Message) -> None:
        self.message = message

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        Fields(self.message.wire, self.message.payload).tree(reader, name, out)
        if self.message.following is not None:
            self.message.following.tree(reader, name, out)


def fits(message: Message, data: bytes | None = None, protocol: Protocol | None = None) -> bool:
    """Whether the bytes are exactly one such message and others, with nothing irregular."""
    data = message.data if data is None else data
    found = message.decoded(data, protocol)
    return found.end == len(data) and is_regular(found)


def is_regular(found: Tree) -> bool:
    """Whether all was read, and no value is irregular."""
    return found.error is None and not any(node.irregular for node, _ in all_nodes(found))


def other_minor(message: Message) -> int | None:
    """Return the version nearest to the agreed one whose layout the bytes have, if it has not."""
    if not message.data or fits(message):
        return None
    agreed, family = message.protocol.minor, message.protocol.family
    for minor in sorted(range(family.oldest, family.newest + 1), key=lambda m: abs(m - agreed)):
        other = replace(message.protocol, minor=minor)
        if minor == agreed or not fits(message, protocol=other):
            continue
        if is_likely(message.decoded(protocol=other)):
            return minor
    return None


def other_feature(message: Message) -> str | None:
    """Return the one feature with which, or without which, the bytes fit that do not as agreed."""
    minor, features = message.protocol.minor, message.protocol.features
    is_worker = message.protocol.family is WORKER
    if not is_worker or not message.data or minor < NEWEST_MINOR or fits(message):
        return None
    found = []
    for name in FEATURES:
        other = Protocol(minor, features ^ {name})
        if fits(message, protocol=other) and is_likely(message.decoded(protocol=other)):
            found.append(name)
    return found[0] if len(found) == 1 else None


def gated(wire: Wire, one: Protocol, other: Protocol) -> list[Field]:
    """Return the fields, at any depth, that are on the wire in one of two protocols only."""
    found: dict[str, Field] = {}
    for part in wire.walk():
        for each in part.fields if isinstance(part, Record) else ():
            if each.gate.admits(one) != each.gate.admits(other):
                found.setdefault(each.name, each)
    return list(found.values())


# Trees --------------------------------------------------------------------------------------


def nodes_of(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """Yield a tree's nodes, each with its path."""
    stack = [(node, path)]
    while stack:
        node, path = stack.pop()
        if not (node.children is not None and isinstance(node.wire, Record)):
            yield node, path
        stack.extend((child, f"{path}.{child.name}") for child in reversed(node.children or ()))


def all_nodes(found: Tree) -> Iterator[tuple[Node, str]]:
    """Yield the nodes of all messages, each with its path."""
    for root in found.nodes:
        yield from nodes_of(root, root.name)


def _is_any(_: str) -> bool:
    return True


def _is_path(text: str) -> bool:
    return text.startswith("/")


def _is_part(text: str) -> bool:
    return bool(text) and "/" not in text


def _is_json(text: str) -> bool:
    return text.startswith(("{", "[", "null"))


_LIKELY: dict[str, Callable[[str], bool]] = {
    "StorePath": _is_path,
    "MaybeStorePath": _is_path,
    "FilePath": _is_path,
    "DerivedPath": _is_path,
    "BaseName": lambda text: _is_part(text) and text[32:33] == "-",
    "Name": _is_part,
    "HashPart": str.isalnum,
    "OutputName": _is_part,
    "HashName": str.isalnum,
    "NarHash": lambda text: len(text) > 31 and not _is_path(text),
    "Signature": lambda text: ":" in text,
    "MaybeContentAddress": lambda text: ":" in text,
    "ContentAddressMethod": lambda text: ":" in text,
    "DrvOutputText": lambda text: "!" in text,
    "RealisationJson": _is_json,
    "Json": _is_json,
}
"""What texts of a kind look like; those that may be empty are not asked then."""


def is_likely(found: Tree, but: int = -1) -> bool:
    """Whether values look like what they are declared to be, but for the one that begins there."""
    return all(node.start == but or _is_likely_value(node) for node, _ in all_nodes(found))


def _is_likely_value(node: Node) -> bool:
    wire, value = node.wire, node.value
    if isinstance(wire, String):
        return is_likely_text(wire, value)
    if isinstance(wire, MapOf):
        return all(is_likely_text(wire.key, entry.value) for entry in node.children or ())
    if isinstance(wire, Word) and wire.meaning in (Meaning.SIZE, Meaning.TIME):
        return int(value) < BELIEVABLE
    return True


def is_likely_text(wire: String, value: object) -> bool:
    """Whether a text looks like what it is declared to be; numbers and NULs never do."""
    text = value if isinstance(value, str) else ""
    if not text and (wire.optional or wire.name == "Json"):
        return True
    return "\0" not in text and _LIKELY.get(wire.name, _is_any)(text)
