"""The protocol manual, one entry at a time, from the declarations the codec runs on.

`entry(name)` finds an operation, a type, a field, a STDERR frame, an activity, a result, an
enumeration or one of its values, a feature string, a protocol version or a pair of them, a
finding or a mistake, and returns what is known as titled paragraphs and tables. How they are shown
is others' business.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from pix.codec.declare import Version
from pix.codec.gates import FAMILIES, RELEASES, SERVE, WORKER, Family, Gate, Protocol
from pix.codec.records import Field, Record
from pix.codec.wire import Enumeration
from pix.dataclass import dataclass, field
from pix.problem import Problem
from pix.protocol import OPERATIONS, STDERR_FRAMES, Frame, Operation, types
from pix.protocol.handshake import HELLOS
from pix.protocol.names import enumerations, records, scalars, users_of
from pix.protocol.types import FEATURES
from pix.untrusted import natural
from pix_inspect.findings.kinds import KINDS, OF_LAYOUT, Kind
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.teach.errata import about

MISTAKES = {mistake.label: mistake for mistake in Mistake}
UNKNOWN_LAYOUT = (
    "Where a version or a feature is in force that is not known here, what is found in layouts is"
    " said as unknown-layout: the bytes may be right."
)
NAMED_WHEN = (
    "Named in the diagnosis of a finding, such as desync, when it explains all the bytes up to"
    " where their speaker stopped, and nothing else does. “If it did not end on purpose” stands"
    " before it where the speaker may have been cut off there."
)

_VERSION = r"(?:1|2)\.\d{1,9}"


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
    """What other documents get wrong about it, and who does it otherwise."""


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
    found.update((f"{family.prefix}handshake", "handshake") for family in FAMILIES)
    found.update((name, "finding") for name in KINDS)
    found.update((mistake.label, "mistake") for mistake in Mistake)
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
    versions = re.findall(_VERSION, name, re.ASCII)
    if versions and re.fullmatch(
        rf"\s*{_VERSION}(\s*(?:\.\.|against|vs\.?|-|,)?\s*{_VERSION})?\s*", name, re.ASCII
    ):
        if versions == [NOT_SPOKEN.title]:
            return replace(NOT_SPOKEN)
        spoken = [_spoken(version) for version in versions]
        return _difference(*spoken) if len(spoken) == 2 else _version(*spoken)
    code = natural(name)
    if code in OPERATIONS:
        return _operation(OPERATIONS[code], protocol)
    found = _find(name, protocol)
    if found is not None:
        return found
    lowered = {known.removeprefix(SERVE.prefix).lower(): known for known in names()}
    lowered.update((known.lower(), known) for known in names() if SERVE.prefix not in known)
    lowered.update((known.lower(), known) for known in names())
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
    for family in FAMILIES:
        if name == f"{family.prefix}handshake":
            return _handshake(family, protocol)
    if name in scalars():
        return Entry(name, "type", scalars()[name].doc)
    if name in KINDS:
        return _finding(KINDS[name])
    if name in MISTAKES:
        return _mistake(MISTAKES[name])
    prefix = SERVE.prefix if name.startswith(SERVE.prefix) else ""
    owner, dot, rest = name.removeprefix(prefix).partition(".")
    return _inside(prefix + owner, rest, protocol) if dot else None


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
    for family, hellos in HELLOS.items():
        if owner == f"{family.prefix}handshake":
            record = hellos[not rest.startswith("request")]
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
    gates = [part.gate for part in record.fields if part.gate.text]
    if protocol is not None and any(gate.family is not protocol.family for gate in gates):
        raise Problem(
            f"{record.name} is of the {gates[0].family} protocol, {protocol.text} is a version of"
            f" the {protocol.family} protocol"
        )
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
    facts = [("protocol", operation.family.doc)] if operation.family is not WORKER else []
    facts += [("number", str(operation.number)), ("introduced", str(life.introduced))]
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


def _handshake(family: Family, protocol: Protocol | None) -> Entry:
    tables = [
        (title, _layout(record, protocol))
        for title, record in zip(
            ("the client says", "the daemon says"), HELLOS[family], strict=True
        )
    ]
    facts = [
        ("in force", "the smaller of both versions, the features both know"),
        ("ends with", "the daemon's STDERR loop: STDERR_LAST, or STDERR_ERROR and it closes"),
    ]
    if not family.has_log:
        facts = [
            ("protocol", family.doc),
            ("in force", "the smaller of both versions"),
            ("errors", "on the server's standard error; then the stream ends"),
        ]
    return Entry(
        f"{family.prefix}handshake",
        "handshake",
        "What both sides say before the first operation.",
        facts,
        tables,
        ("Who refuses a version or a user closes without a word.",),
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


def _finding(kind: Kind) -> Entry:
    facts = [
        ("grade", kind.grade),
        ("means", kind.why),
        ("needs", kind.evidence),
        ("what to do", kind.advice),
        ("known from", kind.source),
    ]
    notes = (UNKNOWN_LAYOUT,) if kind.name in OF_LAYOUT else ()
    summary = f"{kind.what[0].upper()}{kind.what[1:]}."
    return Entry(kind.name, "finding", summary, [each for each in facts if each[1]], [], notes)


def _mistake(mistake: Mistake) -> Entry:
    facts = [("known from", mistake.source)] if mistake.source else []
    summary = f"{mistake.what[0].upper()}{mistake.what[1:]}."
    return Entry(mistake.label, "mistake", summary, facts, [], (NAMED_WHEN,))


def _gated() -> Iterator[tuple[str, Field]]:
    """Yield every field that has a gate, with the name of where it stands."""
    places = {}
    for family, hellos in HELLOS.items():
        for record, side in zip(hellos, ("client", "daemon"), strict=True):
            places[record] = f"{family.prefix}{side} hello"
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


def _changes(version: Protocol) -> Table:
    minor, family = version.minor, version.family
    table = Table(("where", "what", "change"))
    for where, part in _gated():
        if part.gate.family is not family:
            continue
        if part.gate.since == minor:
            table.rows.append((where, part.name, "added"))
        if part.gate.until == minor:
            table.rows.append((where, part.name, "gone"))
    for operation in OPERATIONS.values():
        if operation.family is not family:
            continue
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
            point: Version | None = getattr(operation.life, word)
            if point is not None and point.minor == minor:
                table.rows.append((operation.name, "operation", word))
    for frame in STDERR_FRAMES.values():
        if frame.since == minor and family.has_log:
            table.rows.append((frame.name, "STDERR frame", "added"))
    return table


def _spoken(text: str) -> Protocol:
    """Return the version of that text. Raises Problem where it is not described."""
    version = Protocol.parse(text, families=FAMILIES)
    family = version.family
    if not family.oldest <= version.minor <= family.newest:
        oldest, newest = family.version(family.oldest), family.version(family.newest)
        raise Problem(f"no protocol {version.text}: versions go from {oldest} to {newest}")
    return version


def spoken_by(version: Protocol) -> str:
    """Return which releases speak a version, in words."""
    return RELEASES[version.family].get(version.minor, "development snapshots only")


NOT_SPOKEN = Entry(
    "1.39",
    "protocol version",
    "No protocol version: a macro in some headers of Nix says it, and nothing sends it.",
    [
        ("spoken by", "nobody"),
        ("instead", "from 1.38 on changes come as feature strings, not as numbers"),
        ("announced", "what a peer means by it is not known; it is read as 1.38"),
    ],
)


def _version(version: Protocol) -> Entry:
    facts = [("spoken by", spoken_by(version))]
    table = _changes(version)
    tables = [("changes against the version before", table)] if table.rows else []
    notes = () if table.rows else ("No layout changed.",)
    said = "A protocol version."
    return Entry(version.text, "protocol version", said, facts, tables, notes)


def _difference(first: Protocol, second: Protocol) -> Entry:
    if first.family is not second.family:
        raise Problem(
            f"{first.text} is of the {first.family} protocol, {second.text} of the"
            f" {second.family} protocol: they have no versions in common"
        )
    old, new = sorted((first, second), key=lambda version: version.minor)
    table = Table(("where", "what", old.text, new.text))

    def shown(gate: Gate, protocol: Protocol) -> str:
        return "yes" if gate.admits(protocol) else "–"

    for where, part in _gated():
        if part.gate.family is not old.family:
            continue
        if part.gate.admits(old) != part.gate.admits(new):
            table.rows.append((where, part.name, shown(part.gate, old), shown(part.gate, new)))
    for operation in OPERATIONS.values():
        payload = operation.request.payload
        if payload is not None and operation.family is old.family:
            before, after = payload.carriage(old), payload.carriage(new)
            if before is not after:
                table.rows.append(
                    (f"{operation.name} request", payload.name,
                     before.name if before else "–", after.name if after else "–")
                )  # fmt: skip
    return Entry(
        f"{old.text} against {new.text}",
        "protocol versions",
        "What is on the wire in one and not in the other.",
        [(version.text, spoken_by(version)) for version in (old, new)],
        [("differences", table)],
    )
