"""A REPL session: operations sent to a daemon by hand, one line at a time.

    info = QueryPathInfo(path="/nix/store/…")       every declared operation is a function
    info.reply.info.references[0]                   results are objects with fields
    [IsValidPath(path=p) for p in info.reply.info.references]
    connect("/path", version="1.21", features=[…])  another daemon, an older protocol
    raw(u64(26), "text", hex("00 ff"))              bytes outside the rules, on a new connection
    AddToStore(name="x", dump=nar("./dir"))         payload from files
    save(NarFromPath(path="…").reply.nar, "x.nar")  and to files

Knows the client library and the declarations; nothing of terminals.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix.composite import MISSING, Record
from pix.daemon import DaemonConnection, NixDaemonError
from pix.errors import EncodeError
from pix.gates import Protocol
from pix.protocol import OPERATIONS_BY_NAME, operations, types
from pix.protocol.derived_path import SingleDerivedPath
from pix.schema import Operation
from pix.wire import Named, bytes_of, pack_u64
from pix_inspect.explain import Entry, entry
from pix_inspect.expressions import Evaluator, ExpressionError
from pix_inspect.nar_files import nar_of
from pix_inspect.problem import Problem
from pix_inspect.raw_talk import Heard, listen

PATIENCE = 1.0
"""Seconds of silence after which the answer to raw bytes counts as whole."""
MOST_LOG = 10_000
"""Log frames kept of one operation."""
RECORDS: dict[str, type] = {
    name: kind
    for name, kind in vars(types).items()
    if isinstance(kind, type) and isinstance(getattr(kind, "wire", None), Record)
}


@dataclass(slots=True)
class Answer:
    """What came of one operation: its request and reply objects, the log, and the time (s).

    `error` is the daemon's error object in place of a reply, `protocol` what was spoken.
    """

    operation: str
    protocol: Protocol
    request: Any
    reply: Any = None
    error: Any = None
    log: list[Any] = field(default_factory=list)
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that was written."""

    path: str
    size: int


