"""What a filter may name: columns of the index, parts of an exchange, every declared field."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Flag, auto
from functools import cache

from pix.codec.lists import MapOf
from pix.codec.records import Field
from pix.codec.wire import Boolean, Wire, Word
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME, STDERR_FRAMES
from pix.protocol.handshake import HELLOS
from pix.protocol.logging import STDERR_ERROR
from pix_inspect.session.row import STATES, TERMS

INDEXED = {term: column.doc for term, column in TERMS.items()}
"""Fields that the index knows."""
PARTS = {
    "request": "what the client said",
    "reply": "what the daemon answered",
    "error": "the error the daemon answered",
    "log": "the text of all log frames",
    "grpc.method": "the method of the gateway's call for which it was asked",
    "grpc.caller": "who made that call",
    "stderr": "what the daemon's program wrote to its standard error meanwhile",
    "payload": "bytes of payload",
    "protocol": "worker (nix-daemon) or serve (nix-store --serve)",
    "about": "what the timeline shows of it",
    "notes": "what is irregular",
    "finding": "the name or grade of a finding: desync, obsolete, warning",
}
"""Fields that are known when an exchange is looked at."""


@cache
def fields() -> dict[str, str]:
    """Return every field that a filter may name by path, with the declaration's line on it."""
    found: dict[str, str] = {}
    for path, field in _declared():
        found.setdefault(path, field.doc)
    return found


@cache
def maps() -> frozenset[str]:
    """Return the paths of maps, whose keys are data."""
    return frozenset(path for path, field in _declared() if isinstance(field.wire, MapOf))


@cache
def named_values() -> dict[str, dict[str, int]]:
    """Return, by path, the values that have names, where a field's have."""
    found: dict[str, dict[str, int]] = {}
    others = set()
    for path, field in _declared():
        for wire in field.wire.walk():
            if wire.by_label:
                found.setdefault(path, {}).update(wire.by_label)
            elif not wire.parts() and not wire.fields:
                others.add(path)
    return {path: names for path, names in found.items() if path not in others}


class Values(Flag):
    """What the values of a field are, as far as a comparison asks."""

    TEXT = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    ANY = TEXT | NUMBER | BOOLEAN


@cache
def values_by_path() -> dict[str, Values]:
    """Return what stands at each path; a path may stand for fields of several operations."""
    found: dict[str, Values] = {}
    for path, field in _declared():
        for wire in field.wire.walk():
            found[path] = found.get(path, Values(0)) | _values(wire)
    return found


def _values(wire: Wire) -> Values:
    if isinstance(wire, Boolean):
        return Values.BOOLEAN
    if isinstance(wire, Word) and not wire.by_label:
        return Values.NUMBER
    return Values.TEXT if wire.fields or not wire.parts() or isinstance(wire, MapOf) else Values(0)


@cache
def paths_of(code: int | None) -> frozenset[str]:
    """Return the fields of an operation's request and reply; of the handshake for None."""
    if code is None:
        sides = [(client, daemon) for client, daemon in HELLOS.values()]
    else:
        sides = [(OPERATIONS[code].request, OPERATIONS[code].reply)]
    return frozenset(
        path
        for client, daemon in sides
        for part, record in (("request", client), ("reply", daemon))
        for path, _ in _collect(part, record)
    )


def _declared() -> Iterator[tuple[str, Field]]:
    """Yield every field with its path; a path may stand for fields of several operations."""
    for operation in OPERATIONS.values():
        yield from _collect("request", operation.request)
        yield from _collect("reply", operation.reply)
    for client, daemon in HELLOS.values():
        yield from _collect("request", client)
        yield from _collect("reply", daemon)
    yield from _collect("error", STDERR_FRAMES[STDERR_ERROR].fields)


def _collect(path: str, wire: Wire) -> Iterator[tuple[str, Field]]:
    for field in wire.fields:
        yield f"{path}.{field.name}", field
        yield from _collect(f"{path}.{field.name}", field.wire)
    if not wire.fields:
        for part in wire.parts():
            yield from _collect(path, part)


def completions(text: str, cursor: int) -> tuple[int, list[tuple[str, str]]]:
    """Return where the word at `cursor` begins and what could stand there, with docs."""
    start = cursor
    while start and (text[start - 1].isalnum() or text[start - 1] in "._"):
        start -= 1
    typed = text[start:cursor].lower()
    before = text[:start].rstrip()
    if before.endswith("=") and before.rstrip("=!").rstrip().endswith("op"):
        offered = {name: operation.doc for name, operation in OPERATIONS_BY_NAME.items()}
    elif before.endswith("=") and (
        names := named_values().get((before.rstrip("=! ").split() or [""])[-1])
    ):
        offered = {name: getattr(value, "doc", "") for name, value in names.items()}
    else:
        flags = {word: f"exchanges that are {word}" for word in (*STATES, "handshake", "orphan")}
        offered = {**INDEXED, **PARTS, **flags, **fields()}
        if typed and "." not in typed:
            offered.update({name: operation.doc for name, operation in OPERATIONS_BY_NAME.items()})
    first = [(name, doc) for name, doc in offered.items() if name.lower().startswith(typed)]
    rest = [
        (name, doc)
        for name, doc in offered.items()
        if typed and typed in name.lower() and not name.lower().startswith(typed)
    ]
    return start, (first + rest)[:50]
