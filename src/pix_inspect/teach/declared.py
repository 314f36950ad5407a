"""What is declared, by name: record types, enumerations, scalars, and who uses them.

Found by walking the declarations from every operation, log frame and hello, so that a type
that is used cannot be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pix.codec.declare import wire_of
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Maybe, Record, Tagged
from pix.codec.wire import Enumeration, Wire
from pix.protocol import FRAMES_BY_CODE, OPERATIONS, types
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import Activity, Result


@lru_cache(maxsize=1)
def records() -> dict[str, Record]:
    """Return every record type that the declarations use, by name."""
    found: dict[str, Record] = {}

    def visit(wire: Wire) -> None:
        for inner in parts_of(wire):
            visit(inner)
        if isinstance(wire, Record) and wire.name not in found and wire.fields:
            found[wire.name] = wire
            for part in wire.fields:
                visit(part.wire)

    for operation in OPERATIONS.values():
        visit(operation.request)
        visit(operation.reply)
    for frame in FRAMES_BY_CODE.values():
        visit(frame.fields)
    visit(wire_of(ClientHello))
    visit(wire_of(DaemonHello))
    spoken = {op.request.name for op in OPERATIONS.values()}
    spoken |= {f"{name}.Reply" for name in spoken}
    spoken |= {frame.fields.name for frame in FRAMES_BY_CODE.values()}
    return {name: record for name, record in found.items() if name not in spoken}


@lru_cache(maxsize=1)
def enumerations() -> dict[str, Enumeration]:
    """Return every enumeration that the declarations use, by name."""
    found: dict[str, Enumeration] = {}

    def visit(wire: Wire) -> None:
        if isinstance(wire, Enumeration):
            found[wire.name] = wire
        for inner in parts_of(wire):
            visit(inner)
        if isinstance(wire, Record):
            for part in wire.fields:
                visit(part.wire)

    for operation in OPERATIONS.values():
        visit(operation.request)
        visit(operation.reply)
    for frame in FRAMES_BY_CODE.values():
        visit(frame.fields)
    visit(wire_of(DaemonHello))
    for annotation in (types.Action, types.Level, Activity, Result):
        visit(wire_of(annotation))
    return found


@lru_cache(maxsize=1)
def scalars() -> dict[str, Wire]:
    """Return the named wire types that hold no others, by name."""
    found: dict[str, Wire] = {}
    for value in vars(types).values():
        try:
            wire = wire_of(value)
        except TypeError:
            continue
        if not isinstance(wire, (Record, Enumeration)) and wire.name:
            found.setdefault(wire.name, wire)
    return found


def parts_of(wire: Wire) -> Iterator[Wire]:
    """Yield the wire types directly inside a list, a map, an optional or a tagged value."""
    if isinstance(wire, ListOf):
        yield wire.element
    elif isinstance(wire, MapOf):
        yield wire.value
    elif isinstance(wire, Maybe):
        yield wire.inner
    elif isinstance(wire, Tagged):
        for _, _, inner in wire.choices.values():
            if inner is not None:
                yield inner


def users_of(wire: Wire) -> list[str]:
    """Return the operations and frames in which a wire type occurs."""

    def holds(candidate: Wire) -> bool:
        if candidate is wire:
            return True
        inner = list(parts_of(candidate))
        if isinstance(candidate, Record):
            inner += [part.wire for part in candidate.fields]
        return any(holds(each) for each in inner)

    found = [op.name for op in OPERATIONS.values() if holds(op.request) or holds(op.reply)]
    found += [frame.name for frame in FRAMES_BY_CODE.values() if holds(frame.fields)]
    return found
