"""What lines of the REPL give: answers and declared values, their fields, and their JSON form."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from pix.codec.declare import is_record, record_of
from pix.codec.gates import Protocol
from pix.codec.records import MISSING, Record
from pix.codec.wire import Named
from pix.daemon.errors import without_colours
from pix.dataclass import dataclass, field
from pix.protocol.derived_path import SingleDerivedPath
from pix_inspect.repl.expressions import ExpressionError
from pix_inspect.repl.functions import Function
from pix_inspect.repl.raw_connection import Heard
from pix_inspect.teach.entries import Entry

STORE_PATH = re.compile(r"/[!-~]{0,200}?/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]{1,211}")
MOST_SEARCHED = 20_000
"""Values of a reply in which store paths are looked for."""


@dataclass(slots=True)
class Answer:
    """What came of one operation: its request and reply objects, the log, and the time (s).

    `error` is the daemon's error object in place of a reply, `protocol` what was spoken,
    `note` what became of the connection where it did not outlive the error.
    """

    operation: str
    protocol: Protocol
    request: Any
    reply: Any = None
    error: Any = None
    log: list[Any] = field(default_factory=list)
    took: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that was written."""

    path: str
    size: int


OWN = (Answer, Saved, Heard, SingleDerivedPath)


def attribute(value: Any, name: str) -> Any:
    """Return a field of an answer, a declared value or an enumeration. Raises ExpressionError."""
    if name not in attributes(value):
        known = ", ".join(attributes(value))
        raise ExpressionError(
            f"{kind_of(value)} has no field {name}" + (f" ({known})" if known else "")
        )
    found = getattr(value, name)
    if isinstance(value, Answer) and name == "reply" and value.error is not None:
        said = without_colours(value.error.message).strip()
        raise ExpressionError(f"{value.operation} has no reply, the daemon refused: {said}")
    return None if found is MISSING else as_list(found)


def attributes(value: Any) -> list[str]:
    """Return the names of the fields that a value has."""
    if isinstance(value, OWN):
        return list(type(value).__dataclass_fields__)
    if isinstance(value, Named):
        return ["label", "doc"]
    if is_record(type(value)):
        record = record_of(type(value))
        names = [part.name for part in record.fields]
        return [*names, record.payload.name] if record.payload is not None else names
    return []


def kind_of(value: Any) -> str:
    """Return what a value is called."""
    if value is None:
        return "none"
    kind = type(value)
    return record_of(kind).name if is_record(kind) else kind.__name__


def as_list(value: Any) -> Any:
    """Return a set as a sorted list, everything else as it is."""
    if not isinstance(value, (set, frozenset)):
        return value
    try:
        return sorted(value)
    except TypeError:  # typed by hand, of different kinds
        return sorted(value, key=repr)


def plain(value: Any, protocol: Protocol | None = None) -> Any:
    """Return a value as JSON would hold it, without the fields that `protocol` lacks."""
    try:
        return _plain(value, protocol)
    except RecursionError:
        return "… nested too deeply"


def _plain(value: Any, protocol: Protocol | None) -> Any:
    if isinstance(value, Named):
        return value.label
    if isinstance(value, (set, frozenset)):
        return [_plain(each, protocol) for each in as_list(value)]
    if isinstance(value, (list, tuple)):
        return [_plain(each, protocol) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each, protocol) for key, each in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": len(value), "hex": bytes(value[:64]).hex()}
    if isinstance(value, Protocol):
        return value.text
    if isinstance(value, Answer):
        protocol = value.protocol
    if isinstance(value, OWN):
        names = type(value).__dataclass_fields__
        return {name: _plain(getattr(value, name), protocol) for name in names}
    if is_record(type(value)):
        return dict(_fields_of(value, record_of(type(value)), protocol))
    if isinstance(value, Entry):
        return value.summary
    if isinstance(value, Function):
        return value.signature
    return value


def _fields_of(value: Any, record: Record, protocol: Protocol | None) -> Iterator[tuple[str, Any]]:
    for part in record.fields:
        found = getattr(value, part.name)
        if found is not MISSING and (protocol is None or part.gate.admits(protocol)):
            yield part.name, _plain(found, protocol)
    if record.payload is not None:
        found = getattr(value, record.payload.name)
        if found is not MISSING:
            yield record.payload.name, _plain(found, protocol)


def store_paths(value: Any) -> Iterator[str]:
    """Yield the store paths in a value, as far as it is searched."""
    waiting = [iter([plain(value)])]
    for _ in range(MOST_SEARCHED):
        while waiting:
            try:
                each = next(waiting[-1])
                break
            except StopIteration:
                waiting.pop()
        else:
            return
        if isinstance(each, str):
            yield from STORE_PATH.findall(each[:4096])
        elif isinstance(each, dict):
            waiting.append(itertools.chain(each, each.values()))
        elif isinstance(each, list):
            waiting.append(iter(each))
