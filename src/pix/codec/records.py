"""Values made of values: optional and tagged values, and records.

A record is a list of named fields, each with a gate; which of them are on the wire is
settled once per protocol and cached, for the scanner as well as for the other readings.
`tree` finds the ends of a record's simple fields and makes their nodes when somebody looks.

Source of the layouts: Nix `worker-protocol.cc`, `length-prefixed-protocol-helper.hh`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from struct import error as StructError  # noqa: N812  (a class, whatever its name)
from typing import TYPE_CHECKING, Any, TypeAlias

from pix.codec.cursor import CHOICE, FAILURE, Program, Step, merged, u64_at
from pix.codec.errors import DecodeError, EncodeError, GateError
from pix.codec.gates import ALWAYS, Gate, Protocol
from pix.codec.irregular import Irregular, Irregularity
from pix.codec.lists import ListOf, MapOf
from pix.codec.wire import (
    WIDE,
    Boolean,
    Enumeration,
    LazyNodes,
    Node,
    Reader,
    String,
    Wire,
    Word,
    are_usual_texts,
    pack_u64,
)
from pix.dataclass import dataclass

if TYPE_CHECKING:
    from pix.codec.payload import Payload

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

    @property
    def is_optional(self) -> bool:
        """Whether a value of the record may be made without it."""
        return self.default is not MISSING or self.factory is not None or self.gate is not ALWAYS


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

    def parts(self) -> Sequence[Wire]:
        return (self.inner,)

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        return None if value is None else convert(self.inner, value)

    def program(self, protocol: Protocol) -> Program:
        inner = self.inner.program(protocol)
        if not self.gate.admits(protocol):
            return inner
        return ((CHOICE, {0: (), (None if self.lenient else 1): inner}),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        if self.gate is not ALWAYS and not self.gate.admits(reader.protocol):
            self.inner.tree(reader, name, out, field)
            return
        start = reader.base + reader.pos
        tag = self._tag(reader)
        odd = None if tag < 2 else Irregular(Irregularity.BOOLEAN, tag)
        flag = Node(self.flag, FLAG, start, start + 8, tag != 0, None, None, odd)
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
                "",
                f"absence cannot be said before {self.gate.family.version(self.gate.since or 0)}"
                f" (this is {protocol.text})",
            )
        self.inner.write(value, out, protocol)

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        children = node.children or ()
        return each(children[1]) if len(children) > 1 else None

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

    def parts(self) -> Sequence[Wire]:
        return [wire for _, _, wire in self.choices.values() if wire is not None]

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        for _, kind, wire in self.choices.values():
            if isinstance(value, kind) and wire is not None:
                return convert(wire, value)
        return value

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

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        children = node.children or ()
        return each(children[1]) if len(children) > 1 else None

    def value_of(self, plain: Any) -> Any:
        for _, kind, wire in self.choices.values():
            if isinstance(wire, Record) and isinstance(plain, dict):
                return wire.value_of(plain)
            if wire is not None and isinstance(plain, kind) and not isinstance(plain, bool):
                return wire.value_of(plain)
        if plain is None:
            return None
        raise self.expected(plain)


class Nonzero(Wire):
    """A failure: a record whose first word is not 0. None is a 0, and nothing more follows."""

    def __init__(self, inner: Record) -> None:
        self.inner = inner
        self.name = f"Nonzero<{inner.name}>"
        self.doc = f"0 for none, or {inner.name}, whose first word is another number"

    def parts(self) -> Sequence[Wire]:
        return (self.inner,)

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        return None if value is None else convert(self.inner, value)

    def program(self, protocol: Protocol) -> Program:
        first, *others = self.inner.layout(protocol)
        rest: list[Step] = [(FAILURE, f"{first.name} is not 0")]
        for field in others:
            rest += field.wire.program(protocol)
        return ((CHOICE, {0: (), None: merged(rest)}),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        start = reader.offset
        if reader.u64():
            reader.pos -= 8
            self.inner.tree(reader, name, out, field)
        else:
            out.append(Node(name, self, start, reader.offset, None, None, field))

    def read(self, reader: Reader) -> Any:
        if not reader.u64():
            return None
        reader.pos -= 8
        return self.inner.read(reader)

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if value is None:
            out += bytes(8)
            return
        start = len(out)
        self.inner.write(value, out, protocol)
        if out[start : start + 8] == bytes(8):
            raise EncodeError(self.inner.fields[0].name, "0 stands for none here")

    def value_of(self, plain: Any) -> Any:
        return None if plain is None else self.inner.value_of(plain)


class Ending(Enum):
    """How the end of a field is found."""

    BY_TREE = "by making its tree"
    WORD = "behind a word"
    TEXT = "behind a string"
    MAYBE_WORD = "behind a flag and perhaps a word"
    TEXTS = "behind a count and so many strings"
    PAIRS = "behind a count and twice so many strings"


BY_TREE, WORD, TEXT, MAYBE_WORD, TEXTS, PAIRS = Ending  # looked up by name they cost much
Plan: TypeAlias = "tuple[tuple[Ending, Field], ...]"
"""The fields of a record, and how the end of each is found."""


class Fields(LazyNodes):
    """The nodes of a record's fields; the simple ones are made when they are looked at."""

    __slots__ = ("_base", "_buf", "_plan", "_rows")

    def __init__(self, buf: bytes, base: int, plan: Plan, rows: list[Any]) -> None:
        self._buf = buf
        self._base = base
        self._plan = plan
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def item(self, i: int) -> Node:
        return self._node(Reader(self._buf, base=self._base), i)

    def __iter__(self) -> Iterator[Node]:
        reader = Reader(self._buf, base=self._base)
        return (self._node(reader, i) for i in range(len(self._rows)))

    def _node(self, reader: Reader, i: int) -> Node:
        row = self._rows[i]
        if type(row) is int:
            field = self._plan[i][1]
            reader.pos = row
            made: list[Node] = []
            field.wire.tree(reader, field.name, made, field)
            row = self._rows[i] = made[0]
        found: Node = row
        return found

    def plain(self) -> dict[str, Any]:
        found, buf = {}, self._buf
        for i, row in enumerate(self._rows):
            ending, field = self._plan[i]
            wire: Any = field.wire
            if type(row) is not int:
                found[row.name] = row.plain()
            elif ending is TEXT:
                found[field.name] = wire.at(buf, row)
            elif ending is WORD:
                found[field.name] = wire.shown(u64_at(buf, row)[0])
            elif ending is TEXTS:
                found[field.name] = wire.texts(buf, row)
            else:
                found[field.name] = self.item(i).plain()
        return found

    @property
    def are_usual(self) -> bool:
        buf = self._buf
        for i, row in enumerate(self._rows):
            ending, field = self._plan[i]
            wire: Any = field.wire
            if type(row) is not int:
                usual = row.is_usual
            elif ending is TEXT:
                usual = are_usual_texts(buf, row, 1)
            elif ending is MAYBE_WORD:
                usual = self.item(i).is_usual
            else:
                (n,) = u64_at(buf, row)
                if ending is WORD:
                    usual = n < WIDE and wire.of(n)[1] is None
                else:
                    usual = are_usual_texts(buf, row + 8, n if ending is TEXTS else 2 * n)
            if not usual:
                return False
        return True