class Session:
    """Names, a connection that is made when it is first needed, and what was asked so far."""

    def __init__(
        self,
        socket_path: str | None = None,
        version: str = "1.38",
        features: tuple[str, ...] = (),
        timeout: float | None = None,
    ) -> None:
        self.socket_path = socket_path
        self.version = version
        self.features = features
        self.timeout = timeout
        self.connection: DaemonConnection | None = None
        self.dangerous: Callable[[str], bool] = lambda what: True
        """Asked before something is deleted."""
        functions: dict[str, Callable[..., Any]] = {
            name: self._operation(operation) for name, operation in OPERATIONS_BY_NAME.items()
        }
        functions |= {name: _record(kind) for name, kind in RECORDS.items()}
        functions |= {
            "SingleDerivedPath": lambda path, outputs=(): SingleDerivedPath(path, tuple(outputs)),
            "connect": self.connect,
            "close": self.close,
            "raw": self.raw,
            "u64": lambda number: pack_u64(_integer(number)),
            "text": lambda value: _string(value),
            "hex": _hex,
            "nar": lambda path: b"".join(nar_of(Path(path).expanduser())),
            "file": _file,
            "save": _save,
            "help": _help,
            "len": lambda value: len(as_list(value)),
            "version": lambda: self._connected().protocol.text,
        }
        self.evaluator = Evaluator(functions, attribute)

    def run(self, line: str) -> Any:
        """Carry out a line; return its value, None for an assignment.

        Raises ExpressionError, NixDaemonError, EncodeError or Problem: one line each.
        """
        return self.evaluator.run(line)

    def connect(
        self,
        path: str | None = None,
        version: str | None = None,
        features: list[str] | tuple[str, ...] = (),
    ) -> str:
        """Connect to a daemon, speaking at most `version`; say what was agreed."""
        self.close()
        if path is not None:
            self.socket_path = path
        if version is not None:
            self.version = version
        self.features = tuple(features)
        connection = self._connected()
        nix = f", Nix {connection.daemon_nix_version}" if connection.daemon_nix_version else ""
        return f"connected to {connection.socket_path}: protocol {connection.protocol}{nix}"

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _connected(self) -> DaemonConnection:
        if self.connection is None:
            try:
                Protocol.parse(self.version)
            except ValueError as error:
                raise Problem(str(error)) from None
            self.connection = DaemonConnection(
                self.socket_path,
                version=self.version,
                features=self.features,
                timeout=self.timeout,
            )
        self.connection.connect()
        return self.connection

    def _operation(self, operation: Operation) -> Callable[..., Answer]:
        kind = operation.request.kind

        def ask(*given: Any, **fields: Any) -> Answer:
            if given:
                raise ExpressionError(f"fields are named: {signature(operation)}")
            request = build(operation.request, fields, signature(operation))
            if operation.name == "CollectGarbage" and not self._may_delete(request):
                raise ExpressionError("not sent")
            assert isinstance(request, kind)
            return self.ask(operation, request)

        return ask

    def _may_delete(self, request: Any) -> bool:
        action = request.action
        if int(action) in (types.GCAction.RETURN_LIVE, types.GCAction.RETURN_DEAD):
            return True
        return self.dangerous("this deletes store paths")

    def ask(self, operation: Operation, request: Any) -> Answer:
        """Send a request and return what came of it; a daemon's error is an answer, too."""
        connection = self._connected()
        answer = Answer(operation.name, connection.protocol, request)

        def keep(frame: Any) -> None:
            if len(answer.log) < MOST_LOG:
                answer.log.append(frame)

        connection.log = keep
        start = time.monotonic()
        try:
            answer.reply = connection.call(request)
        except NixDaemonError as error:
            if error.frame is None:
                self.connection = None  # it is of no more use: the next line connects again
                raise
            answer.error = error.frame
        finally:
            connection.log = None
            answer.took = time.monotonic() - start
        return answer

    def raw(self, *parts: Any, wait: float = PATIENCE, half_close: bool = False) -> Heard:
        """Send bytes as they are on a connection of their own, and tell what the daemon did."""
        data = b"".join(part if isinstance(part, bytes) else _string(part) for part in parts)
        with DaemonConnection(
            self.socket_path, version=self.version, features=self.features, timeout=self.timeout
        ) as connection:
            return listen(connection, data, wait, half_close)


def build(record: Record, fields: dict[str, Any], usage: str) -> Any:
    """Return an object of a record from fields by name, enumerations also by their labels.

    Raises ExpressionError that names the field.
    """
    known = {part.name: part for part in record.fields}
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if record.payload is not None and name == record.payload.name:
            values[name] = value
            continue
        if name not in known:
            raise ExpressionError(f"no field {name}: {usage}")
        wire = known[name].wire
        try:
            values[name] = wire.value_of(value) if isinstance(value, (str, list, dict)) else value
        except EncodeError as error:
            raise ExpressionError(f"{name}: {error}") from None
    for name, part in known.items():
        optional = part.default is not MISSING or part.factory is not None
        if name not in values and not optional and not part.gate.text:
            raise ExpressionError(f"{name} is missing: {usage}")
    return record.kind(**values)


def signature(operation: Operation) -> str:
    """Return how an operation is written: its fields, those that may be left out with `=`."""
    record = operation.request
    words = []
    for part in record.fields:
        optional = part.default is not MISSING or part.factory is not None or part.gate.text
        words.append(f"{part.name}=…" if optional else part.name)
    if record.payload is not None:
        words.append(record.payload.name)
    return f"{operation.name}({', '.join(words)})"


def _record(kind: type) -> Callable[..., Any]:
    wire: Record = kind.wire  # type: ignore[attr-defined]  # chosen for having one

    def make(**fields: Any) -> Any:
        usage = f"{wire.name}({', '.join(part.name for part in wire.fields)})"
        return build(wire, fields, usage)

    return make


