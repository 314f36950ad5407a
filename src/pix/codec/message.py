"""Whole messages as wire types: what a request, a reply or a frame is from its first byte on.

A message is an optional opening word (the operation's number, the frame's code), a record, and
the record's payload. As JSON a payload is one base64 string; where the cuts between frames are
not those that we would make, or the payload is a series of answers to STDERR_READ, it is a list
of them, so that the bytes come back as they were.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from pix.codec.cursor import Program
from pix.codec.errors import DecodeError, EncodeError, GateError
from pix.codec.gates import Protocol
from pix.codec.payload import (
    FRAME_SIZE,
    FRAMES,
    PULLED,
    RAW_NAR,
    WRITTEN,
    Bare,
    Carriage,
    Payload,
    framed,
)
from pix.codec.records import Field, Record
from pix.codec.wire import Node, Reader, Wire, pack_string, pack_u64
from pix.codec.words import foreign
from pix.dataclass import dataclass


class Opening(Wire):
    """The word that a message begins with: `what` it is, its number and name, and what has it not.

    `bare` names the type of the fields without this word.
    """

    name = "Opening"
    doc = "the operation's number, or the frame's code"

    def __init__(self, what: str, code: int, called: str, bare: str) -> None:
        self.what = what
        self.code = code
        self.called = called
        self.bare = bare

    @property
    def text(self) -> str:
        """The number with its name, such as `26 (QueryPathInfo)`."""
        return f"{_number(self.code)} ({self.called})"

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        start = reader.offset
        code = reader.u64()
        if code != self.code:
            wanted = f"the {self.what} {self.text} (the type {self.bare} is the fields without it)"
            raise DecodeError(start, wanted, _number(code))
        out.append(Node(name, self, start, start + 8, code, None, field))


def _number(code: int) -> str:
    return str(code) if code < 1 << 16 else foreign(code)


@dataclass(frozen=True, slots=True)
class Carried:
    """A payload in its parts: frames, answers to STDERR_READ, or the one NAR."""

    carriage: Carriage | None
    parts: list[bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    @property
    def as_we_cut(self) -> bool:
        """Whether the frames are those that we would write for the same content."""
        *full, last = self.parts or [b""]
        return len(last) <= FRAME_SIZE and all(len(part) == FRAME_SIZE for part in full)


class PayloadWire(Wire):
    """The payload of one message, as it is carried in the reader's protocol."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self.name = "Payload"
        self.doc = payload.doc

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        """The node's value is a `Carried`."""
        carriage = self.payload.carriage(reader.protocol)
        start = reader.offset
        parts: list[bytes] = []
        node = Node(name, self, start, None, Carried(carriage, parts), None, field)
        out.append(node)
        if carriage is FRAMES:
            parts.extend(FRAMES.parts(reader))  # what comes before a bad one stays
        elif carriage is PULLED:
            while reader.pos < reader.end:
                parts.append(reader.string())
        elif carriage is not None and carriage.bare:
            parts.append(carriage.read(reader))
        node.end = reader.offset

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        carried: Carried = node.value
        carriage = carried.carriage
        is_whole = carriage is not None and carriage.bare
        if is_whole or (carriage is FRAMES and carried.as_we_cut):
            return base64.b64encode(b"".join(carried.parts)).decode("ascii")
        return [base64.b64encode(part).decode("ascii") for part in carried.parts]

    def value_of(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [_unbase64(part) for part in plain]
        return _unbase64(plain)

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        carriage = self.payload.carriage(protocol)
        parts = value if isinstance(value, list) else [value]
        if carriage is PULLED:
            for part in parts:
                out += pack_string(part)
        elif carriage is FRAMES and isinstance(value, list):
            for part in parts:
                if not part:
                    raise EncodeError("", "an empty frame would end the payload")
                out += pack_u64(len(part)) + part
            out += bytes(8)
        elif carriage is FRAMES:
            for frame in framed(value):
                out += frame
        elif isinstance(carriage, Bare):
            content = b"".join(parts)
            what = "a NAR" if carriage is RAW_NAR else "an export stream"
            try:
                end = carriage.check(content)
            except DecodeError as error:
                raise EncodeError("", f"not {what}: {error}") from None
            if end != len(content):
                raise EncodeError("", f"{what} that ends at byte {end}, but more follows")
            out += content


def _unbase64(plain: Any) -> bytes:
    if not isinstance(plain, str):
        raise EncodeError("", f"expected a base64 string, got {type(plain).__name__}")
    try:
        return base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncodeError("", f"not base64: {error}") from None


class Message(Wire):
    """An opening word if there is one, a record's fields, and its payload if it has one."""

    def __init__(self, name: str, record: Record, opening: Opening | None = None) -> None:
        self.name = name
        self.doc = record.doc
        self.record = record
        self.opening = opening

    def carriage(self, protocol: Protocol) -> Carriage | None:
        """Return how the payload travels in `protocol`, None where it is not in the message."""
        payload = self.record.payload
        carriage = payload.carriage(protocol) if payload is not None else None
        return None if carriage is WRITTEN else carriage  # WRITTEN comes in frames before the reply

    def program(self, protocol: Protocol) -> Program:
        raise NotImplementedError  # messages are scanned by the conversation

    def tree(self, reader: Reader, name: str, out: list[Node], field: Field | None = None) -> None:
        children: list[Node] = []
        node = Node(name, self, reader.offset, None, None, children, field)
        out.append(node)
        if self.opening is not None:
            self.opening.tree(reader, self.opening.what, children)
        for part in self.record.layout(reader.protocol):
            part.wire.tree(reader, part.name, children, part)
        payload = self.record.payload
        if payload is not None and self.carriage(reader.protocol) is not None:
            PayloadWire(payload).tree(reader, payload.name, children)
        node.end = reader.offset

    def plain(self, node: Node, each: Callable[[Node], Any] = Node.plain) -> Any:
        children = node.children or ()
        return {child.name: each(child) for child in children if child.wire is not self.opening}

    def value_of(self, plain: Any) -> Any:
        """Return the record's value and the payload's, None without one."""
        if not isinstance(plain, dict):
            raise EncodeError("", f"expected an object with the fields of {self.name}")
        fields = dict(plain)
        payload = self.record.payload
        content: Any = None
        if payload is not None and payload.name in fields:
            try:
                content = PayloadWire(payload).value_of(fields.pop(payload.name))
            except EncodeError as error:
                raise error.inside(payload.name) from None
        return self.record.value_of(fields), content

    def write(self, value: Any, out: bytearray, protocol: Protocol) -> None:
        fields, content = value
        if self.opening is not None:
            out += pack_u64(self.opening.code)
        self.record.write(fields, out, protocol)
        payload = self.record.payload
        if payload is None:
            return
        carried = self.carriage(protocol) is not None
        if carried != (content is not None):
            raise GateError(payload.name, "is needed" if carried else "does not travel here")
        if carried:
            try:
                PayloadWire(payload).write(content, out, protocol)
            except EncodeError as error:
                raise error.inside(payload.name) from None
