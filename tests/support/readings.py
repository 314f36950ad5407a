"""One declaration, several readings: they have to agree with each other.

`agree` holds the bytes of one value against every reading of its wire type, whole, byte by
byte and with trailing bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from pix.codec.cursor import Cursor, Limits, scan
from pix.codec.gates import Protocol
from pix.codec.lists import ListOf, MapOf, Pair, ToEmpty
from pix.codec.records import Record
from pix.codec.values import Tree, decode, encode, tree
from pix.codec.wire import Node, Wire
from tests.support import captures, golden

TRAILING = b"\xff" * 24


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def scanned(
    wire: Wire, pieces: Iterable[bytes], protocol: Protocol, limits: Limits | None = None
) -> int | None:
    """Return where the scanner finds the end of one value, None while it is starved."""
    cursor = Cursor(limits=limits)
    scanner = scan(cursor, wire.program(protocol))
    end = None
    for piece in pieces:
        cursor.feed(piece)
        if end is None:
            try:
                next(scanner)
            except StopIteration:
                end = cursor.offset
        cursor.settle()
    if end is None:
        try:
            next(scanner)
        except StopIteration:
            end = cursor.offset
    return end


def one(found: Tree) -> Node:
    """Return the single node of a tree that came through."""
    assert found.error is None, found.error
    (node,) = found.nodes
    return node


def covers(node: Node) -> None:
    """Hold a node's children to cover it: in order, without gaps, but for a header."""
    assert node.end is not None
    assert node.start <= node.end
    children: Sequence[Node] | None = node.children
    if children is None:
        return
    at = node.start
    if isinstance(node.wire, ToEmpty):
        at -= 8
    if isinstance(node.wire, (ListOf, MapOf)):
        at += 8
    for i, child in enumerate(children):
        if i == 0 and isinstance(node.wire, Pair):
            assert child.start >= at + 8
            at = child.start
        assert child.start == at, (node, child)
        covers(child)
        assert child.end is not None
        at = child.end
    assert at + 8 * isinstance(node.wire, ToEmpty) == node.end, node


def agree(wire: Wire, data: bytes, protocol: Protocol) -> Any:
    """Return the value that `data` is, after every reading of it agreed."""
    assert scanned(wire, [data], protocol) == len(data)
    assert scanned(wire, chunks(data, 1), protocol) == len(data)
    assert scanned(wire, [data + TRAILING], protocol) == len(data)
    assert scanned(wire, chunks(data + TRAILING, 1), protocol) == len(data)

    node = one(tree(wire, data, protocol, base=1000))
    assert (node.start, node.end) == (1000, 1000 + len(data))
    covers(node)
    followed = tree(wire, data + TRAILING, protocol)
    assert one(followed).plain() == node.plain()
    assert followed.end == len(data)

    value = decode(wire, data, protocol)
    assert encode(wire, wire.value_of(node.plain()), protocol) == data
    return value


def records(wire: Wire) -> list[Record]:
    """Return the records inside a wire type, itself included."""
    found: list[Record] = []
    parts: list[Wire | None] = [wire]
    while parts:
        part = parts.pop()
        if isinstance(part, Record) and part not in found:
            found.append(part)
            parts += [field.wire for field in part.fields]
        elif part is not None:
            parts += [getattr(part, name, None) for name in ("element", "key", "value", "inner")]
            for _, _, choice in getattr(part, "choices", {}).values():
                parts.append(choice)
    return found


def golden_names(*, nar: bool) -> list[Any]:
    """Return the golden files' names as parameters; the fixture skips where there are none."""
    try:
        return [pytest.param(f.name, id=f.name) for f in golden.files() if f.is_nar == nar]
    except captures.Missing:
        return ["none"]
