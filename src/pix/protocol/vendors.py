"""Operations, features and types that a user declares in a TOML file, in our own vocabulary.

    vendor = "Example Nix"

    [features.colours]
    doc = "operation 101, QueryColour"

    [types.Colour]
    doc = "A colour."
    values = { Red = [0, "like a rose"], Green = [1, "like grass"] }

    [[operations]]
    number = 101
    name = "QueryColour"
    doc = "Which colour does this path have?"
    feature = "colours"
    request = [{ name = "path", type = "StorePath", doc = "the path asked about" }]
    reply = [{ name = "colour", type = "Colour", doc = "its colour" }]

What it says becomes the values that the classes of `operations` and `types` become, and stands in
the same tables. It is read before anything is asked of these, which may have remembered what they
said. `docs/vendors.md` has every key.
"""

from __future__ import annotations

import copy
import difflib
import keyword
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

from pix.codec.declare import (
    DECLARED,
    OPERATIONS,
    Many,
    Nothing,
    Version,
    field,
    operation,
    payload,
    record_in,
    record_of,
    wire_of,
)
from pix.codec.errors import EncodeError
from pix.codec.gates import ALWAYS, FAMILIES, WORKER, Family, Gate, NoVersion, Protocol, newest
from pix.codec.message import Message
from pix.codec.payload import FRAMES, PULLED, RAW_EXPORT, RAW_NAR, WRITTEN, Carriage
from pix.codec.records import MISSING, Maybe, Record, Tagged
from pix.codec.wire import Boolean, Enumeration, Named, Reader, String, Wire, Word
from pix.protocol import OPERATIONS_BY_NAME, names, types
from pix.protocol.declaration_file import DeclarationError, DeclarationFile, Place
from pix.untrusted import file_bytes

LARGEST_FILE = 1 << 20
"""Bytes of a file of declarations."""
LARGEST_RECORD = 1_000
"""Types inside a record, each as often as it is there."""
DEEPEST_RECORD = 30
"""Types inside each other in it."""
LARGEST_NUMBER = 0x7FFF
"""An index of recorded exchanges keeps 15 bits of an operation's number."""

TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
FEATURE_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
RESERVED = ("wire", "operation")
"""Names that a class has for itself."""

FILE = {"vendor": str, "features": dict, "types": dict, "operations": list}
FEATURE = {"doc": str, "offered": str}
TYPE = {"doc": str, "protocol": str}
KINDS = {"fields": list, "values": dict, "of": str, "choices": dict}
"""What a type is made of: exactly one of these."""
GATE = {"since": str, "until": str, "feature": str, "without": str}
FIELD = {"name": str, "type": str, "doc": str, "default": object, **GATE}
PAYLOAD = {"name": str, "doc": str, "payload": str, "carried": object}
CARRIED = {"how": str, **GATE}
OPERATION = {
    "number": int, "name": str, "doc": str, "protocol": str, "introduced": str, "obsolete": str,
    "removed": str, "instead": str, "feature": str, "early_log": bool, "many": str, "notes": list,
    "request": list, "reply": list,
}  # fmt: skip
"""The keys of each kind of table, and what stands behind them."""

CONTENTS = ("nar", "plain", "paths", "export", "log")
CARRIAGES: dict[str, dict[str, Carriage]] = {
    "request": {each.name: each for each in (FRAMES, RAW_NAR, RAW_EXPORT, PULLED)},
    "reply": {each.name: each for each in (RAW_NAR, RAW_EXPORT, WRITTEN)},
}
BARE: dict[Carriage, str] = {RAW_NAR: "nar", RAW_EXPORT: "export"}
"""What ends by its own grammar holds nothing else."""


def load(path: Path | str) -> None:
    """Declare what a TOML file declares, all of it or nothing; what is declared already stays.

    To be called before anything is decoded. Raises DeclarationError.
    """
    try:
        raw = file_bytes(Path(path), LARGEST_FILE)
    except OSError as error:
        raise DeclarationError(f"{path}: {error.strerror}") from None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path}: byte {error.start:,} is not UTF-8") from None
    declare(text, str(path))


