"""From annotated classes to wire types: the decorators that the declarations use.

A declaration is a class whose annotations name wire types and whose values say when a
field is on the wire and what it means:

    @record
    class QueryPathInfo:
        '''What is known about a path.'''

        path: StorePath = field("the path asked about")
        ultimate: Bool  = since(16, default=False, doc="built here")

The class becomes a keyword-only dataclass with slots; its wire type is `wire_of(cls)`.
An annotation is the Python type and the wire type at once: `Annotated[str, String(...)]`,
`tuple[X, ...]` a list, `frozenset[X]` a set, `dict[K, V]` a map, a record class itself.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)

from pix.codec.gates import ALWAYS, WORKER, Family, Gate, number_of
from pix.codec.lists import ListOf, MapOf
from pix.codec.payload import Carriage, Payload
from pix.codec.records import MISSING, Field, Record
from pix.codec.wire import String, Wire
from pix.dataclass import dataclass
from pix.dataclass import field as declared

T = TypeVar("T")
_SPEC = "pix"


@dataclass(frozen=True, slots=True)
class _Spec:
    doc: str
    gate: Gate = ALWAYS
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    payload: Payload | None = None


def field(
    doc: str,
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    since: int | None = None,
    until: int | None = None,
    feature: str | None = None,
    without: str | None = None,
    payload: Payload | None = None,
) -> Any:
    """Declare a field: what it means, and when it is on the wire, in every version by default."""
    gate = Gate(since, until, feature, without)
    always = gate == ALWAYS
    spec = _Spec(doc, ALWAYS if always else gate, default, default_factory, payload)
    if default_factory is not None:
        return declared(default_factory=default_factory, metadata={_SPEC: spec})
    if default is MISSING and always and payload is None:
        return declared(metadata={_SPEC: spec})
    return declared(default=default, metadata={_SPEC: spec})


def since(minor: int, *, doc: str, **more: Any) -> Any:
    """Declare a field that exists from 1.`minor` on."""
    return field(doc, since=minor, **more)


def until(minor: int, *, doc: str, **more: Any) -> Any:
    """Declare a field that existed before 1.`minor`."""
    return field(doc, until=minor, **more)


def feature(name: str, *, doc: str, **more: Any) -> Any:
    """Declare a field that exists where the feature `name` was negotiated."""
    return field(doc, feature=name, **more)


def without(name: str, *, doc: str, **more: Any) -> Any:
    """Declare a field that exists where the feature `name` was not negotiated."""
    return field(doc, without=name, **more)


def payload(doc: str, *carried: tuple[Gate, Carriage], content: str, default: Any = MISSING) -> Any:
    """Declare the payload behind the fields, and how it is carried in which version."""
    return field(doc, default=default, payload=Payload("", doc, content, carried))


@dataclass_transform(
    kw_only_default=True, field_specifiers=(field, since, until, feature, without, payload)
)
def record(cls: type[T]) -> type[T]:
    """Make the annotated class a record: a dataclass and a wire type at once."""
    return record_in(WORKER, cls)


def record_in(family: Family, cls: type[T]) -> type[T]:
    """Make the annotated class a record of a protocol, whose minors its gates name."""
    made = dataclass(kw_only=True, slots=True)(cls)
    fields: list[Field] = []
    carried: Payload | None = None
    for name, annotation in cls.__annotations__.items():
        spec: _Spec = vars(cls)[name].about["metadata"][_SPEC]
        if spec.payload is not None:
            doc, content, how = spec.payload.doc, spec.payload.content, spec.payload.carried
            carried = Payload(name, doc, content, how)
            continue
        kind, gate = _wire_named(annotation, cls.__module__), spec.gate
        if gate is not ALWAYS:
            gate = Gate(gate.since, gate.until, gate.feature, gate.without, family)
        fields.append(Field(name, kind, spec.doc, gate, spec.default, spec.factory))
    name = f"{family.prefix}{cls.__qualname__}"
    doc = (cls.__doc__ or "").strip().partition("\n")[0]
    made.wire = Record(name, doc, made, fields, carried)  # type: ignore[attr-defined]
    return made


@cache
def _wire_named(annotation: Any, module: str) -> Wire:
    """Return the wire type of an annotation, as it stands in a module; one for all alike."""
    if isinstance(annotation, str):
        annotation = eval(annotation, vars(sys.modules[module]))
    return wire_of(annotation)


def is_record(cls: Any) -> bool:
    """Return whether a class was declared as a record."""
    return isinstance(cls, type) and isinstance(getattr(cls, "wire", None), Record)


def record_of(cls: type) -> Record:
    """Return the wire type of a class that was declared as a record."""
    found: Record = cls.wire  # type: ignore[attr-defined]  # `record` put it there
    return found


def fields_of(value: Any, record: type) -> dict[str, Any]:
    """Return what a value has for each field of a record, by name."""
    return {each.name: getattr(value, each.name) for each in record_of(record).fields}


def wire_of(annotation: Any) -> Wire:
    """Return the wire type of an annotation. Raises TypeError for one that has none."""
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, Wire):
                return extra
        return wire_of(get_args(annotation)[0])
    if is_record(annotation):
        return record_of(annotation)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return ListOf(wire_of(args[0]))
    if origin is frozenset:
        return ListOf(wire_of(args[0]), unordered=True)
    if origin is dict:
        key = wire_of(args[0])
        if isinstance(key, String):
            return MapOf(key, wire_of(args[1]))
    if origin is UnionType:
        raise TypeError(f"{annotation}: write Annotated[…, Maybe(…)] or Annotated[…, Tagged(…)]")
    raise TypeError(f"{annotation!r} names no wire type")


@dataclass(frozen=True, slots=True)
class Version:
    """A point in a protocol's history: its `minor`, and the releases that have it first.

    `minor` is 0 for what is older than worker 1.0, None where no number marks the point. `remark`
    is put behind the text as it is.
    """

    minor: int | None = None
    nix: str = ""
    lix: str = ""
    determinate: str = ""
    remark: str = ""
    family: Family = WORKER

    def __str__(self) -> str:
        named = (("Nix", self.nix), ("Lix", self.lix), ("Determinate Nix", self.determinate))
        text = ", ".join(f"{name} {release}" for name, release in named if release)
        if self.minor is not None:
            text = f" ({text})" if text else ""
            text = self._number() + text
        return text + self.remark

    def _number(self) -> str:
        if self.family is not WORKER:
            return self.family.version(self.minor or 0)
        return f"1.{self.minor:02}" if self.minor else "0.11"


OLDEST = Version(0)


@dataclass(frozen=True, slots=True)
class Life:
    """When something came and went; `instead` names what replaced it."""

    introduced: Version
    obsolete: Version | None = None
    removed: Version | None = None
    instead: str = ""

    def is_there(self, minor: int) -> bool:
        """Return whether it came with that minor or before, or no number says when."""
        return (self.introduced.minor or 0) <= minor


@dataclass(frozen=True, slots=True)
class Many:
    """The operation that does many of another at once, `how`, and since which minor.

    Without `since` it can be done since that operation is there.
    """

    operation: str
    how: str = ""
    since: int | None = None


class Unread(enum.Enum):
    """When a daemon refuses a request that it has not read to its end, and takes the rest for
    operations: the stream is then out of step.
    """

    METHOD = "A method that cannot be parsed leaves the frames unread"
    UNTRUSTED = "From an untrusted client it is refused before all of it is read"
    BY_HASH = "Nix 2.35 without the feature refuses it before reading the arguments"


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of a protocol: its number, its layouts, and what is known about it.

    `code` is its number among those of all protocols (`Family.code`). `feature` must have been
    negotiated for it; `early_log`: STDERR frames may come before the request is complete, because
    the daemon starts work before it reads the arguments; `many` does many of it in one round trip;
    `unread`: what leaves the stream out of step.
    """

    code: int
    name: str
    doc: str
    request: Record
    reply: Record
    life: Life
    feature: str | None = None
    early_log: bool = False
    many: Many | None = None
    notes: tuple[str, ...] = ()
    family: Family = WORKER
    unread: Unread | None = None

    @property
    def number(self) -> int:
        """The number as it stands on the wire."""
        return number_of(self.code)

    @property
    def short(self) -> str:
        """The name among the operations of its protocol."""
        return self.name.removeprefix(self.family.prefix)


