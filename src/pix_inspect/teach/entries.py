"""The protocol manual, one entry at a time, from the declarations the codec runs on.

`entry(name)` finds an operation, a type, a field, a STDERR frame, an activity, a result, an
enumeration or one of its values, a feature string, a protocol version or a pair of them, and
returns what is known as titled paragraphs and tables. How they are shown is others' business.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from pix.codec.declare import Version, record_of
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, Gate, Protocol
from pix.codec.records import Field, Record
from pix.codec.wire import Enumeration
from pix.problem import Problem
from pix.protocol import OPERATIONS, STDERR_FRAMES, Frame, Operation, types
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.names import enumerations, records, scalars, users_of
from pix.protocol.types import FEATURES
from pix.untrusted import natural
from pix_inspect.teach.errata import about

RELEASES = {
    10: "Nix 1.0", 11: "Nix 1.1", 12: "Nix 1.2", 13: "Nix 1.3", 14: "Nix 1.6", 15: "Nix 1.11",
    20: "Nix 2.0", 21: "Nix 2.1 to 2.3", 32: "Nix 2.4 to 2.6", 33: "Nix 2.7",
    34: "Nix 2.8 to 2.14", 35: "Nix 2.15 to 2.19, and Lix", 37: "Nix 2.20 to 2.23",
    38: "Nix 2.24 and later",
}  # fmt: skip
"""Which releases speak a version; those between were in development snapshots only."""


@dataclass(slots=True)
class Table:
    """Rows of cells under heads."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One entry of the manual."""

    title: str
    kind: str
    summary: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    tables: list[tuple[str, Table]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    """What other documents get wrong about it."""


@lru_cache(maxsize=1)
def names(*, values: bool = True) -> dict[str, str]:
    """Return everything that has an entry: its name, and what kind of thing it is.

    `values`: those of enumerations, too.
    """
    found = {operation.name: "operation" for operation in OPERATIONS.values()}
    found.update((frame.name, "STDERR frame") for frame in STDERR_FRAMES.values())
    found.update((name, "type") for name in records())
    found.update((name, "type") for name in scalars())
    found.update((name, "enumeration") for name in enumerations())
    found.update((name, "feature") for name in FEATURES)
    found["handshake"] = "handshake"
    for name, wire in enumerations().items() if values else ():
        found.update((f"{name}.{label}", f"value of {name}") for label in wire.by_label)
    return found


def entry(name: str, protocol: Protocol | None = None) -> Entry:
    """Return the entry for `name`, layouts as in `protocol` where it is given.

    Raises Problem with suggestions when nothing has that name.
    """
    found = _entry(name, protocol)
    found.documents = tuple(wrong.text for wrong in about(found.title))
    return found


def _entry(name: str, protocol: Protocol | None) -> Entry:
    versions = re.findall(r"1\.(\d+)", name, re.ASCII)
    if versions and re.fullmatch(
        r"\s*1\.\d{1,9}(\s*(?:\.\.|against|vs\.?|-|,)?\s*1\.\d{1,9})?\s*", name, re.ASCII
    ):
        if len(versions) == 2:
            return _difference(int(versions[0]), int(versions[1]))
        return _version(int(versions[0]))
    code = natural(name)
    if code in OPERATIONS:
        return _operation(OPERATIONS[code], protocol)
    found = _find(name, protocol)
    if found is not None:
        return found
    lowered = {known.lower(): known for known in names()}
    if name.lower() in lowered and lowered[name.lower()] != name:
        return _entry(lowered[name.lower()], protocol)
    near = difflib.get_close_matches(name.lower(), lowered, 3)
    hint = ", ".join(lowered[word] for word in near)
    raise Problem(
        f"nothing is called {name!r}"
        + (f"; did you mean {hint}?" if hint else "; `pix-inspect explain` lists all names")
    )


def _find(name: str, protocol: Protocol | None) -> Entry | None:
    for operation in OPERATIONS.values():
        if operation.name == name:
            return _operation(operation, protocol)
    for frame in STDERR_FRAMES.values():
        if name in (frame.name, frame.fields.name):
            return _frame(frame, protocol)
    if name in records():
        return _record(records()[name], protocol)
    if name in enumerations():
        return _enumeration(enumerations()[name])
    if name in FEATURES:
        return _feature(name)
    if name == "handshake":
        return _handshake(protocol)
    if name in scalars():
        return Entry(name, "type", scalars()[name].doc)
    owner, dot, rest = name.partition(".")
    return _inside(owner, rest, protocol) if dot else None


def _inside(owner: str, rest: str, protocol: Protocol | None) -> Entry | None:
    """The entry of a field, a reply, or a value of an enumeration."""
    if owner in enumerations() and rest in enumerations()[owner].by_label:
        member = enumerations()[owner].by_label[rest]
        return Entry(
            f"{owner}.{rest}", f"value of {owner}", member.doc, [("number", str(int(member)))]
        )
    record: Record | None = records().get(owner)
    for operation in OPERATIONS.values():
        if operation.name == owner:
            record = operation.request
            first, _, deeper = rest.partition(".")
            if first.lower() in ("request", "reply"):
                record = operation.request if first.lower() == "request" else operation.reply
                if not deeper:
                    return _record(record, protocol, f"{owner}.{first.lower()}")
                rest = deeper
    if owner == "handshake":
        record = record_of(ClientHello if rest.startswith("request") else DaemonHello)
    for frame in STDERR_FRAMES.values():
        if owner in (frame.name, frame.fields.name):
            record = frame.fields
    while record is not None:
        first, _, rest = rest.partition(".")
        found = next((part for part in record.fields if part.name == first), None)
        if found is None:
            return None
        if not rest:
            return _field(found, record)
        record = next((each for each in found.wire.walk() if isinstance(each, Record)), None)
    return None


def _layout(record: Record, protocol: Protocol | None) -> Table:
    table = Table(("field", "type", "when", "what"))
    for part in record.fields:
        if protocol is None or part.gate.admits(protocol):
            table.rows.append((part.name, part.wire.name, part.gate.text, part.doc))
    payload = record.payload
    if payload is not None:
        for gate, carriage in payload.carried:
            if protocol is None or gate.admits(protocol):
                table.rows.append((payload.name, carriage.name, gate.text, payload.doc))
    return table


def _operation(operation: Operation, protocol: Protocol | None) -> Entry:
    life = operation.life
    facts = [("number", str(operation.number)), ("introduced", str(life.introduced))]
    facts += [("obsolete", str(life.obsolete))] if life.obsolete else []
    facts += [("removed", str(life.removed))] if life.removed else []
    facts += [("instead", life.instead)] if life.instead else []
    facts += [("needs feature", operation.feature)] if operation.feature else []
    if operation.early_log:
        facts.append(("log", "STDERR frames may come before the request is complete"))
    tables = []
    for title, record in (("request", operation.request), ("reply", operation.reply)):
        table = _layout(record, protocol)
        if table.rows:
            tables.append((title, table))
    return Entry(operation.name, "operation", operation.doc, facts, tables, operation.notes)


def _record(record: Record, protocol: Protocol | None, title: str = "") -> Entry:
    return Entry(
        title or record.name,
        "type",
        record.doc,
        [("used by", ", ".join(users_of(record)))] if users_of(record) else [],
        [("layout", _layout(record, protocol))],
    )


def _field(part: Field, record: Record) -> Entry:
    facts = [("type", part.wire.name), ("of", record.name)]
    facts += [("on the wire", part.gate.text)] if part.gate.text else []
    facts += [("type's meaning", part.wire.doc)] if part.wire.doc else []
    return Entry(part.name, "field", part.doc, facts)


def _enumeration(wire: Enumeration) -> Entry:
    table = Table(("number", "name", "what"))
    table.rows += [(str(int(m)), m.label, m.doc) for m in wire.by_label.values()]
    notes: tuple[str, ...] = ()
    if wire.name == "Verbosity":
        notes = tuple(
            f"Nix {release}: " + ", ".join(f"{i} {word}" for i, word in enumerate(words))
            for release, words in types.VERBOSITY_BY_RELEASE.items()
        )
    return Entry(wire.name, "enumeration", wire.doc, [], [("values", table)], notes)


def _frame(frame: Frame, protocol: Protocol | None) -> Entry:
    text = frame.code.to_bytes(8, "little").rstrip(b"\0").decode("latin-1")
    facts = [("word", f"{frame.code:#x} ({text!r} in the stream)")]
    facts += [("since", f"1.{frame.since}")] if frame.since is not None else []
    table = _layout(frame.fields, protocol)
    tables = [("layout after the word", table)] if table.rows else []
    return Entry(frame.name, "STDERR frame", frame.doc, facts, tables, frame.notes)


def _handshake(protocol: Protocol | None) -> Entry:
    tables = []
    for title, cls in (("the client says", ClientHello), ("the daemon says", DaemonHello)):
        tables.append((title, _layout(record_of(cls), protocol)))
    return Entry(
        "handshake",
        "handshake",
        "What both sides say before the first operation.",
        [
            ("in force", "the smaller of both versions, the features both know"),
            ("ends with", "the daemon's STDERR loop: STDERR_LAST, or STDERR_ERROR and it closes"),
        ],
        tables,
        ("A daemon that refuses a version or a user closes without a word.",),
    )


def _feature(name: str) -> Entry:
    feature = FEATURES[name]
    facts = [("offered by", feature.offered)]
    operations = [op.name for op in OPERATIONS.values() if op.feature == name]
    facts += [("operations", ", ".join(operations))] if operations else []
    table = Table(("where", "field", "when"))
    for where, part in _gated():
        if name in (part.gate.feature, part.gate.without):
            table.rows.append((where, part.name, part.gate.text))
    tables = [("fields", table)] if table.rows else []
    return Entry(name, "feature", feature.doc, facts, tables)


def _gated() -> Iterator[tuple[str, Field]]:
    """Yield every field that has a gate, with the name of where it stands."""
    places = {record_of(ClientHello): "client hello", record_of(DaemonHello): "daemon hello"}
    for operation in OPERATIONS.values():
        places.setdefault(operation.request, f"{operation.name} request")
        places.setdefault(operation.reply, f"{operation.name} reply")
    for frame in STDERR_FRAMES.values():
        places.setdefault(frame.fields, frame.name)
    for name, record in records().items():
        places.setdefault(record, name)
    for record, where in places.items():
        for part in record.fields:
            yield where, part


def _changes(minor: int) -> Table:
    table = Table(("where", "what", "change"))
    for where, part in _gated():
        if part.gate.since == minor:
            table.rows.append((where, part.name, "added"))
        if part.gate.until == minor:
            table.rows.append((where, part.name, "gone"))
    for operation in OPERATIONS.values():
        for payload, where in (
            (operation.request.payload, "request"),
            (operation.reply.payload, "reply"),
        ):
            for gate, carriage in payload.carried if payload is not None else ():
                if gate.since == minor:
                    table.rows.append(
                        (
                            f"{operation.name} {where}",
                            payload.name if payload else "",
                            f"carried as {carriage.name}",
                        )
                    )
        for word in ("introduced", "obsolete", "removed"):
            version: Version | None = getattr(operation.life, word)
            if version is not None and version.minor == minor:
                table.rows.append((operation.name, "operation", word))
    for frame in STDERR_FRAMES.values():
        if frame.since == minor:
            table.rows.append((frame.name, "STDERR frame", "added"))
    return table


def _version(minor: int) -> Entry:
    if not OLDEST_MINOR <= minor <= NEWEST_MINOR:
        raise Problem(
            f"no protocol 1.{minor}: versions go from 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}"
        )
    facts = [("spoken by", RELEASES.get(minor, "development snapshots only"))]
    table = _changes(minor)
    tables = [("changes against the version before", table)] if table.rows else []
    notes = () if table.rows else ("No layout changed.",)
    return Entry(f"1.{minor}", "protocol version", "A protocol version.", facts, tables, notes)


def _difference(first: int, second: int) -> Entry:
    low, high = sorted((first, second))
    for minor in (low, high):
        if not OLDEST_MINOR <= minor <= NEWEST_MINOR:
            raise Problem(
                f"no protocol 1.{minor}: versions go from 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}"
            )
    old, new = Protocol(low), Protocol(high)
    table = Table(("where", "what", f"1.{low}", f"1.{high}"))

    def shown(gate: Gate, protocol: Protocol) -> str:
        return "yes" if gate.admits(protocol) else "–"

    for where, part in _gated():
        if part.gate.admits(old) != part.gate.admits(new):
            table.rows.append((where, part.name, shown(part.gate, old), shown(part.gate, new)))
    for operation in OPERATIONS.values():
        payload = operation.request.payload
        if payload is not None:
            before, after = payload.carriage(old), payload.carriage(new)
            if before is not after:
                table.rows.append(
                    (f"{operation.name} request", payload.name,
                     before.name if before else "–", after.name if after else "–")
                )  # fmt: skip
    return Entry(
        f"1.{low} against 1.{high}",
        "protocol versions",
        "What is on the wire in one and not in the other.",
        [
            (f"1.{minor}", RELEASES.get(minor, "development snapshots only"))
            for minor in (low, high)
        ],
        [("differences", table)],
    )