def attribute(value: Any, name: str) -> Any:
    """Return a field of an answer, a declared value or an enumeration."""
    if isinstance(value, (Answer, Saved, Heard, SingleDerivedPath)):
        if name in type(value).__dataclass_fields__:
            return as_list(getattr(value, name))
    elif isinstance(value, Named):
        if name in ("label", "doc"):
            return getattr(value, name)
    elif isinstance(getattr(type(value), "wire", None), Record):
        record: Record = type(value).wire
        names = [part.name for part in record.fields]
        if record.payload is not None:
            names.append(record.payload.name)
        if name in names:
            found = getattr(value, name)
            return None if found is MISSING else as_list(found)
    raise ExpressionError(f"{type(value).__name__} has no field {name}")


def as_list(value: Any) -> Any:
    """Return a set as a sorted list, everything else as it is."""
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def plain(value: Any, protocol: Protocol | None = None) -> Any:
    """Return a value as JSON would hold it, without the fields that `protocol` lacks."""
    if isinstance(value, Named):
        return value.label
    if isinstance(value, (set, frozenset)):
        return [plain(each, protocol) for each in sorted(value)]
    if isinstance(value, (list, tuple)):
        return [plain(each, protocol) for each in value]
    if isinstance(value, dict):
        return {key: plain(each, protocol) for key, each in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": len(value), "hex": bytes(value[:64]).hex()}
    if isinstance(value, Protocol):
        return value.text
    if isinstance(value, Answer):
        protocol = value.protocol
    if isinstance(value, (Answer, Saved, Heard, SingleDerivedPath)):
        names = type(value).__dataclass_fields__
        return {name: plain(getattr(value, name), protocol) for name in names}
    record = getattr(type(value), "wire", None)
    if isinstance(record, Record):
        return dict(_fields_of(value, record, protocol))
    if isinstance(value, Entry):
        return value.summary
    return value


def _fields_of(value: Any, record: Record, protocol: Protocol | None) -> Iterator[tuple[str, Any]]:
    for part in record.fields:
        found = getattr(value, part.name)
        if found is not MISSING and (protocol is None or part.gate.admits(protocol)):
            yield part.name, plain(found, protocol)
    if record.payload is not None:
        found = getattr(value, record.payload.name)
        if found is not MISSING:
            yield record.payload.name, plain(found, protocol)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise ExpressionError(f"u64 takes a number from 0 to 2^64 − 1, not {value!r}")
    return value


def _string(value: Any) -> bytes:
    if isinstance(value, int) and not isinstance(value, bool):
        return pack_u64(_integer(value))
    if isinstance(value, (str, bytes)):
        raw = bytes_of(value) if isinstance(value, str) else value
        return pack_u64(len(raw)) + raw + bytes(-len(raw) & 7)
    raise ExpressionError(f"text wanted, not {type(value).__name__}")


def _hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise ExpressionError("hex takes hexadecimal digits: hex('00 ff')") from None


def _file(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None


def _save(value: Any, path: str) -> Saved:
    raw = bytes_of(value) if isinstance(value, str) else value
    if not isinstance(raw, (bytes, bytearray)):
        raise ExpressionError(f"save takes bytes or text, not {type(value).__name__}")
    target = Path(path).expanduser()
    try:
        with target.open("xb") as file:
            file.write(raw)
    except FileExistsError:
        raise Problem(f"{path} exists: choose another name") from None
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}") from None
    return Saved(str(target), len(raw))


def _help(what: Any = None) -> Entry:
    if what is None:
        raise ExpressionError('help("QueryPathInfo"); Tab lists what there is')
    name = what if isinstance(what, str) else getattr(what, "__name__", "")
    return entry(name)


__all__ = ["Answer", "Session", "attribute", "build", "operations", "plain", "signature"]
