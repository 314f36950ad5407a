"""What a filter may name: columns of the index, parts of an exchange, every declared field."""

from __future__ import annotations

from functools import lru_cache

from pix.codec.declare import wire_of
from pix.codec.records import Maybe, Record
from pix.codec.wire import Wire
from pix.protocol import FRAMES_BY_CODE, OPERATIONS, OPERATIONS_BY_NAME
from pix.protocol.handshake import ClientHello, DaemonHello

STATES = ("open", "ok", "error", "cut", "opaque")
KINDS = ("handshake", "operation", "orphan")
INDEXED = {
    "op": "the operation's name or number",
    "conn": "the connection's number",
    "number": "the exchange's number",
    "kind": "handshake, operation, orphan or opaque",
    "state": "open, ok, error, cut or opaque",
    "took": "the time from start to end: 10ms",
    "time": "the time since the recording's start: 2s",
    "bytes": "bytes in both directions: 1M",
    "up": "bytes from the client",
    "down": "bytes from the daemon",
    "frames": "the number of log frames",
}
"""Fields that the index knows."""
PARTS = {
    "request": "what the client said",
    "reply": "what the daemon answered",
    "error": "the error the daemon answered",
    "log": "the text of all log frames",
    "payload": "bytes of payload",
    "about": "what the timeline shows of it",
    "notes": "what is irregular",
    "finding": "the name or grade of a finding: desync, obsolete, warning",
}
"""Fields that are known when an exchange is looked at."""


@lru_cache(maxsize=1)
def fields() -> dict[str, str]:
    """Return every field that a filter may name by path, with the declaration's line on it."""
    found: dict[str, str] = {}
    for operation in OPERATIONS.values():
        _collect("request", operation.request, found)
        _collect("reply", operation.reply, found)
    _collect("request", wire_of(ClientHello), found)
    _collect("reply", wire_of(DaemonHello), found)
    for frame in FRAMES_BY_CODE.values():
        if frame.name == "STDERR_ERROR":
            _collect("error", frame.fields, found)
    return found


@lru_cache(maxsize=1)
def maps() -> frozenset[str]:
    """Return the paths of maps, whose keys are data."""
    found: dict[str, str] = {}
    keyed: set[str] = set()
    for operation in OPERATIONS.values():
        _collect("request", operation.request, found, keyed)
        _collect("reply", operation.reply, found, keyed)
    return frozenset(keyed)


def _collect(
    path: str, wire: Wire, found: dict[str, str], keyed: set[str] | None = None, depth: int = 0
) -> None:
    if isinstance(wire, Maybe):
        wire = wire.inner
    inner = getattr(wire, "element", None) or getattr(wire, "value", None)
    if getattr(wire, "key", None) is not None and keyed is not None:
        keyed.add(path)
    if isinstance(inner, Wire):
        wire = inner.inner if isinstance(inner, Maybe) else inner
    if isinstance(wire, Record) and depth < 6:
        for field in wire.fields:
            found.setdefault(f"{path}.{field.name}", field.doc)
            _collect(f"{path}.{field.name}", field.wire, found, keyed, depth + 1)
    for choice in getattr(wire, "choices", {}).values():
        if choice[2] is not None:
            _collect(path, choice[2], found, keyed, depth + 1)


def completions(text: str, cursor: int) -> tuple[int, list[tuple[str, str]]]:
    """Return where the word at `cursor` begins and what could stand there, with docs."""
    start = cursor
    while start and (text[start - 1].isalnum() or text[start - 1] in "._"):
        start -= 1
    typed = text[start:cursor].lower()
    before = text[:start].rstrip()
    if before.endswith("=") and before.rstrip("=!").rstrip().endswith("op"):
        offered = {name: operation.doc for name, operation in OPERATIONS_BY_NAME.items()}
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