@record
class Nothing:
    """No fields at all."""


OPERATIONS: dict[int, Operation] = {}
"""Every declared operation of either protocol, by its code."""
OPERATION_NAMES: dict[int, str] = {}
"""Their names alone, by code."""
DECLARED: dict[str, str] = {}
"""The text of each file that declared some of them, by the file's name."""


@dataclass_transform(
    kw_only_default=True, field_specifiers=(field, since, until, feature, without, payload)
)
def operation(
    number: int,
    *,
    introduced: Version = OLDEST,
    obsolete: Version | None = None,
    removed: Version | None = None,
    instead: str = "",
    feature: str | None = None,
    early_log: bool = False,
    many: Many | None = None,
    reply: type | None = None,
    notes: tuple[str, ...] = (),
    family: Family = WORKER,
    unread: Unread | None = None,
) -> Callable[[type[T]], type[T]]:
    """Declare operation `number`: the class is its request, its `Reply` (or `reply`) the reply."""

    def declare(cls: type[T]) -> type[T]:
        answer = reply or cls.__dict__.get("Reply") or Nothing
        made = record_in(family, cls)
        request, answered = record_of(made), record_of(answer)
        code = family.code(number)
        if code in OPERATIONS:
            raise TypeError(f"operation {number} is declared twice")
        life = Life(introduced, obsolete, removed, instead)
        declared = Operation(
            code,
            request.name,
            request.doc,
            request,
            answered,
            life,
            feature,
            early_log,
            many,
            notes
            if unread is None
            else (*notes, f"{unread.value}: the stream is then out of step."),
            family,
            unread,
        )
        OPERATIONS[code] = declared
        OPERATION_NAMES[code] = declared.name
        made.operation = declared  # type: ignore[attr-defined]
        return made

    return declare


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One kind of STDERR frame: the word it begins with and what follows it."""

    code: int
    name: str
    doc: str
    fields: Record
    since: int | None = None
    notes: tuple[str, ...] = ()


STDERR_FRAMES: dict[int, Frame] = {}
"""Every declared STDERR frame by the word it begins with."""


@dataclass_transform(
    kw_only_default=True, field_specifiers=(field, since, until, feature, without, payload)
)
def stderr_frame(
    code: int, name: str, *, introduced: int | None = None, notes: tuple[str, ...] = ()
) -> Callable[[type[T]], type[T]]:
    """Declare the STDERR frame that begins with the word `code`."""

    def declare(cls: type[T]) -> type[T]:
        made = record(cls)
        fields = record_of(made)
        declared = Frame(code, name, fields.doc, fields, introduced, notes)
        STDERR_FRAMES[code] = declared
        made.frame = declared  # type: ignore[attr-defined]
        return made

    return declare
