"""What can be called in the REPL: a name, parameters with types, gates and docs, and the call.

Completion, signatures and the errors for wrong arguments are made from this one description;
for operations and records it comes from the declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pix.codec.declare import Operation
from pix.codec.errors import EncodeError, GateError
from pix.codec.gates import Protocol
from pix.codec.records import MISSING, Field, Record
from pix.codec.wire import Named, Wire
from pix.dataclass import dataclass
from pix_inspect.repl.expressions import ExpressionError

OPERATION, TYPE, COMMAND = "operation", "type", "command"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its type as declared, since when, and what it means."""

    name: str
    type: str = ""
    when: str = ""
    doc: str = ""
    default: str | None = None
    wire: Wire | None = None

    @property
    def text(self) -> str:
        """The parameter as a signature shows it."""
        said = f"{self.name}: {self.type}" if self.type else self.name
        said += f" = {self.default}" if self.default is not None else ""
        return f"{said} [{self.when}]" if self.when else said


class Function:
    """Something that can be called by its name."""

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        parameters: Iterable[Parameter] = (),
        doc: str = "",
        *,
        kind: str = COMMAND,
        many: bool = False,
        quotes: bool = False,
        request: Callable[..., bytes] | None = None,
    ) -> None:
        self.name = name
        self.call = call
        self.parameters = tuple(parameters)
        self.doc = doc
        self.kind = kind
        self.many = many
        """Takes any number of values in front of its named parameters."""
        self.quotes = quotes
        self.request: Callable[..., bytes] | None = None
        """Returns the bytes that a call would send."""
        if request is not None:
            self.request = lambda *given, **named: request(**self._fields(given, named))

    @property
    def only_field(self) -> Parameter | None:
        """The field that needs no name, as there is no other; None for commands."""
        one = self.kind != COMMAND and len(self.parameters) == 1
        return self.parameters[0] if one else None

    def _fields(self, given: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by the names of their fields. Raises ExpressionError."""
        only = self.only_field
        if not given:
            return named
        if only is None or len(given) > 1:
            raise ExpressionError(f"fields are named: {self.signature}")
        if only.name in named:
            raise ExpressionError(f"{only.name} is given twice: {self.signature}")
        return {only.name: given[0], **named}

    @property
    def signature(self) -> str:
        words = ["…"] if self.many else []
        words += [parameter.text for parameter in self.parameters]
        return f"{self.name}({', '.join(words)})"

    def __repr__(self) -> str:
        return self.signature

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Carry it out. Raises ExpressionError for arguments it does not have."""
        if self.kind != COMMAND:
            return self.call(**self._fields(given, named))
        known = [parameter.name for parameter in self.parameters]
        if not self.many and len(given) > len(known):
            raise ExpressionError(f"too many arguments: {self.signature}")
        for name in named:
            if name not in known:
                raise ExpressionError(f"no argument {name}: {self.signature}")
            if not self.many and name in known[: len(given)]:
                raise ExpressionError(f"{name} is given twice: {self.signature}")
        if not self.many:
            for parameter in self.parameters[len(given) :]:
                if parameter.default is None and parameter.name not in named:
                    raise ExpressionError(f"{parameter.name} is missing: {self.signature}")
        return self.call(*given, **named)


def command(call: Callable[..., Any], name: str, doc: str, *words: str, **about: Any) -> Function:
    """Return a command; `words` are its parameters as `name: type` or `name: type = default`."""
    parameters = []
    for word in words:
        left, _, default = word.partition(" = ")
        title, _, kind = left.partition(": ")
        parameters.append(Parameter(title, kind, default=default or None))
    return Function(name, call, parameters, doc, **about)


def parameters_of(record: Record) -> list[Parameter]:
    """Return the fields of a record as parameters, the payload last."""
    found = [
        Parameter(
            part.name, part.wire.name, part.gate.text, part.doc, _default_text(part), part.wire
        )
        for part in record.fields
    ]
    if record.payload is not None:
        found.append(Parameter(record.payload.name, record.payload.content, doc=record.payload.doc))
    return found


def _default_text(part: Field) -> str | None:
    if part.factory is not None:
        return "{}"
    default = part.default
    if default is MISSING:
        return "…" if part.gate.text else None
    if isinstance(default, Named):
        return f'"{default.label}"'
    if isinstance(default, frozenset):
        return "[]"
    if isinstance(default, str):
        return f'"{default}"'
    return "2^64 − 1" if default == (1 << 64) - 1 else str(default)


def build(record: Record, fields: dict[str, Any], usage: str, protocol: Protocol) -> Any:
    """Return an object of a record from fields by name, enumerations also by their labels.

    `protocol` is what the values are tried in. Raises ExpressionError that names the field.
    """
    known = {part.name: part for part in record.fields}
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if record.payload is not None and name == record.payload.name:
            if not isinstance(value, (bytes, str)):
                raise ExpressionError(
                    f"{name}: expected bytes, got {type(value).__name__};"
                    ' nar("./dir") and file("./x") make them'
                )
            values[name] = value.encode("utf-8", "surrogateescape") if str is type(value) else value
            continue
        if name not in known:
            raise ExpressionError(f"no field {name}: {usage}")
        values[name] = _value(known[name], value, protocol)
    for name, part in known.items():
        if name not in values and not part.is_optional:
            raise ExpressionError(f"{name} is missing: {usage}")
    if record.payload is not None and record.payload.name not in values:
        raise ExpressionError(f"{record.payload.name} is missing: {usage}")
    return record.kind(**values)


def _value(part: Field, value: Any, protocol: Protocol) -> Any:
    """Return a field's value as the wire type takes it."""
    wire = part.wire
    try:
        found = wire.value_of(value) if _is_plain(value) else value
        if part.gate.admits(protocol):
            wire.write(found, bytearray(), protocol)
        elif found != part.absent():
            raise GateError("", part.gate.why_not(protocol))
    except EncodeError as error:
        raise ExpressionError(told(error.inside(part.name))) from None
    return found


def _is_plain(value: Any) -> bool:
    """Whether a value is as JSON would have it; one with objects inside is ready as it is."""
    if isinstance(value, list):
        return all(isinstance(each, (str, int, type(None))) or _is_plain(each) for each in value)
    if isinstance(value, dict):
        return all(
            isinstance(each, (str, int, type(None))) or _is_plain(each) for each in value.values()
        )
    return isinstance(value, str)


def told(error: EncodeError) -> str:
    """Return an error as a sentence: `nar_size: U64 wanted`, `repair does not exist …`."""
    colon = "" if isinstance(error, GateError) else ":"
    return f"{error.path}{colon} {error.why}" if error.path else error.why


def function_of(
    operation: Operation, ask: Callable[..., Any], request: Callable[..., bytes]
) -> Function:
    """Return an operation as a function."""
    return Function(
        operation.short,
        ask,
        parameters_of(operation.request),
        operation.doc,
        kind=OPERATION,
        request=request,
    )
