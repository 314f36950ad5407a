"""tshark with the dissector: what it makes of a recording, exchange by exchange, and of our JSON.

Both are brought into one form: of each exchange, by part, the fields that have a value, as pairs
of a filter's name and a value in the order of the wire.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix.codec.declare import STDERR_FRAMES, wire_of
from pix.codec.gates import FAMILIES, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Maybe, Nonzero, Record, Tagged
from pix.codec.wire import Boolean, String, Wire, bytes_of
from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol.derived_path import SingleDerivedPathWire
from pix.protocol.handshake import HELLOS
from pix.protocol.logging import STDERR_ERROR
from pix.protocol.types import ValidPathInfo
from pix_inspect.export.printer import Printer
from pix_inspect.session.session import Session

Leaves = list[tuple[str, Any]]
Parts = dict[str, Any]
"""`request`, `reply`, `error`: Leaves; `log`: (name, Leaves) of each; `payload`: bytes; `paths`:
Leaves of each; `blamed`: what tshark finds irregular, `notes`: whether we do."""

FRAMES = {frame.name: frame for frame in STDERR_FRAMES.values()}
GENERATED = {
    "nix.exchange", "nix.operation", "nix.part", "nix.frame", "nix.version", "nix.feature",
    "nix.response_in", "nix.response_to", "nix.time",
}  # fmt: skip


STATIC = {
    f"nix.expert.{name}"
    for name in ("error", "obsolete", "without_feature", "newer_operation", "missing")
}
"""Expert information that does not say that anything is wrong with the bytes."""


def tshark(home: Path, *arguments: str | Path, status: int = 0, **options: Any) -> str:
    """Return what tshark prints, run without anybody's preferences and plugins but the home's."""
    done = subprocess.run(
        ["tshark", *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=600,
        **options,
    )
    errors = done.stderr.decode(errors="replace")
    assert done.returncode == status, errors
    assert "Lua" not in errors, errors
    text = str(done.stdout, errors="replace")
    assert "Lua Error: " not in text
    return text


# What tshark says


def dissected(home: Path, recording: Path) -> dict[tuple[int, int], Parts]:
    """Return what tshark shows of each exchange, by connection and number on it."""
    text = tshark(home, "-r", recording, "-2", "-T", "json", "-J", "nix frame")
    found: dict[tuple[int, int], Parts] = defaultdict(lambda: {"log": [], "paths": []})
    for packet in json.loads(text, object_pairs_hook=list):
        layers = _find(_find(packet, "_source"), "layers")
        connection = 0
        for name, value in _walk(_find(layers, "frame")):
            if name == "frame.interface_name":
                connection = int(value.removeprefix("conn-"))
        for name, layer in layers:
            if name == "nix" and isinstance(layer, list):
                for node, children in layer:
                    if isinstance(children, list):
                        _take(found, connection, node, children)
    return dict(found)


def _take(found: Any, connection: int, node: str, children: list[Any]) -> None:
    exchange = _find(children, "nix.exchange")
    if exchange is None:
        return
    parts = found[connection, int(exchange)]
    part = _find(children, "nix.part")
    experts = {name for name, _ in _walk(children) if name.startswith("nix.expert.")}
    parts.setdefault("blamed", set()).update(experts - STATIC)
    leaves = list(_leaves(children))
    if part == "log":
        # a frame that breaks off is not in our log
        broken = any(name == "nix.expert.cut" for name, _ in _walk(children))
        if node != "nix.STDERR_LAST" and not broken:
            parts["log"].append((node.removeprefix("nix."), leaves))
    elif part == "payload":
        if (total := _find(children, "nix.payload.bytes")) is not None:
            parts["payload"] = int(total)
        parts["paths"] += [list(_leaves(info)) for name, info in children if name == "nix.pathInfo"]
    elif part != "opaque":
        parts[part] = leaves


def _find(pairs: Any, name: str) -> Any:
    return next((value for key, value in pairs or () if key == name), None)


def _walk(pairs: Any) -> Iterator[tuple[str, str]]:
    for name, value in pairs or ():
        if isinstance(value, list):
            yield from _walk(value)
        else:
            yield name, value


def _leaves(pairs: list[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in pairs:
        if name == "_ws.expert":
            continue
        if isinstance(value, list):
            yield from _leaves(value)
        elif name not in GENERATED and not name.endswith(
            (".count", ".items", ".operation", ".tag")
        ):
            yield name, value


def alike(theirs: Leaves, ours: Leaves) -> bool:
    """Return whether two lists of fields say the same."""
    return len(theirs) == len(ours) and all(
        name == known and _same(value, wanted)
        for (name, value), (known, wanted) in zip(theirs, ours, strict=True)
    )


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool):
        return str(value).lower() in (("1", "true") if wanted else ("0", "false"))
    return int(value, 0) == wanted if isinstance(wanted, int) else value == wanted


def differences(
    theirs: dict[tuple[int, int], Parts], ours: dict[tuple[int, int], Parts]
) -> list[Any]:
    """Say where tshark and dump differ; what was understood by neither is not compared."""
    found: list[Any] = []
    for place in sorted(theirs.keys() | ours.keys()):
        one = theirs.get(place, {"log": [], "paths": []})
        other = ours.get(place, {"log": [], "paths": []})
        found += [
            (place, part, one.get(part), other.get(part))
            for part in ("request", "reply", "error")
            if not alike(one.get(part, []), other.get(part, []))
        ]
        frames = [list(each["log"]) for each in (one, other)]
        if [name for name, _ in frames[0]] != [name for name, _ in frames[1]] or not all(
            alike(a, b) for (_, a), (_, b) in zip(*frames, strict=True)
        ):
            found.append((place, "log", *frames))
        if "payload" in other and one.get("payload") != other["payload"]:
            found.append((place, "payload", one.get("payload"), other["payload"]))
        if one.get("blamed") and not other.get("notes"):
            found.append((place, "blamed", one["blamed"], other))
        paths = one["paths"], other["paths"]
        if len(paths[0]) != len(paths[1]) or not all(map(alike, *paths)):
            found.append((place, "paths", *paths))
    return found


# What we say


def dumped(path: Path) -> Iterator[str]:
    """Yield the lines of `dump --format json`."""
    session = Session(path).read_all()
    printer = Printer(session, "json")
    for i in range(len(session)):
        yield from printer.lines(i)
    session.close()


def described(lines: Iterator[str]) -> dict[tuple[int, int], Parts]:
    """Return the same of the lines of `dump --format json`."""
    found: dict[tuple[int, int], Parts] = {}
    counts: dict[int, int] = defaultdict(int)
    for line in lines:
        said = json.loads(line)
        connection = said["connection"]
        counts[connection] += 1
        place = connection, counts[connection]
        found[place] = _parts(said) if said["kind"] != "opaque" else {"log": [], "paths": []}
        found[place]["notes"] = said["notes"] or said["kind"] == "orphan"
    return found


def _parts(said: dict[str, Any]) -> Parts:
    parts: Parts = {"log": [], "paths": []}
    request, reply, prefix = _messages(said)
    protocol = Protocol.parse(said["version"] or "1.0", set(said["features"]), FAMILIES)

    def flat(wire: Wire, plain: Any, name: str) -> Leaves:
        return list(_flat(wire, plain, name, protocol))

    if said["request"] is not None:
        parts["request"] = flat(request, said["request"], f"nix.{prefix}")
    if said["reply"] is not None:
        name = f"nix.{prefix}.reply"
        if said["kind"] == "handshake":
            name = f"nix.{prefix.replace('clientHello', 'daemonHello')}"
        parts["reply"] = flat(reply, said["reply"], name)
    if said["error"] is not None:
        frame = STDERR_FRAMES[STDERR_ERROR]
        parts["error"] = flat(frame.fields, said["error"], "nix.STDERR_ERROR")
    for each in said["log"]:
        fields = FRAMES[each["frame"]].fields
        parts["log"].append((each["frame"], flat(fields, each, f"nix.{each['frame']}")))
    if said["payload"] is not None:
        if said["complete"] and said["error"] is None:
            parts["payload"] = said["payload"]["bytes"]
        info = wire_of(ValidPathInfo)
        parts["paths"] = [
            flat(info, path, "nix.pathInfo") for path in said["payload"].get("paths", ())
        ]
    return parts


def _messages(said: dict[str, Any]) -> tuple[Wire, Wire, str]:
    family = next((each for each in HELLOS if each.name == said["protocol"]), next(iter(HELLOS)))
    if said["kind"] == "handshake":
        client, daemon = HELLOS[family]
        return client, daemon, f"{family.prefix}clientHello"
    operation = OPERATIONS_BY_NAME.get(said["operation"] or "")
    if operation is None:
        return Wire(), Wire(), ""
    short = operation.short
    prefix = f"{family.prefix}{short[0].lower()}{short[1:]}"
    return operation.request, operation.reply, prefix


def _flat(wire: Wire, plain: Any, name: str, protocol: Protocol) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a value as our JSON has it."""
    if isinstance(wire, Record):
        for field in wire.fields:
            if field.name in plain:
                yield from _flat(field.wire, plain[field.name], f"{name}.{field.name}", protocol)
    elif isinstance(wire, ListOf):
        for item in plain:
            yield from _flat(wire.element, item, name, protocol)
    elif isinstance(wire, MapOf):
        for key, item in plain.items() if isinstance(plain, dict) else plain:
            yield from _flat(wire.key, key, f"{name}.key", protocol)
            yield from _flat(wire.value, item, name, protocol)
    elif isinstance(wire, Maybe):
        if wire.gate.admits(protocol):
            yield f"{name}.{wire.flag.replace(' ', '_')}", plain is not None
        if plain is not None:
            yield from _flat(wire.inner, plain, name, protocol)
    elif isinstance(wire, Tagged):
        for label, kind, inner in wire.choices.values():
            is_record = isinstance(inner, Record) and isinstance(plain, dict)
            if inner is not None and (is_record or isinstance(plain, kind)):
                several = len(wire.parts()) > 1
                yield from _flat(inner, plain, f"{name}.{label}" if several else name, protocol)
    elif isinstance(wire, Nonzero):
        if plain is not None:
            yield from _flat(wire.inner, plain, name, protocol)
    elif isinstance(wire, SingleDerivedPathWire):
        yield from _flat(wire.path, plain["path"], f"{name}.path", protocol)
        for output in plain["outputs"]:
            yield from _flat(wire.output, output, f"{name}.outputs", protocol)
    elif isinstance(wire, String):
        raw = bytes_of(plain or "").partition(b"\0")[0]  # where Wireshark's texts end
        yield name, str(raw, "utf-8", "replace")
    elif isinstance(wire, Boolean):
        yield name, bool(plain)
    else:
        yield name, int(wire.by_label.get(plain, plain) if isinstance(plain, str) else plain)
