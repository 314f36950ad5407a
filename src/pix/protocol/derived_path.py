"""The path of SubmitOutput: a store path, or an output of an output of a derivation.

The layout is recursive on the wire, so the depth is data: it is walked without recursion.
Source: Nix master, `worker-protocol.cc` (SingleDerivedPath).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pix.codec.cursor import CUSTOM, TEXT, Cursor, Program, Scan, scan
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import Protocol
from pix.codec.records import FLAG, Field
from pix.codec.wire import Node, Reader, Wire, pack_u64
from pix.dataclass import dataclass

ONE_STRING: Program = ((TEXT, None),)


@dataclass(frozen=True, slots=True)
class SingleDerivedPath:
    """A store path, or an output of an output of … a derivation: `outputs` from the inside out."""

    path: str
    outputs: tuple[str, ...] = ()


class SingleDerivedPathWire(Wire):
    """Words of 1 for each output step, a 0, the store path, then the output names.

    That is: 1, what it is an output of (the same again), the output's name.
    """

    name = "SingleDerivedPath"
    doc = "0 and a path; or 1, another SingleDerivedPath, and the name of its output"

    def __init__(self, path: Wire, output: Wire) -> None:
        self.path = path
        self.output = output

    def parts(self) -> Sequence[Wire]:
        return (self.path, self.output)

    def program(self, protocol: Protocol) -> Program:
        return ((CUSTOM, self._scan),)

    def _scan(self, cursor: Cursor) -> Scan:
        depth = 0
        while tag := (yield from cursor.word()):
            if tag != 1:
                raise DecodeError(cursor.offset - 8, "the tag 0 or 1", str(tag))
            depth += 1
        for _ in range(depth + 1):
            yield from scan(cursor, ONE_STRING)

    def _depth(self, reader: Reader) -> int:
        depth = 0
        while tag := reader.u64():
            if tag != 1:
                raise DecodeError(reader.offset - 8, "the tag 0 or 1", str(tag))
            depth += 1
        return depth

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        start = reader.offset
        children: list[Node] = []
        node = Node(name, self, start, None, None, children, field)
        out.append(node)
        depth = self._depth(reader)
        children.append(Node("depth", FLAG, start, reader.offset, depth))
        self.path.tree(reader, "path", children)
        for i in range(depth):
            self.output.tree(reader, f"output {i}", children)
        node.end = reader.offset

    def read(self, reader: Reader) -> SingleDerivedPath:
        depth = self._depth(reader)
        path = self.path.read(reader)
        return SingleDerivedPath(path, tuple(self.output.read(reader) for _ in range(depth)))

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        if not isinstance(value, SingleDerivedPath):
            raise self.expected(value)
        out += pack_u64(1) * len(value.outputs) + pack_u64(0)
        self.path.write(value.path, out, protocol)
        for output in value.outputs:
            self.output.write(output, out, protocol)

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        rest = [child.value for child in node.children or ()][1:]
        return {"path": rest[0], "outputs": rest[1:]} if rest else None

    def value_of(self, plain: Any) -> Any:
        outputs = plain.get("outputs", []) if isinstance(plain, dict) else None
        if not isinstance(outputs, list) or "path" not in plain:
            raise EncodeError("", "expected a SingleDerivedPath: {path, outputs}")
        return SingleDerivedPath(plain["path"], tuple(outputs))
