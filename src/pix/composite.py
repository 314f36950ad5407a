"""Values made of values: lists, maps, optional and tagged values, records.

A record is a list of named fields, each with a gate; which of them are on the wire is
settled once per protocol and cached, for the scanner as well as for the other readings.
Fields of a list of strings are decoded when they are looked at, so a reply of a million
paths costs eight bytes a path.

Nothing here knows which records exist. Source of the layouts: Nix `worker-protocol.cc`,
`length-prefixed-protocol-helper.hh`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from pix.cursor import CHOICE, LIST, TEXTS, Program, Step, merged, u64_at
from pix.errors import DecodeError, EncodeError, Truncated
from pix.gates import ALWAYS, Gate, Protocol
from pix.wire import Node, Reader, String, Wire, bytes_of, pack_u64, text_of

if TYPE_CHECKING:
    from pix.payload import Payload

MISSING: Any = object()
"""The default of a field that has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field of a record: where it stands, when, and what it means."""

    name: str
    wire: Wire
    doc: str
    gate: Gate = ALWAYS
    default: Any = MISSING
    factory: Callable[[], Any] | None = None

    def absent(self) -> Any:
        """Return the value of the field in a version that does not have it."""
        return self.factory() if self.factory is not None else self.default


class Texts(Sequence[Node]):
    """The nodes of a list of strings, made when they are looked at."""

    def __init__(self, reader: Reader, wire: String, starts: array[int]) -> None:
        self._reader = Reader(reader.buf, reader.protocol, reader.base)
        self._wire = wire
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> list[Node]: ...
    def __getitem__(self, index: int | slice) -> Node | list[Node]:
        if isinstance(index, slice):
            return [self._node(i) for i in range(*index.indices(len(self._starts)))]
        return self._node(range(len(self._starts))[index])

    def __iter__(self) -> Iterator[Node]:
        return (self._node(i) for i in range(len(self._starts)))

    def _node(self, i: int) -> Node:
        out: list[Node] = []
        self._reader.pos = self._starts[i]
        self._wire.tree(self._reader, str(i), out)
        return out[0]


class ListOf(Wire):
    """A count and so many elements. `unordered`: Nix reads it as a set, we as a frozenset.

    Sets are written in ascending order of their bytes, as Nix does; lists as they are.
    """

    def __init__(self, element: Wire, *, unordered: bool = False) -> None:
        self.element = element
        self.unordered = unordered
        self.name = f"{'Set' if unordered else 'List'}<{element.name}>"
        self.doc = f"a count, then so many {element.name}"

    def program(self, protocol: Protocol) -> Program:
        if isinstance(self.element, String):
            return ((TEXTS, 1),)
        return ((LIST, self.element.program(protocol)),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        pos = reader.pos
        start = reader.base + pos
        count = reader.u64()
        if isinstance(self.element, String):
            starts = array("Q")
            node = Node(name, self, start, None, None, Texts(reader, self.element, starts), field)
            out.append(node)
            buf, pos, end = reader.buf, pos + 8, reader.end
            for _ in range(count):
                if pos + 8 > end:
                    raise Truncated(
                        reader.base + pos, f"{name}[{len(starts)}] of {count}", pos + 8 - end
                    )
                (n,) = u64_at(buf, pos)
                after = pos + 8 + n + (-n & 7)
                if after > end:
                    raise Truncated(reader.base + pos, f"a string of {n} bytes", after - end)
                starts.append(pos)
                pos = after
            reader.pos = pos
            node.end = reader.base + pos
            return
        children: list[Node] = []
        node = Node(name, self, start, None, None, children, field)
        out.append(node)
        for i in range(count):
            before = reader.pos
            self.element.tree(reader, str(i), children)
            if reader.pos == before:
                raise DecodeError(reader.offset, f"element {i} of {count}", "nothing")
        node.end = reader.base + reader.pos

    def read(self, reader: Reader) -> Any:
        count = reader.u64()
        if count > reader.end - reader.pos:  # an element takes 8 bytes at least
            raise Truncated(reader.offset - 8, f"a list of {count}", count * 8)
        read = self.element.read
        values = [read(reader) for _ in range(count)]
        return frozenset(values) if self.unordered else tuple(values)

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise self.expected(value)
        if isinstance(value, (set, frozenset)):
            if not isinstance(self.element, String):
                raise self.expected(value)
            value = sorted(value, key=lambda v: bytes_of(v) if isinstance(v, str) else v)
        items = list(value)
        out += pack_u64(len(items))
        for i, item in enumerate(items):
            try:
                self.element.write(item, out, protocol)
            except EncodeError as error:
                raise error.inside(f"[{i}]") from None

    def plain(self, node: Node) -> Any:
        return [child.plain() for child in node.children or ()]

    def value_of(self, plain: Any) -> Any:
        if not isinstance(plain, list):
            raise self.expected(plain)
        return [self.element.value_of(item) for item in plain]


class MapOf(Wire):
    """A count and so many pairs of a string and a value, ascending in Nix's own output.

    Read as a dict in wire order, later duplicates winning; written in the dict's order.
    """

    def __init__(self, key: String, value: Wire) -> None:
        self.key = key
        self.value = value
        self.name = f"Map<{key.name}, {value.name}>"
        self.doc = f"a count, then so many pairs of {key.name} and {value.name}"

    def program(self, protocol: Protocol) -> Program:
        if isinstance(self.value, String):
            return ((TEXTS, 2),)
        pair = [*self.key.program(protocol), *self.value.program(protocol)]
        return ((LIST, merged(pair)),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        start = reader.offset
        count = reader.u64()
        children: list[Node] = []
        node = Node(name, self, start, None, None, children, field)
        out.append(node)
        for _ in range(count):
            pair_start = reader.offset
            key = text_of(reader.buf[reader.pos + 8 : reader.skip_string()])
            entry = Node(key, PAIR, pair_start, None, key, [])
            children.append(entry)
            inner: list[Node] = entry.children  # type: ignore[assignment]
            self.value.tree(reader, "value", inner)
            entry.end = reader.offset
        node.end = reader.offset

    def read(self, reader: Reader) -> Any:
        count = reader.u64()
        if count > reader.end - reader.pos:
            raise Truncated(reader.offset - 8, f"a map of {count}", count * 16)
        return {text_of(reader.string()): self.value.read(reader) for _ in range(count)}

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if isinstance(value, dict):
            value = value.items()
        elif not isinstance(value, (list, tuple)):
            raise self.expected(value)
        out += pack_u64(len(value))
        for key, item in value:
            try:
                self.key.write(key, out, protocol)
                self.value.write(item, out, protocol)
            except EncodeError as error:
                raise error.inside(f"[{key!r}]") from None

    def plain(self, node: Node) -> Any:
        pairs = [
            (entry.value, entry.children[0].plain() if entry.children else None)
            for entry in node.children or ()
        ]
        plain = dict(pairs)
        return plain if len(plain) == len(pairs) else [list(pair) for pair in pairs]

    def value_of(self, plain: Any) -> Any:
        pairs = list(plain.items()) if isinstance(plain, dict) else plain
        if not isinstance(pairs, list) or not all(len(pair) == 2 for pair in pairs):
            raise self.expected(plain)
        return [(key, self.value.value_of(item)) for key, item in pairs]


class Pair(Wire):
    """One entry of a map, as the tree shows it."""

    name = "Pair"
    doc = "a key and a value"

    def plain(self, node: Node) -> Any:
        return node.children[0].plain() if node.children else None


PAIR = Pair()


class Maybe(Wire):
    """A word that says whether a value follows: 0 None, 1 the value.

    `flag` names the word. `lenient`: every number but 0 counts as 1, as where Nix reads a
    bool. `gate`: versions outside it have no such word, the value always follows.
    """

    def __init__(
        self, inner: Wire, flag: str = "present", *, lenient: bool = False, gate: Gate = ALWAYS
    ) -> None:
        self.inner = inner
        self.flag = flag
        self.lenient = lenient
        self.gate = gate
        self.name = f"Maybe<{inner.name}>"
        self.doc = f"0, or 1 and then {inner.name}"

    def program(self, protocol: Protocol) -> Program:
        inner = self.inner.program(protocol)
        if not self.gate.admits(protocol):
            return inner
        return ((CHOICE, {0: (), (None if self.lenient else 1): inner}),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        if not self.gate.admits(reader.protocol):
            self.inner.tree(reader, name, out, field)
            return
        start = reader.offset
        tag = self._tag(reader)
        note = None if tag < 2 else f"{tag} is not a canonical boolean"
        flag = Node(self.flag, FLAG, start, start + 8, tag != 0, None, None, note)
        children = [flag]
        node = Node(name, self, start, None, None, children, field)
        out.append(node)
        if tag:
            self.inner.tree(reader, "value", children)
        node.end = reader.offset

    def read(self, reader: Reader) -> Any:
        if self.gate.admits(reader.protocol) and self._tag(reader) == 0:
            return None
        return self.inner.read(reader)

    def _tag(self, reader: Reader) -> int:
        tag = reader.u64()
        if tag > 1 and not self.lenient:
            raise DecodeError(reader.offset - 8, "the tag 0 or 1", str(tag))
        return tag

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if self.gate.admits(protocol):
            out += pack_u64(0 if value is None else 1)
            if value is None:
                return
        elif value is None:
            raise EncodeError(
                "", f"absence cannot be said before 1.{self.gate.since} (this is {protocol.text})"
            )
        self.inner.write(value, out, protocol)

    def plain(self, node: Node) -> Any:
        children = node.children or ()
        return children[1].plain() if len(children) > 1 else None

    def value_of(self, plain: Any) -> Any:
        return None if plain is None else self.inner.value_of(plain)


class Flag(Wire):
    """The word in front of an optional or tagged value, as the tree shows it."""

    name = "Flag"
    doc = "says what follows"


FLAG = Flag()


class Tagged(Wire):
    """A word that says which of several values follows.

    `choices` maps the tag to a label, the Python type that stands for it and its wire type
    (None: nothing follows, the value is None).
    """

    def __init__(
        self, name: str, doc: str, choices: dict[int, tuple[str, type, Wire | None]]
    ) -> None:
        self.name = name
        self.doc = doc
        self.choices = choices

    def program(self, protocol: Protocol) -> Program:
        return (
            (
                CHOICE,
                {
                    tag: () if wire is None else wire.program(protocol)
                    for tag, (_, _, wire) in self.choices.items()
                },
            ),
        )

    def _choice(self, reader: Reader) -> tuple[int, str, Wire | None]:
        tag = reader.u64()
        if tag not in self.choices:
            tags = " or ".join(f"{t} ({label})" for t, (label, _, _) in self.choices.items())
            raise DecodeError(reader.offset - 8, f"the tag {tags}", str(tag))
        label, _, wire = self.choices[tag]
        return tag, label, wire

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        start = reader.offset
        _, label, wire = self._choice(reader)
        children = [Node("tag", FLAG, start, start + 8, label)]
        node = Node(name, self, start, None, None, children, field)
        out.append(node)
        if wire is not None:
            wire.tree(reader, "value", children)
        node.end = reader.offset

    def read(self, reader: Reader) -> Any:
        _, _, wire = self._choice(reader)
        return None if wire is None else wire.read(reader)

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        for tag, (_, kind, wire) in self.choices.items():
            if isinstance(value, kind) and not isinstance(value, bool):
                out += pack_u64(tag)
                if wire is not None:
                    wire.write(value, out, protocol)
                return
        raise self.expected(value)

    def plain(self, node: Node) -> Any:
        children = node.children or ()
        return children[1].plain() if len(children) > 1 else None

    def value_of(self, plain: Any) -> Any:
        for _, kind, wire in self.choices.values():
            if isinstance(wire, Record) and isinstance(plain, dict):
                return wire.value_of(plain)
            if wire is not None and isinstance(plain, kind) and not isinstance(plain, bool):
                return wire.value_of(plain)
        if plain is None:
            return None
        raise self.expected(plain)


class Record(Wire):
    """Named fields one after the other, without a header.

    `kind` is the Python class; `payload`, when there is one, follows the fields and is not
    part of this wire type's readings (`pix.payload` has its own).
    """

    def __init__(
        self, name: str, doc: str, kind: type, fields: Sequence[Field], payload: Payload | None
    ) -> None:
        self.name = name
        self.doc = doc
        self.kind = kind
        self.fields = tuple(fields)
        self.payload = payload
        self._layouts: dict[Protocol, tuple[Field, ...]] = {}
        self._programs: dict[Protocol, Program] = {}

    def layout(self, protocol: Protocol) -> tuple[Field, ...]:
        """Return the fields that are on the wire in `protocol`, in wire order."""
        layout = self._layouts.get(protocol)
        if layout is None:
            layout = tuple(field for field in self.fields if field.gate.admits(protocol))
            if len(self._layouts) < 512:  # feature sets come from the wire: bounded
                self._layouts[protocol] = layout
        return layout

    def program(self, protocol: Protocol) -> Program:
        program = self._programs.get(protocol)
        if program is None:
            steps: list[Step] = []
            for field in self.layout(protocol):
                steps += field.wire.program(protocol)
            program = merged(steps)
            if len(self._programs) < 512:
                self._programs[protocol] = program
        return program

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        children: list[Node] = []
        node = Node(name, self, reader.base + reader.pos, None, None, children, field)
        out.append(node)
        for part in self.layout(reader.protocol):
            part.wire.tree(reader, part.name, children, part)
        node.end = reader.base + reader.pos

    def read(self, reader: Reader) -> Any:
        values = {}
        present = self.layout(reader.protocol)
        for field in present:
            values[field.name] = field.wire.read(reader)
        if len(present) != len(self.fields):
            for field in self.fields:
                if field.name not in values:
                    values[field.name] = field.absent()
        return self.kind(**values)

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if not isinstance(value, self.kind):
            raise self.expected(value)
        for field in self.fields:
            item = getattr(value, field.name)
            try:
                if field.gate.admits(protocol):
                    if item is MISSING:
                        raise EncodeError("", f"is needed in {protocol}")
                    field.wire.write(item, out, protocol)
                elif item is not MISSING and item != field.absent():
                    raise EncodeError("", field.gate.why_not(protocol))
            except EncodeError as error:
                raise error.inside(field.name) from None

    def plain(self, node: Node) -> Any:
        return {child.name: child.plain() for child in node.children or ()}

    def value_of(self, plain: Any) -> Any:
        if not isinstance(plain, dict):
            raise self.expected(plain)
        known = {field.name: field for field in self.fields}
        values = {}
        for name, item in plain.items():
            if name not in known:
                raise EncodeError(name, f"no such field in {self.name} ({', '.join(known)})")
            try:
                values[name] = known[name].wire.value_of(item)
            except EncodeError as error:
                raise error.inside(name) from None
        for name, field in known.items():
            optional = field.gate is not ALWAYS or field.factory is not None
            if name not in values and field.default is MISSING and not optional:
                raise EncodeError(name, f"{self.name} needs this field")
        return self.kind(**values)


def decode(wire: Wire, data: bytes | bytearray | memoryview, protocol: Protocol) -> Any:
    """Return the one value that `data` is. Raises DecodeError, also when bytes are left over."""
    reader = Reader(data, protocol)
    value = wire.read(reader)
    if reader.pos != reader.end:
        left = reader.end - reader.pos
        raise DecodeError(reader.pos, "the end of the data", f"{left} more bytes")
    return value


def encode(wire: Wire, value: Any, protocol: Protocol) -> bytes:
    """Return the bytes of `value`. Raises EncodeError that names the field and the version."""
    out = bytearray()
    wire.write(value, out, protocol)
    return bytes(out)


@dataclass(slots=True)
class Tree:
    """What `tree` made of some bytes: the nodes, how far it came, and why no further."""

    nodes: list[Node]
    end: int
    error: DecodeError | None


def tree(
    wire: Wire,
    data: bytes | bytearray | memoryview,
    protocol: Protocol,
    *,
    name: str = "",
    base: int = 0,
) -> Tree:
    """Return the tree of the first value in `data`, partial when the bytes are bad.

    `base` is the stream offset of `data[0]`. Never raises on account of the data: the tree
    then ends at the bad byte, with the reason in `error`.
    """
    reader = Reader(data, protocol, base)
    nodes: list[Node] = []
    error = None
    try:
        wire.tree(reader, name or wire.name, nodes)
    except DecodeError as problem:
        error = problem
    return Tree(nodes, reader.offset, error)


__all__ = [
    "MISSING",
    "Field",
    "ListOf",
    "MapOf",
    "Maybe",
    "Record",
    "Tagged",
    "Texts",
    "Tree",
    "decode",
    "encode",
    "tree",
]