def _behind(buf: bytes, pos: int, end: int, count: int) -> int:
    """Return the position behind so many strings, beyond `end` when they are not all there."""
    if count > end - pos >> 3:  # a string takes 8 bytes at least
        return end + 1
    try:
        for _ in range(count):
            (n,) = u64_at(buf, pos)
            pos += n + 15 & -8
    except (StructError, OverflowError):  # behind the end, or far behind it
        return end + 1
    return pos


def _ending(wire: Wire) -> Ending:
    if type(wire) in (Word, Boolean, Enumeration):
        return WORD
    if type(wire) is String:
        return TEXT
    if type(wire) is Maybe and wire.gate is ALWAYS and _ending(wire.inner) is WORD:
        return MAYBE_WORD
    if type(wire) is ListOf and type(wire.element) is String:
        return TEXTS
    if type(wire) is MapOf and type(wire.value) is String:
        return PAIRS
    return BY_TREE


class Record(Wire):
    """Named fields one after the other, without a header.

    `kind` is the Python class; `payload`, when there is one, follows the fields and is not
    part of this wire type's readings (`pix.codec.payload` has its own).
    """

    form = "its fields by name"

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
        self._last_plan: tuple[Protocol | None, Plan] = (None, ())

    def parts(self) -> Sequence[Wire]:
        return [field.wire for field in self.fields]

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        """Fields without a value, and the payload, are left out."""
        values = ((field, getattr(value, field.name)) for field in self.fields)
        return self.kind(
            **{
                field.name: convert(field.wire, item)
                for field, item in values
                if item is not MISSING
            }
        )

    def layout(self, protocol: Protocol) -> tuple[Field, ...]:
        """Return the fields that are on the wire in `protocol`, in wire order."""
        layout = self._layouts.get(protocol)
        if layout is None:
            layout = tuple(field for field in self.fields if field.gate.admits(protocol))
            if len(self._layouts) < 512:  # feature sets come from the wire: bounded
                self._layouts[protocol] = layout
        return layout

    def has(self, name: str, protocol: Protocol) -> bool:
        """Return whether the field `name` is on the wire in `protocol`."""
        return any(field.name == name for field in self.layout(protocol))

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
        buf, pos, end, base = reader.buf, reader.pos, reader.end, reader.base
        known, plan = self._last_plan
        if known is not reader.protocol:
            plan = tuple((_ending(part.wire), part) for part in self.layout(reader.protocol))
            self._last_plan = (reader.protocol, plan)
        rows: list[Any] = []
        node = Node(name, self, base + pos, None, None, Fields(buf, base, plan, rows), field)
        out.append(node)
        for ending, part in plan:
            if ending is not BY_TREE and pos + 8 <= end:
                if ending is WORD:
                    rows.append(pos)
                    pos += 8
                    continue
                (n,) = u64_at(buf, pos)
                if ending is TEXT:
                    after = pos + (n + 15 & -8)
                elif ending is MAYBE_WORD:
                    after = pos + 8 + 8 * n if n < 2 else end + 1
                else:
                    after = _behind(buf, pos + 8, end, n if ending is TEXTS else 2 * n)
                if after <= end:
                    rows.append(pos)
                    pos = after
                    continue
            reader.pos = pos
            part.wire.tree(reader, part.name, rows, part)
            pos = reader.pos
        reader.pos = pos
        node.end = base + pos

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
                        raise GateError("", f"is needed in {protocol}")
                    field.wire.write(item, out, protocol)
                elif item is not MISSING and item != field.absent():
                    raise GateError("", field.gate.why_not(protocol))
            except EncodeError as error:
                raise error.inside(field.name) from None

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        children = node.children or ()
        if each is Node.plain and isinstance(children, LazyNodes):
            return children.plain()
        return {child.name: each(child) for child in children}

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
            if name not in values and not field.is_optional:
                raise EncodeError(name, f"{self.name} needs this field")
        return self.kind(**values)
