"""Messages of the service as requests and replies of operations, and back.

Into the service: `request_of` a message asks an operation, `answer_to` makes a message of its
reply. Out of it, for the client: `asking` makes a message of a request, `reply_of` a reply of
a message.

Text that is not UTF-8 cannot stand in a message: in an answer its odd bytes become U+FFFD, and
it cannot be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import MISSING, Maybe, Record
from pix.codec.wire import Boolean, Enumeration, String, Wire, Word, clip
from pix.protocol.types import Root
from pix.worker_service.descriptors import class_of
from pix.worker_service.methods import (
    HASH_TYPE,
    SPOKEN,
    Field,
    Form,
    Message,
    Method,
    Values,
    Way,
)

_INNER = ("info", "result")
"""What holds the rest of a reply where it does not have it itself."""
_HASH = r"[0-9a-df-np-sv-z]{32}"
_NAME = r"[0-9A-Za-z+\-._?=]{1,211}"
_PATH = rf"/(?:[^/\0]+/)*{_HASH}-{_NAME}"
_SHAPES = {
    "StorePath": (_PATH, "a store path"),
    "MaybeStorePath": (rf"(?:{_PATH})?", "a store path"),
    "DerivedPath": (rf"{_PATH}(?:!.+)?", "a store path, DRV!* or DRV!OUTPUT,OUTPUT"),
    "FilePath": (r"/[^\0]+", "an absolute file name"),
    "HashPart": (_HASH, "the 32 characters of a store path's hash"),
    "Name": (_NAME, "a store path's name"),
    "NarHash": (r"[0-9a-f]{64}", "32 bytes of SHA-256, or their 64 hexadecimal digits"),
}
"""What a text has to look like, and what it is, by what it is declared to be."""
_MATCHES: dict[str, Callable[[str], Any]] = {
    name: re.compile(shape, re.DOTALL).fullmatch for name, (shape, _) in _SHAPES.items()
}
Text: TypeAlias = "Callable[[str], str]"
_IMPURE = b"impure"
"""What stands in the place of a hash that is not known before."""
_DIGITS = re.compile(rb"(?:[0-9A-Fa-f]{2})+")


def request_of(method: Method, way: Way, values: Values, payload: Any, protocol: Protocol) -> Any:
    """Return the request that asks what a message's values say.

    `payload` is what follows in the stream, None where none does. Raises EncodeError for what
    is missing or malformed.
    """
    attributes = {
        name: values[part.name]
        for part in method.head.fields
        if (name := way.attribute(part)) is not None
    }
    record = way.operation.request
    if payload is not None and record.payload is not None:
        attributes[record.payload.name] = payload
    if way.ask is not None:
        attributes = way.ask(attributes, protocol)
    request = build(record, attributes, protocol)
    for part in record.layout(protocol):
        _check(part.name, part.wire, getattr(request, part.name))
    return request


def answer_to(method: Method, way: Way, values: Values, reply: Any) -> Any:
    """Return the message that tells a reply to what the values asked.

    Raises ValueError for a number that the message has no room for.
    """
    told = {part.name: _found(reply, way.attribute(part)) for part in method.reply.fields}
    if way.tell is not None:
        told |= way.tell(values, reply)
    return _message(method.reply, told, _shown)


def asking(method: Method, request: Any) -> Any:
    """Return the message that asks what a request says, without its payload.

    Raises EncodeError for text that is not UTF-8.
    """
    way, head = method.ways[0], method.head
    values = {part.name: _found(request, way.attribute(part)) for part in head.fields}
    return _message(head, values, _exact)


def reply_of(method: Method, message: Any) -> Any:
    """Return what a message answers, as the reply of the operation the method is named after."""
    way = method.ways[0]
    values = read(method.reply, message)
    attributes = {
        name: values[part.name]
        for part in method.reply.fields
        if (name := way.attribute(part)) is not None
    }
    record = way.operation.reply
    if record.payload is not None:
        attributes[record.payload.name] = b""
    return build(record, attributes, SPOKEN)


# Reading ---------------------------------------------------------------------------------


def read(layout: Message, message: Any) -> Values:
    """Return what a message holds, by the names of its fields. Raises EncodeError."""
    return {
        part.name: _read(layout, part, message)
        for part in layout.fields
        if part.form is not Form.PIECE
    }


def _read(layout: Message, part: Field, message: Any) -> Any:
    held = getattr(message, part.name)
    inner = part.message
    if part.form is Form.DIGITS:
        return _digits(held)
    if part.form is Form.ALGORITHM:
        return _algorithm(held)
    if part.form is Form.TIME:
        return held.seconds
    if part.form is Form.PAIRS:
        return tuple(Root(link=link, target=target) for link, target in held.items())
    if inner is None:
        return held
    if part.wraps:
        return getattr(held, inner.fields[0].name)
    if isinstance(part.wire, MapOf):
        return {key: _record(part, inner, value) for key, value in held.items()}
    if part.repeated:
        return tuple(_record(part, inner, value) for value in held)
    if not message.HasField(part.name):
        raise EncodeError(f"{layout.name}.{part.name}", "is missing")
    return _record(part, inner, held)


def _record(part: Field, layout: Message, message: Any) -> Any:
    values = read(layout, message)
    record = part.item
    assert isinstance(record, Record)
    attributes = {each.attribute or each.name: values[each.name] for each in layout.fields}
    return build(record, attributes, SPOKEN)


def _digits(held: bytes) -> str:
    """Return the hexadecimal digits that are held, be it as bytes or as digits."""
    return held.decode().lower() if _DIGITS.fullmatch(held) or held == _IMPURE else held.hex()


def _algorithm(number: int) -> str:
    for label, known in HASH_TYPE.values[1:]:
        if known == number:
            return label.lower()
    return ""


def build(record: Record, attributes: Values, protocol: Protocol) -> Any:
    """Return a record of these attributes; what it has only within, goes there.

    Raises TypeError where one is missing.
    """
    found: Values = {}
    for part in record.layout(protocol):
        wire = part.wire
        if part.name in attributes:
            found[part.name] = _fitted(wire, attributes[part.name])
        elif part.name in _INNER:
            inner = wire.inner if isinstance(wire, Maybe) else wire
            there = not isinstance(wire, Maybe) or attributes.get(wire.flag, True)
            assert isinstance(inner, Record)
            found[part.name] = build(inner, attributes, protocol) if there else None
    if record.payload is not None and record.payload.name in attributes:
        found[record.payload.name] = attributes[record.payload.name]
    return record.kind(**found)


def _fitted(wire: Wire, value: Any) -> Any:
    """Return a value in the type that records hold it in."""
    if isinstance(wire, ListOf):
        return frozenset(value) if wire.unordered else tuple(value)
    if isinstance(wire, MapOf):
        return dict(value)
    if isinstance(wire, Enumeration):
        return wire.members.of(value)
    if isinstance(wire, Boolean):
        return bool(value)
    if isinstance(wire, Word):
        return int(value)
    return (value or None) if isinstance(wire, String) and wire.optional else value


def _check(name: str, wire: Wire, value: Any) -> None:
    """Raise EncodeError for a text that is missing, or not of the shape that it has to have."""
    if value is None or value is MISSING:
        return
    if isinstance(wire, ListOf):
        for i, element in enumerate(sorted(value) if wire.unordered else value):
            _check(f"{name}[{i}]", wire.element, element)
    elif isinstance(wire, MapOf):
        for key, element in value.items():
            _check(f"{name}.{clip(key)}", wire.key, key)
            _check(f"{name}.{clip(key)}", wire.value, element)
    elif isinstance(wire, Record):
        for part in wire.fields:
            _check(f"{name}.{part.name}", part.wire, getattr(value, part.name))
    elif wire.name in _MATCHES and not _MATCHES[wire.name](value):
        what = _SHAPES[wire.name][1]
        raise EncodeError(name, f"{clip(value)} is not {what}" if value else f"is missing: {what}")


# Writing ---------------------------------------------------------------------------------


def _found(record: Any, attribute: str | None) -> Any:
    """Return an attribute of a record, or of what it holds; MISSING where neither has it."""
    if attribute is None:
        return MISSING
    if hasattr(record, attribute):
        return getattr(record, attribute)
    for name in _INNER:
        inner = getattr(record, name, None)
        if inner is not None and hasattr(inner, attribute):
            return getattr(inner, attribute)
    return MISSING


def _message(layout: Message, values: Values, text: Text) -> Any:
    message = class_of(layout.name)()
    for part in layout.fields:
        value = values.get(part.name, MISSING)
        if value is not MISSING and value is not None:
            _write(part, message, value, text)
    return message


def _write(part: Field, message: Any, value: Any, text: Text) -> None:
    inner = part.message
    if inner is not None and not part.wraps:
        _write_records(part, inner, message, value, text)
    elif inner is not None:
        _write(inner.fields[0], getattr(message, part.name), value, text)
    elif part.form is Form.DIGITS:
        setattr(message, part.name, _bytes(part.name, value))
    elif part.form is Form.ALGORITHM:
        known = {label.lower(): number for label, number in HASH_TYPE.values}
        setattr(message, part.name, known.get(value, 0))
    elif part.form is Form.TIME:
        getattr(message, part.name).seconds = value
    elif part.form is Form.PAIRS:
        for root in value:
            getattr(message, part.name)[text(root.link)] = text(root.target)
    elif isinstance(part.wire, ListOf):
        texts = map(text, value)
        getattr(message, part.name).extend(sorted(texts) if part.wire.unordered else texts)
    elif isinstance(part.wire, MapOf):
        for key, held in value.items():
            getattr(message, part.name)[text(key)] = text(held)
    elif isinstance(part.wire, Boolean):
        setattr(message, part.name, bool(value))
    else:
        setattr(message, part.name, text(value) if isinstance(value, str) else int(value))


def _write_records(part: Field, layout: Message, message: Any, value: Any, text: Text) -> None:
    def written(record: Any) -> Any:
        return _message(
            layout, {each.name: _found(record, each.attribute) for each in layout.fields}, text
        )

    held = getattr(message, part.name)
    if isinstance(part.wire, MapOf):
        for key, record in value.items():
            held[text(key)].CopyFrom(written(record))
    elif part.repeated:
        held.extend(map(written, value))
    else:
        held.CopyFrom(written(value))


def _bytes(name: str, digits: str) -> bytes:
    if digits == _IMPURE.decode():
        return _IMPURE
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise EncodeError(name, f"{clip(digits)} is not hexadecimal digits") from None


def _shown(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _exact(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise EncodeError("", f"character {error.start} of {clip(text)} is not UTF-8") from None
    return text
