"""Every declared wire type by its name, and names put together from them.

    BuildResult    StorePath    BuildMode             a type, a string with a meaning, numbers
    serve.BuildResult    serve.BuildPaths.reply       what the serve protocol has
    List<StorePath>    Map<StorePath, Bool>           lists, sets, maps and Maybe of them
    QueryPathInfo.request    QueryPathInfo.reply      a whole message, with number and payload
    QueryPathInfo                                     the request's fields alone
    STDERR_ERROR    StderrError                       a whole frame, or its fields alone

All of it is found by walking the declarations; a type that is used cannot be missing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache

from pix.codec.declare import Operation, wire_of
from pix.codec.errors import PixError
from pix.codec.gates import ALWAYS, SERVE, WORKER, Family
from pix.codec.lists import ListOf, MapOf
from pix.codec.message import Message, Opening
from pix.codec.records import Maybe, Record
from pix.codec.wire import Enumeration, String, Wire
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME, STDERR_FRAMES, handshake, serve, types

DEEPEST = 20
"""How far `List<List<…>>` may go."""
NONE: Mapping[str, Wire] = {}


class UnknownName(PixError):
    """No wire type has that name; `near` are some that are like it, and in the message."""

    def __init__(self, message: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(f"{message}; did you mean {', '.join(near)}?" if near else message)
        self.near = near


@cache
def declared() -> dict[str, Wire]:
    """Return every wire type that some declaration uses, by its name."""
    roots: list[Wire] = []
    for operation in OPERATIONS.values():
        roots += [operation.request, operation.reply]
    roots += [frame.fields for frame in STDERR_FRAMES.values()]
    roots += [hello for hellos in handshake.HELLOS.values() for hello in hellos]
    roots += _named_types()
    found: dict[str, Wire] = {}
    for root in roots:
        for part in root.walk():
            found.setdefault(part.name, part)
    return found


def _named_types() -> Iterator[Wire]:
    """Yield what the declarations of types have a name for."""
    for value in (*vars(types).values(), *vars(serve).values()):
        with suppress(TypeError):  # a constant, a class that is not a wire type
            yield wire_of(value)
    yield from types.OF_VENDORS.values()


@cache
def records() -> dict[str, Record]:
    """Return every record type by its name, without requests, replies and frames."""
    messages = {f"{name}{half}" for name in OPERATIONS_BY_NAME for half in ("", ".Reply")}
    messages |= {frame.fields.name for frame in STDERR_FRAMES.values()}
    return {
        name: wire
        for name, wire in declared().items()
        if isinstance(wire, Record) and wire.fields and name not in messages
    }


@cache
def enumerations() -> dict[str, Enumeration]:
    """Return every enumeration by its name."""
    return {name: wire for name, wire in declared().items() if isinstance(wire, Enumeration)}


@cache
def scalars() -> dict[str, Wire]:
    """Return the types with a name that are neither records nor enumerations, by that name."""
    return {
        wire.name: wire for wire in _named_types() if not isinstance(wire, (Record, Enumeration))
    }


def users_of(wire: Wire) -> list[str]:
    """Return the operations and frames in which a wire type occurs."""
    users = [
        op.name
        for op in OPERATIONS.values()
        if wire in op.request.walk() or wire in op.reply.walk()
    ]
    return users + [frame.name for frame in STDERR_FRAMES.values() if wire in frame.fields.walk()]


@cache
def names() -> tuple[str, ...]:
    """Return every name that stands for itself: types, frames, requests and replies."""
    messages = [f"{op}.{half}" for op in OPERATIONS_BY_NAME for half in ("request", "reply")]
    frames = [frame.name for frame in STDERR_FRAMES.values()]
    plain = [name for name in declared() if "<" not in name]
    return tuple(sorted({*messages, *frames, *plain}))


def family_called(name: str) -> Family | None:
    """Return the protocol that alone has what is called so, None where both have it.

    Raises UnknownName.
    """
    wire = wire_called(name)
    message = isinstance(wire, Message)
    inside = (wire.record if isinstance(wire, Message) else wire).walk()
    gates = [field.gate for part in inside for field in part.fields]
    if SERVE.prefix in name or any(gate.family is SERVE for gate in gates):
        return SERVE
    return WORKER if message or any(gate is not ALWAYS for gate in gates) else None


def wire_called(name: str, own: Mapping[str, Wire] = NONE) -> Wire:
    """Return the wire type of that name, `own` ones first. Raises UnknownName, with suggestions."""
    return _called(name.strip(), 0, own)


def _called(name: str, depth: int, own: Mapping[str, Wire]) -> Wire:
    if depth > DEEPEST:
        raise UnknownName(f"a type name may nest {DEEPEST} times")
    outer, bracket, inner = name.partition("<")
    if bracket and inner.endswith(">"):
        return _made(outer.strip(), inner[:-1], name, depth, own)
    if name in own:
        return own[name]
    known = declared()
    if name in known:
        return known[name]
    message = _message(name)
    if message is not None:
        return message
    shared = name.removeprefix(SERVE.prefix)
    if shared != name and shared in known and family_called(shared) is None:
        return known[shared]
    raise UnknownName(f"no type is called {name!r}", _near(name, own))


def _made(outer: str, inner: str, name: str, depth: int, own: Mapping[str, Wire]) -> Wire:
    args = [_called(part.strip(), depth + 1, own) for part in _split(inner)]
    if any(isinstance(arg, Message) for arg in args):
        raise UnknownName(f"{name}: a request, reply or frame cannot be part of a type")
    if outer != "Maybe" and any(isinstance(arg, Record) and not arg.fields for arg in args):
        raise UnknownName(f"{name}: {inner} takes no bytes, and cannot be told apart in a list")
    if len(args) == 1 and outer in ("List", "Set"):
        return ListOf(args[0], unordered=outer == "Set")
    if len(args) == 1 and outer == "Maybe":
        return Maybe(args[0])
    if len(args) == 2 and outer == "Map" and isinstance(args[0], String):
        return MapOf(args[0], args[1])
    raise UnknownName(
        f"{name}: write List<TYPE>, Set<TYPE>, Maybe<TYPE>, or Map<KEY, TYPE> with a string as KEY"
    )


def _split(text: str) -> list[str]:
    """Cut at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "<") - (char == ">")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _message(name: str) -> Message | None:
    for frame in STDERR_FRAMES.values():
        if frame.name == name:
            opening = Opening("frame", frame.code, name, frame.fields.name)
            return Message(name, frame.fields, opening)
    owner, dot, half = name.rpartition(".")
    operation: Operation | None = OPERATIONS_BY_NAME.get(owner)
    if not dot or operation is None:
        return None
    if half == "reply":
        return Message(name, operation.reply)
    if half == "request":
        return Message(
            name, operation.request, Opening("operation", operation.number, owner, owner)
        )
    return None


def _near(name: str, own: Mapping[str, Wire]) -> tuple[str, ...]:
    lowered = {known.lower(): known for known in (*names(), *own)}
    lowered.update({part.lower(): part for part in OPERATIONS_BY_NAME})
    near = difflib.get_close_matches(name.lower(), lowered, 3, 0.6)
    return tuple(lowered[word] for word in near)
