"""The declarations as Lua tables: what the dissector is told of types, operations and frames.

`types` is a list; where a type is part of something it is named by its place in it, from 1. A
gate is `since`, `before`, `feature` and `without` beside what it is about. What the keys of each
kind of type are stands in `_TYPES`; `lua/types.lua` has a function for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any, TypeAlias

import pix
from pix.codec.declare import STDERR_FRAMES, Operation, Version, wire_of
from pix.codec.gates import FAMILIES, GUIX_MINOR, Gate
from pix.codec.irregular import Irregularity
from pix.codec.lists import ListOf, MapOf, ToEmpty
from pix.codec.payload import Payload
from pix.codec.records import Maybe, Nonzero, Record, Tagged
from pix.codec.wire import Boolean, Enumeration, Meaning, String, Wire, Word
from pix.protocol import operations_of
from pix.protocol.derived_path import SingleDerivedPathWire
from pix.protocol.handshake import HELLOS, NOT_ALLOWED
from pix.protocol.types import REALISATION_WITH_PATH, VERSIONED_ADD_MULTIPLE, ValidPathInfo
from pix_inspect.recording.tcp_headers import PORT

Value: TypeAlias = "str | int | bool | list[Any] | dict[str | int, Any] | None"

PARTS = (
    "words", "types", "places", "values", "content", "lanes", "handshake", "requests", "answers",
    "trees", "packets",
)  # fmt: skip
"""The files in `lua/` that follow the declarations, in their order."""


def dissector() -> str:
    """Return the whole dissector: one file of Lua."""
    folder = files("pix_inspect.wireshark") / "lua"
    head, *parts = (
        (folder / f"{name}.lua").read_text(encoding="utf-8") for name in ("head", *PARTS)
    )
    return "\n".join((head, f"local NIX = {lua(tables())}\n", *parts))


def lua(value: Value) -> str:
    """Return a value as a Lua expression; what is None is left out of tables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(_character, value)) + '"'
    if isinstance(value, Mapping):
        items: Iterable[str] = (
            f"{key if isinstance(key, str) and key.isidentifier() else f'[{lua(key)}]'}={lua(item)}"
            for key, item in value.items()
            if item is not None
        )
    else:
        items = map(lua, value or ())
    return "{" + ",".join(items) + "}"


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else "".join(f"\\{byte:03}" for byte in char.encode())


def tables() -> dict[str | int, Value]:
    """Return all that the dissector knows of the protocols."""
    types = _Types()
    return {
        "version": pix.__version__,
        "port": PORT,
        "guix": GUIX_MINOR,
        "not_allowed": NOT_ALLOWED,
        "versioned_items": VERSIONED_ADD_MULTIPLE,
        "by_path": REALISATION_WITH_PATH,
        "families": {
            family.name: {
                "name": family.name,
                "major": family.major,
                "oldest": family.oldest,
                "newest": family.newest,
                "magics": list(family.magics),
                "has_log": family.has_log,
                "prefix": family.prefix,
                "hellos": [types.place(hello) for hello in HELLOS[family]],
                "operations": {
                    number: _operation(types, each)
                    for number, each in operations_of(family).items()
                },
            }
            for family in FAMILIES
        },
        "frames": {
            code: {"name": each.name, "fields": types.place(each.fields), "doc": each.doc}
            for code, each in STDERR_FRAMES.items()
        },
        "path_info": types.place(wire_of(ValidPathInfo)),
        "irregular": {each.name.lower(): each.sentence.split(":")[0] for each in Irregularity},
        "types": types.made,
    }


def _operation(types: _Types, operation: Operation) -> Value:
    life = operation.life
    return {
        "name": operation.short,
        "doc": operation.doc,
        "request": types.place(operation.request),
        "reply": types.place(operation.reply),
        "payload": _payload(operation.request.payload),
        "reply_payload": _payload(operation.reply.payload),
        "feature": operation.feature,
        "since": life.introduced.minor,
        "obsolete": _version(life.obsolete),
        "removed": _version(life.removed),
        "instead": life.instead or None,
        "unread": None if operation.unread is None else operation.unread.name,
    }


def _version(version: Version | None) -> Value:
    """Return when something came or went: in words, and as number or release if it has one."""
    if version is None:
        return None
    release = [int(part) for part in version.nix.split(".") if part.isdigit()]
    return {"text": str(version), "minor": version.minor, "nix": release[:2] or None}


def _payload(payload: Payload | None) -> Value:
    if payload is None:
        return None
    return {
        "name": payload.name,
        "content": payload.content,
        "carried": [{**_gate(gate), "how": how.name} for gate, how in payload.carried],
    }


def _gate(gate: Gate) -> dict[str | int, Value]:
    found = {
        "since": gate.since,
        "before": gate.until,
        "feature": gate.feature,
        "without": gate.without,
    }
    return {key: value for key, value in found.items() if value is not None}


class _Types:
    """The types that were met, each once; `made` is what Lua gets of them."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self._places: dict[int, int] = {}

    def place(self, wire: Wire) -> int:
        """Return where in the list a type stands, counted from 1."""
        known = self._places.get(id(wire))
        if known is not None:
            return known
        # behind its parts: no type of the declarations is part of itself
        kind, describe = next(
            (kind, describe) for of, kind, describe in _TYPES if isinstance(wire, of)
        )
        about = describe(self, wire)
        self.made.append({"kind": kind, "name": wire.name, **about})
        self._places[id(wire)] = len(self.made)
        return len(self.made)


def _record(types: _Types, wire: Record) -> dict[str, Value]:
    return {
        "fields": [
            {
                "name": field.name,
                "type": types.place(field.wire),
                "doc": field.doc,
                **_gate(field.gate),
            }
            for field in wire.fields
        ]
    }


def _tagged(types: _Types, wire: Tagged) -> dict[str, Value]:
    return {
        "choices": {
            tag: {"label": label, "type": None if inner is None else types.place(inner)}
            for tag, (label, _, inner) in wire.choices.items()
        }
    }


_TYPES: tuple[tuple[type, str, Callable[[_Types, Any], dict[str, Any]]], ...] = (
    (
        Word,
        "word",
        lambda types, wire: {
            "bits": wire.bits,
            "hex": wire.meaning in (Meaning.MAGIC, Meaning.VERSION) or None,
            "time": wire.meaning is Meaning.TIME or None,
            "values": {int(each): name for name, each in wire.by_label.items()} or None,
        },
    ),
    (Boolean, "boolean", lambda types, wire: {}),
    (
        Enumeration,
        "enumeration",
        lambda types, wire: {"values": {int(each): name for name, each in wire.by_label.items()}},
    ),
    (String, "text", lambda types, wire: {}),
    (ToEmpty, "to_empty", lambda types, wire: {"of": types.place(wire.element)}),
    (ListOf, "list", lambda types, wire: {"of": types.place(wire.element)}),
    (
        MapOf,
        "map",
        lambda types, wire: {"key": types.place(wire.key), "value": types.place(wire.value)},
    ),
    (
        Maybe,
        "maybe",
        lambda types, wire: {
            "of": types.place(wire.inner),
            "flag": wire.flag,
            "lenient": wire.lenient,
            "gate": _gate(wire.gate),
        },
    ),
    (Tagged, "tagged", _tagged),
    (Nonzero, "nonzero", lambda types, wire: {"of": types.place(wire.inner)}),
    (
        SingleDerivedPathWire,
        "derived_path",
        lambda types, wire: {"path": types.place(wire.path), "output": types.place(wire.output)},
    ),
    (Record, "record", _record),
)
"""By Python class: the kind as Lua knows it, and its parts. The first that fits counts."""
