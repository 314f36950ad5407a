"""Lists, sets and maps: a count, and so many elements or pairs; or elements up to an empty one.

The nodes of a list of strings are made when they are looked at, so a reply of a million
paths costs eight bytes a path. Source: Nix `length-prefixed-protocol-helper.hh`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from struct import error as StructError  # noqa: N812  (a class, whatever its name)
from typing import TYPE_CHECKING, Any

from pix.codec.cursor import CUSTOM, LIST, TEXTS, Cursor, Program, Scan, merged, scan, u64_at
from pix.codec.errors import DecodeError, EncodeError, Truncated
from pix.codec.gates import Protocol
from pix.codec.wire import (
    LazyNodes,
    Node,
    Reader,
    String,
    Wire,
    are_usual_texts,
    bytes_of,
    pack_u64,
    text_of,
)

if TYPE_CHECKING:
    from pix.codec.records import Field

EMPTY = (0,)
"""The length of an empty string, as `u64_at` returns it."""


class Texts(LazyNodes):
    """The nodes of a list of strings."""

    __slots__ = ("_base", "_buf", "_starts", "_wire")

    def __init__(self, reader: Reader, wire: String, starts: list[int] | array[int]) -> None:
        self._buf = reader.buf
        self._base = reader.base
        self._wire = wire
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts)

    def item(self, i: int) -> Node:
        return self._node(Reader(self._buf, base=self._base), i)

    def __iter__(self) -> Iterator[Node]:
        reader = Reader(self._buf, base=self._base)
        return (self._node(reader, i) for i in range(len(self._starts)))

    def _node(self, reader: Reader, i: int) -> Node:
        out: list[Node] = []
        reader.pos = self._starts[i]
        self._wire.tree(reader, str(i), out)
        return out[0]

    def plain(self) -> list[str | None]:
        at, buf = self._wire.at, self._buf
        return [at(buf, pos) for pos in self._starts]

    @property
    def are_usual(self) -> bool:
        starts = self._starts
        return not starts or are_usual_texts(self._buf, starts[0], len(starts))


class ListOf(Wire):
    """A count and so many elements. `unordered`: Nix reads it as a set, we as a frozenset.

    Sets are written in ascending order of their bytes, as Nix does; lists as they are.
    """

    form = "a list"

    def __init__(self, element: Wire, *, unordered: bool = False) -> None:
        self.element = element
        self.unordered = unordered
        self.name = f"{'Set' if unordered else 'List'}<{element.name}>"
        self.doc = f"a count, then so many {element.name}"

    def parts(self) -> Sequence[Wire]:
        return (self.element,)

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        items = (convert(self.element, item) for item in value)
        return frozenset(items) if self.unordered else tuple(items)

    def program(self, protocol: Protocol) -> Program:
        if isinstance(self.element, String):
            return ((TEXTS, 1),)
        return ((LIST, self.element.program(protocol)),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        pos = reader.pos
        start = reader.base + pos
        count = reader.u64()
        if isinstance(self.element, String):
            # a list of many strings costs eight bytes each, one of a few is made faster
            starts: list[int] | array[int] = [] if count < 100 else array("Q")
            node = Node(name, self, start, None, None, Texts(reader, self.element, starts), field)
            out.append(node)
            buf, pos, end = reader.buf, pos + 8, reader.end
            try:
                for _ in range(count):
                    (n,) = u64_at(buf, pos)
                    starts.append(pos)
                    pos += n + 15 & -8
            except (StructError, OverflowError):  # behind the end, or far behind it
                if pos <= end:
                    what = f"{name}[{len(starts)}] of {count}"
                    raise Truncated(reader.base + pos, what, pos + 8 - end) from None
            if pos > end:
                at = reader.base + starts.pop()
                raise Truncated(at, f"{name}[{len(starts)}], a string", pos - end)
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

    def texts(self, buf: bytes, pos: int) -> list[str | None]:
        """Return the strings of a list of them that stands whole at `pos`."""
        assert isinstance(self.element, String)
        (count,) = u64_at(buf, pos)
        pos += 8
        found, at = [], self.element.at
        for _ in range(count):
            found.append(at(buf, pos))
            pos += u64_at(buf, pos)[0] + 15 & -8
        return found

    def read(self, reader: Reader) -> Any:
        count = reader.u64()
        if count > reader.end - reader.pos:  # an element takes 8 bytes at least
            raise Truncated(reader.offset - 8, f"a list of {count}", count * 8)
        read = self.element.read
        values = [read(reader) for _ in range(count)]
        if self.unordered:
            with suppress(TypeError):  # records cannot be in a set, and stay as they came
                return frozenset(values)
        return tuple(values)

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise self.expected(value)
        if isinstance(value, (set, frozenset)):
            value = sorted(value, key=lambda item: self._order(item, protocol))
        items = list(value)
        out += pack_u64(len(items))
        for i, item in enumerate(items):
            try:
                self.element.write(item, out, protocol)
            except EncodeError as error:
                raise error.inside(f"[{i}]") from None

    def _order(self, item: Any, protocol: Protocol) -> Any:
        """Return what an element of a set is sorted by: texts by their bytes, numbers by size."""
        if isinstance(item, int):
            return item
        if isinstance(item, str):
            return bytes_of(item)
        out = bytearray()
        self.element.write(item, out, protocol)
        return bytes(out)

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        children = node.children or ()
        if each is Node.plain and isinstance(children, LazyNodes):
            return children.plain()
        return [each(child) for child in children]

    def value_of(self, plain: Any) -> Any:
        if not isinstance(plain, list):
            raise self.expected(plain)
        return [self.element.value_of(item) for item in plain]


class ToEmpty(ListOf):
    """Elements that begin with a string, up to an empty string in place of one.

    Nothing says in advance how many there are.
    """

    def __init__(self, element: Wire) -> None:
        super().__init__(element)
        self.name = f"ToEmpty<{element.name}>"
        self.doc = f"{element.name}, again and again, up to an empty string"

    def program(self, protocol: Protocol) -> Program:
        element = self.element.program(protocol)

        def run(cursor: Cursor) -> Scan:
            while True:
                while cursor.end - cursor.pos < 8:
                    yield
                if u64_at(cursor.buf, cursor.pos) == EMPTY:
                    cursor.pos += 8
                    return
                yield from scan(cursor, element)

        return ((CUSTOM, run),)

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        children: list[Node] = []
        node = Node(name, self, reader.offset, None, None, children, field)
        out.append(node)
        while not self._over(reader):
            self.element.tree(reader, str(len(children)), children)
        node.end = reader.offset

    def read(self, reader: Reader) -> Any:
        values = []
        while not self._over(reader):
            values.append(self.element.read(reader))
        return tuple(values)

    def _over(self, reader: Reader) -> bool:
        """Go behind the empty string, if that is what comes. Raises Truncated."""
        if reader.u64():
            reader.pos -= 8
            return False
        return True

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        for i, item in enumerate(value):
            start = len(out)
            try:
                self.element.write(item, out, protocol)
                if out[start : start + 8] == bytes(8):
                    raise EncodeError("", "would end the list, as it begins with an empty string")
            except EncodeError as error:
                raise error.inside(f"[{i}]") from None
        out += bytes(8)


class MapOf(Wire):
    """A count and so many pairs of a string and a value, ascending in Nix's own output.

    Read as a dict in wire order, later duplicates winning; written in the dict's order.
    """

    form = "values by name"

    def __init__(self, key: String, value: Wire) -> None:
        self.key = key
        self.value = value
        self.name = f"Map<{key.name}, {value.name}>"
        self.doc = f"a count, then so many pairs of {key.name} and {value.name}"

    def parts(self) -> Sequence[Wire]:
        return (self.key, self.value)

    def map(self, value: Any, convert: Callable[[Wire, Any], Any]) -> Any:
        pairs = value.items() if isinstance(value, dict) else value
        return {convert(self.key, key): convert(self.value, item) for key, item in pairs}

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
            keys: list[Node] = []
            self.key.tree(reader, name, keys)
            key = keys[0].value
            entry = Node(key, PAIR, pair_start, None, key, [], irregular=keys[0].irregular)
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

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        pairs = [(entry.value, each(entry)) for entry in node.children or ()]
        plain = dict(pairs)
        return plain if len(plain) == len(pairs) else [list(pair) for pair in pairs]

    def value_of(self, plain: Any) -> Any:
        pairs = list(plain.items()) if isinstance(plain, dict) else plain
        if not isinstance(pairs, list) or any(
            not isinstance(p, list | tuple) or len(p) != 2 for p in pairs
        ):
            raise self.expected(plain)
        return [(key, self.value.value_of(item)) for key, item in pairs]


class Pair(Wire):
    """One entry of a map, as the tree shows it."""

    name = "Pair"
    doc = "a key and a value"

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        return each(node.children[0]) if node.children else None


PAIR = Pair()
