"""One value and its bytes: decode, encode, and the tree that people look at.

The three functions over the readings of any wire type; nothing here knows one.
"""

from __future__ import annotations

from typing import Any

from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.wire import Node, Reader, Wire
from pix.dataclass import dataclass


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


def fitted(wire: Wire, value: Any, protocol: Protocol) -> Any:
    """Return the value with only what that version has a place for."""
    if isinstance(value, frozenset):  # of texts
        return value
    made = wire.map(value, lambda part, item: fitted(part, item, protocol))
    for field in wire.fields:
        if not field.gate.admits(protocol):
            setattr(made, field.name, field.absent())
    return made


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