def declare(text: str, source: str) -> None:
    """Declare what a text declares, all of it or nothing; `source` is where it is from.

    Raises DeclarationError.
    """
    if text in DECLARED.values():
        return
    _Declarations(DeclarationFile(text, source)).read()()
    for remembered in (
        names.declared,
        names.records,
        names.enumerations,
        names.scalars,
        names.names,
    ):
        remembered.cache_clear()
    name = Path(source).name
    DECLARED[name if name not in DECLARED else source] = text


class _Declarations:
    """What a file declares, while it is read: it is put into the tables at the end."""

    def __init__(self, file: DeclarationFile) -> None:
        self.file = file
        self.vendor = ""
        self.later: list[str] = []
        """The types that are not read yet."""
        self.features: dict[str, types.Feature] = {}
        self.types: dict[str, Wire] = {}
        self.operations: dict[str, Callable[[], object]] = {}
        self.numbers: dict[int, str] = {code: each.name for code, each in OPERATIONS.items()}
        self.aliases = {name: wire for name, wire in _aliases() if name not in names.declared()}
        """Names that only the declarations themselves have, such as Size and Text."""
        self.taken = {name.lower(): "declared already" for name in names.names()}
        self.taken |= {name.lower(): "declared already" for name in OPERATIONS_BY_NAME}

    def read(self) -> Callable[[], None]:
        """Return what puts it into the tables. Raises DeclarationError."""
        found = self.file.table(self.file.parsed(), FILE, ("vendor",), ())
        self.vendor = found["vendor"]
        for name, said in found.get("features", {}).items():
            self._feature(name, said, ("features", name))
        self.later = list(found.get("types", {}))
        for name, said in found.get("types", {}).items():
            self._type(name, said, ("types", name))
            self.later.remove(name)
        for number, said in enumerate(found.get("operations", []), 1):
            self._operation(said, ("operations", number))
        for number, said in enumerate(found.get("operations", []), 1):
            many = said.get("many")
            if many is not None and many not in self.operations and many not in OPERATIONS_BY_NAME:
                self.file.wrong(("operations", number, "many"), f"no operation is called {many!r}")
        return self._put

    def _put(self) -> None:
        types.FEATURES.update(self.features)
        types.OF_VENDORS.update(self.types)
        for make in self.operations.values():
            make()
        OPERATIONS_BY_NAME.update((each.name, each) for each in OPERATIONS.values())

    # Names ------------------------------------------------------------------------------

    def _name(self, name: str, form: re.Pattern[str], example: str, place: Place) -> str:
        if not form.fullmatch(name) or keyword.iskeyword(name) or name in RESERVED:
            self.file.wrong(place, f"{name!r} cannot be a name here; write it as {example}")
        return name

    def _new(self, name: str, what: str, place: Place) -> None:
        """Take a name of a type or an operation, if nobody has it."""
        if name.lower() in self.taken:
            self.file.wrong(place, f"{name} is {self.taken[name.lower()]}; choose another name")
        self.taken[name.lower()] = f"the name of {what} in this file"

    # Features, versions ----------------------------------------------------------------

    def _feature(self, name: str, said: object, place: Place) -> None:
        self._name(name, FEATURE_NAME, "example-colours", place)
        if name in types.FEATURES:
            self.file.wrong(place, "the feature is declared already; leave it out, it can be used")
        found = self.file.table(said, FEATURE, ("doc",), place)
        self.features[name] = types.Feature(name, found.get("offered", self.vendor), found["doc"])

    def _known_feature(self, name: str | None, place: Place) -> str | None:
        known = types.FEATURES | self.features
        if name is not None and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"declare it as [features.{name}]"
            self.file.wrong(place, f"no feature is called {name!r}; {hint}")
        return name

    def _family(self, said: dict[str, Any], place: Place) -> Family:
        known = {family.name: family for family in FAMILIES}
        name = said.get("protocol", WORKER.name)
        if name not in known:
            write = " or ".join(known)
            self.file.wrong((*place, "protocol"), f"no protocol is called {name!r}; write {write}")
        return known[name]

    def _minor(self, text: str, family: Family, place: Place) -> int:
        try:
            return Protocol.parse(text, families=(family,)).minor
        except NoVersion as error:
            self.file.wrong(place, str(error))

    def _gate(self, said: dict[str, Any], family: Family, place: Place) -> dict[str, Any]:
        """Return what a gate is made of, nothing for one that is always open."""
        found: dict[str, Any] = {
            key: self._minor(said[key], family, (*place, key))
            for key in ("since", "until")
            if key in said
        }
        if found.get("since", -1) >= found.get("until", 1 << 8):
            self.file.wrong((*place, "until"), "is the first version without it, so behind since")
        for key in ("feature", "without"):
            if key in said:
                found[key] = self._known_feature(said[key], (*place, key))
        return found

    def _version(self, text: str, family: Family, place: Place) -> Version:
        """Return the point in history of `1.35`, `1.35 (Example Nix 2)` or `Example Nix 2`."""
        if not text[:1].isdigit():
            return Version(remark=text, family=family)
        number, space, remark = text.partition(" ")
        return Version(self._minor(number, family, place), remark=space + remark, family=family)

    # Types -----------------------------------------------------------------------------

    def _type(self, name: str, said: object, place: Place) -> None:
        found = self.file.table(said, TYPE | KINDS, ("doc",), place)
        family = self._family(found, place)
        self._name(name, TYPE_NAME, "QueryColour", place)
        called = family.prefix + name
        self._new(called, "a type", place)
        kinds = [key for key in KINDS if key in found]
        if len(kinds) != 1:
            self.file.wrong(place, f"a type has one of the keys {', '.join(KINDS)}")
        make = {
            "fields": self._fields, "values": self._values, "of": self._of, "choices": self._choices
        }[kinds[0]]  # fmt: skip
        wire: Wire = make(name, found, family, (*place, kinds[0]))
        wire.name, wire.doc = called, found["doc"]
        self.types[called] = wire

    def _fields(self, name: str, said: dict[str, Any], family: Family, place: Place) -> Record:
        made = self._record(name, said["doc"], said["fields"], family, place)
        wire = record_of(record_in(family, made))
        if all(each.gate is not ALWAYS for each in wire.fields):
            self.file.wrong(place, "one field at least is to be there in every version: no gate")
        return wire

    def _values(self, name: str, said: dict[str, Any], family: Family, place: Place) -> Enumeration:
        numbers: dict[int, str] = {}
        for label, value in said["values"].items():
            here = (*place, label)
            self._name(label, TYPE_NAME, 'Red = [0, "like a rose"]', here)
            if not isinstance(value, list) or [type(each) for each in value] != [int, str]:
                self.file.wrong(
                    here, f'is to be a number and a text: {label} = [0, "what it means"]'
                )
            if not 0 <= value[0] < 1 << 64:
                self.file.wrong(here, f"{value[0]} does not fit 64 bits")
            if value[0] in numbers:
                self.file.wrong(here, f"{value[0]} is {numbers[value[0]]} already")
            numbers[value[0]] = label
        if not numbers:
            self.file.wrong(place, 'there is no value; write { Red = [0, "like a rose"] }')
        pairs = {label: tuple(value) for label, value in said["values"].items()}
        return Enumeration(_AsWritten(name, pairs))  # type: ignore[arg-type]  # as enum has it

    def _of(self, name: str, said: dict[str, Any], family: Family, place: Place) -> Wire:
        wire = self._wire(said["of"], family, place)
        if type(wire) not in (Word, Boolean, String):
            self.file.wrong(place, f"{said['of']} is neither a number nor a text; name it as it is")
        return copy.copy(wire)

    def _choices(self, name: str, said: dict[str, Any], family: Family, place: Place) -> Tagged:
        found: dict[int, tuple[str, type, Wire | None]] = {}
        for label, value in said["choices"].items():
            here = (*place, label)
            shapes = [type(each) for each in value] if isinstance(value, list) else []
            if shapes not in ([int], [int, str]):
                self.file.wrong(here, f'is to be a number and a type: {label} = [0, "U64"]')
            if not 0 <= value[0] < 1 << 64:
                self.file.wrong(here, f"{value[0]} does not fit 64 bits")
            wire = self._wire(value[1], family, here) if len(value) > 1 else None
            if type(wire) not in (Word, String, Record, type(None)):
                self.file.wrong(
                    here, "a choice is a number, a text, a type with fields, or nothing"
                )
            python = {Word: int, String: str, Record: dict, type(None): type(None)}[type(wire)]
            kind = wire.kind if isinstance(wire, Record) else python
            if value[0] in found or any(
                kind is other or (isinstance(wire, Record) and isinstance(each, Record))
                for _, other, each in found.values()
            ):
                self.file.wrong(
                    here, "cannot be told from another choice: one number, text, type each"
                )
            found[value[0]] = (label, kind, wire)
        if not found:
            self.file.wrong(place, 'there is no choice; write { number = [0, "U64"] }')
        return Tagged(name, said["doc"], found)

    def _wire(self, name: str, family: Family, place: Place) -> Wire:
        """Return the type of that name, if it can stand in this protocol."""
        try:
            wire = names.wire_called(name, self.aliases | self.types)
        except names.UnknownName as error:
            later = [each for each in self.later if re.search(rf"\b{re.escape(each)}\b", name)]
            self.file.wrong(
                place, f"{later[0]} is to stand above what it is used by" if later else str(error)
            )
        for part in wire.walk():
            if isinstance(part, Message) or (isinstance(part, Record) and part.payload is not None):
                self.file.wrong(place, f"{name} is a whole message and cannot be part of another")
            for each in part.fields:
                if each.gate is not ALWAYS and each.gate.family is not family:
                    self.file.wrong(place, f"{name} is of the {each.gate.family} protocol")
        return wire

    # Records ---------------------------------------------------------------------------

    def _record(
        self,
        name: str,
        doc: str,
        said: list[Any],
        family: Family,
        place: Place,
        carriages: dict[str, Carriage] | None = None,
    ) -> type:
        """Return the class that a declaration in Python would begin with."""
        annotations: dict[str, Any] = {}
        body: dict[str, Any] = {"__doc__": doc, "__module__": __name__, "__qualname__": name}
        size = 0
        for number, each in enumerate(said, 1):
            called = each.get("name") if isinstance(each, dict) else None
            here = (*place, called if isinstance(called, str) else number)
            is_payload = isinstance(each, dict) and "payload" in each
            keys, needed = (PAYLOAD, PAYLOAD) if is_payload else (FIELD, ("name", "type"))
            found = self.file.table(each, keys, needed, here)
            title = self._name(found["name"], FIELD_NAME, "nar_size", here)
            if title in annotations:
                self.file.wrong(here, "is there twice")
            if is_payload:
                if carriages is None or number < len(said):
                    self.file.wrong(
                        here, "payload stands behind all fields of a request or a reply"
                    )
                annotations[title] = object
                body[title] = self._payload(found, family, here, carriages)
            else:
                wire = self._wire(found["type"], family, (*here, "type"))
                size += sum(1 for _ in wire.walk())
                if size > LARGEST_RECORD or _depth(wire) >= DEEPEST_RECORD:
                    most = f"{LARGEST_RECORD:,} types, {DEEPEST_RECORD} inside each other"
                    self.file.wrong(here, f"is too much: what has fields holds at most {most}")
                annotations[title] = Annotated[Any, wire]
                body[title] = self._field(found, wire, family, here)
        return type(name.rpartition(".")[2], (), {**body, "__annotations__": annotations})

    def _field(self, said: dict[str, Any], wire: Wire, family: Family, place: Place) -> Any:
        gate = self._gate(said, family, place)
        if "default" not in said:
            is_none = isinstance(wire, Maybe) or (isinstance(wire, String) and wire.optional)
            return field(said.get("doc", ""), default=None if is_none else MISSING, **gate)
        raw, spoken = bytearray(), newest(family)
        try:
            wire.write(wire.value_of(said["default"]), raw, spoken)
        except EncodeError as error:
            self.file.wrong((*place, "default"), str(error))

        def made() -> Any:
            return wire.read(Reader(raw, spoken))

        if isinstance(made(), dict):
            return field(said.get("doc", ""), default_factory=made, **gate)
        return field(said.get("doc", ""), default=made(), **gate)

    def _payload(
        self,
        said: dict[str, Any],
        family: Family,
        place: Place,
        carriages: dict[str, Carriage],
    ) -> Any:
        content, ways = said["payload"], said["carried"]
        if content not in CONTENTS:
            self.file.wrong((*place, "payload"), f"{content!r} is none of {', '.join(CONTENTS)}")
        carried: list[tuple[Gate, Carriage]] = []
        for way in ways if isinstance(ways, list) else [{"how": ways}]:
            found = self.file.table(way, CARRIED, ("how",), (*place, "carried"))
            carriage = carriages.get(found["how"])
            if carriage is None or not (family.has_log or carriage.inline):
                known = ", ".join(
                    n for n, each in carriages.items() if family.has_log or each.inline
                )
                self.file.wrong((*place, "carried"), f"{found['how']!r} is none of {known}")
            if BARE.get(carriage, content) != content:
                self.file.wrong((*place, "payload"), f"a {carriage.name} holds {BARE[carriage]}")
            gate = Gate(**self._gate(found, family, (*place, "carried")), family=family)
            carried.append((ALWAYS if gate == Gate(family=family) else gate, carriage))
        return payload(said["doc"], *carried, content=content)

    # Operations ------------------------------------------------------------------------

    def _operation(self, said: object, place: Place) -> None:
        found = self.file.table(said, OPERATION, ("number", "name", "doc"), place)
        family = self._family(found, place)
        name = self._name(found["name"], TYPE_NAME, "QueryColour", (*place, "name"))
        number, code = found["number"], family.code(found["number"])
        if not 0 <= number <= LARGEST_NUMBER:
            self.file.wrong((*place, "number"), f"is to be from 0 to {LARGEST_NUMBER:,}")
        if code in self.numbers:
            self.file.wrong(
                (*place, "number"), f"{number} is {self.numbers[code]} already; choose another"
            )
        self._new(family.prefix + name, "an operation", (*place, "name"))
        self.numbers[code] = family.prefix + name
        request, reply = (
            self._record(called, doc, found.get(half, []), family, (*place, half), CARRIAGES[half])
            for half, called, doc in (
                ("request", name, found["doc"]), ("reply", f"{name}.Reply", "What is answered."),
            )
        )  # fmt: skip
        introduced, obsolete, removed = (
            self._version(found[key], family, (*place, key)) if key in found else None
            for key in ("introduced", "obsolete", "removed")
        )
        notes = found.get("notes", [])
        if any(type(each) is not str for each in notes):
            self.file.wrong((*place, "notes"), "is to be an array of texts")
        said_by = f"An operation of {self.vendor}, as {Path(self.file.source).name} declares it."
        declare = operation(
            number,
            introduced=introduced or Version(remark=self.vendor, family=family),
            obsolete=obsolete,
            removed=removed,
            instead=found.get("instead", ""),
            feature=self._known_feature(found.get("feature"), (*place, "feature")),
            early_log=found.get("early_log", False),
            many=Many(found["many"]) if "many" in found else None,
            reply=record_in(family, reply) if found.get("reply") else Nothing,
            notes=(*notes, said_by),
            family=family,
        )
        self.operations[family.prefix + name] = lambda: declare(request)


class _AsWritten(Named):
    """Values whose names are shown as the file has them."""

    @property
    def label(self) -> str:
        return self.name


def _depth(wire: Wire) -> int:
    """Return how many types stand inside each other, itself the first."""
    return 1 + max(map(_depth, wire.parts()), default=0)


def _aliases() -> Iterable[tuple[str, Wire]]:
    """Yield what `types` calls a wire type, which may not be the name that this has itself."""
    for name, value in vars(types).items():
        try:
            yield name, wire_of(value)
        except TypeError:  # a constant, a class that is not a wire type
            continue
