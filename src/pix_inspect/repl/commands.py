"""What can be called in the REPL besides operations: connections, bytes, files, help.

Each command is described with its parameters, for completion and for the errors of those
who get them wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix.codec.declare import is_record
from pix.codec.errors import EncodeError
from pix.codec.gates import NEWEST, SERVE, WORKER, Family
from pix.codec.nar_files import nar_of
from pix.codec.records import Record
from pix.codec.wire import bytes_of, pack_string, pack_u64
from pix.conversation.exchange import CLIENT
from pix.daemon import upload
from pix.problem import Problem
from pix.protocol import OPERATIONS_BY_NAME, serve, types
from pix.protocol.derived_path import SingleDerivedPath
from pix_inspect.repl.expressions import ExpressionError
from pix_inspect.repl.functions import TYPE, Function, build, command, parameters_of, told
from pix_inspect.repl.raw_connection import Heard
from pix_inspect.repl.values import Answer, Saved, as_list, plain
from pix_inspect.teach.entries import Entry, entry

if TYPE_CHECKING:
    from pix_inspect.repl.repl import Session

PATIENCE = 1.0
"""Seconds of silence after which the answer to raw bytes counts as whole."""
LONGEST_WAIT = 86_400.0
LARGEST_FILE = 1 << 30
"""Bytes of a file, a directory or a payload that a line may hold in memory."""

SET_OPTIONS = OPERATIONS_BY_NAME["SetOptions"]


def commands(session: Session) -> dict[str, Function]:
    """Return what a session offers besides its operations."""
    talk = _ByHand(session)
    wait = f"wait: seconds = {PATIENCE:g}"
    made = [
        command(session.connect, "connect",
                "another daemon, version or features; with nothing, the same again",
                "path: text = None", "version: text = None", "features: list = []",
                "serve: command = None"),
        command(session.close, "close", "close the connection; the next operation makes another"),
        _Options(session),
        command(talk.raw, "raw", "send bytes on a connection of their own, tell what came back",
                wait, "half_close: bool = False", "greet: bool = True", many=True, quotes=True),
        command(talk.send_only, "send_only", "send bytes on a connection by hand, wait for nothing",
                "greet: bool = True", many=True, quotes=True),
        command(talk.receive, "receive", "hear what came on the connection by hand", wait),
        command(talk.half_close, "half_close", "close our side of it, and hear the rest", wait),
        command(_encoded, "encode", "the bytes of an operation, to be changed and sent by raw",
                "operation: a call", quotes=True),
        command(lambda number: pack_u64(_integer(number)), "u64", "8 bytes, little-endian",
                "number: number"),
        command(_string, "text", "length, bytes and padding", "value: text or bytes"),
        command(_hex, "hex", "bytes as hexadecimal digits", "digits: text"),
        command(_nar, "nar", "a file or directory as a NAR", "path: path"),
        command(_file, "file", "the contents of a file", "path: path"),
        command(_paths, "paths", "the payload of AddMultipleToStore: [[ValidPathInfo(…), nar]]",
                "items: list"),
        command(_recorded(session), "recorded", "the payload of a recorded request",
                "number: exchange", "file: path = None"),
        command(_save, "save", "write bytes or text to a new file, other values as JSON",
                "value: any", "path: path"),
        command(_help(session), "help", "what the manual says", "what: name = None"),
        command(lambda value: len(as_list(value)), "len", "how many elements", "value: any"),
        command(lambda: session.connected().protocol.text, "version", "the version that is spoken"),
        command(lambda: _names(session), "names", "what earlier lines have named"),
        command(lambda path, outputs=(): SingleDerivedPath(path, tuple(outputs)),
                "SingleDerivedPath", "an output of an output of … a derivation",
                "path: StorePath", "outputs: list = []"),
    ]  # fmt: skip
    found = {function.name: function for function in made}
    records = _records(WORKER) | _records(session.family)
    return found | {name: _record(session, name, kind) for name, kind in records.items()}


def _records(family: Family) -> dict[str, type]:
    """Return the records that the requests of a protocol are made of, by name."""
    module = types if family is WORKER else serve
    own = {
        wire.name.removeprefix(SERVE.prefix): wire.kind
        for wire in types.OF_VENDORS.values()
        if isinstance(wire, Record) and wire.name.startswith(SERVE.prefix) is (family is SERVE)
    }
    return own | {
        name: kind
        for name, kind in vars(module).items()
        if is_record(kind) and not hasattr(kind, "operation")
    }


def _record(session: Session, name: str, kind: type) -> Function:
    wire: Record = kind.wire  # type: ignore[attr-defined]  # chosen for having one

    def make(**fields: Any) -> Any:
        return build(wire, fields, offered.signature, session.protocol)

    offered = Function(name, make, parameters_of(wire), wire.doc, kind=TYPE)
    return offered


class _ByHand:
    """The commands that send bytes outside the rules."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def raw(
        self, *parts: Any, wait: float = PATIENCE, half_close: bool = False, greet: bool = True
    ) -> Heard:
        data = _joined(parts)
        return self._session.raw(data, _wait(wait), half_close=bool(half_close), greet=bool(greet))

    def send_only(self, *parts: Any, greet: bool = True) -> str:
        data = _joined(parts)
        session = self._session
        if session.talk is None:
            session.talk = session.new_talk(greet=bool(greet))
        session.talk.send(data)
        return (
            f"{len(data):,} bytes sent on a connection by hand:"
            " receive() hears what came, half_close() ends our side, close() hangs up"
        )

    def receive(self, wait: float = PATIENCE) -> Heard:
        talk = self._session.talk
        if talk is None:
            raise ExpressionError("nothing was sent by hand: send_only(…) begins")
        return self._session.hear(talk, _wait(wait))

    def half_close(self, wait: float = PATIENCE) -> Heard:
        session = self._session
        if session.talk is None:
            session.talk = session.new_talk()
        session.talk.half_close()
        heard = session.hear(session.talk, _wait(wait))
        if heard.closed and session.talk is not None:
            session.talk.close()
            session.talk = None
        return heard


def _wait(value: Any) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= LONGEST_WAIT:
        raise ExpressionError(f"wait: expected 0 to {LONGEST_WAIT:,.0f} seconds")
    return float(value)


def _joined(parts: tuple[Any, ...]) -> bytes:
    return b"".join(part if isinstance(part, bytes) else _string(part) for part in parts)


class _Options(Function):
    """SetOptions, on top of what was set before; names it lacks are settings."""

    def __init__(self, session: Session) -> None:
        doc = "SetOptions with what was set before; names that it lacks are settings (overrides)"
        super().__init__("options", self._set, parameters_of(SET_OPTIONS.request), doc)
        self._session = session

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Send the options. Raises ExpressionError."""
        if given:
            raise ExpressionError(f"options are named: {self.signature}")
        return self._set(**named)

    def _set(self, **named: Any) -> Answer:
        session = self._session
        known = {parameter.name for parameter in self.parameters}
        wanted = dict(session.options)
        overrides = dict(wanted.get("overrides", {}))
        for name, value in named.items():
            if name == "overrides" and isinstance(value, dict):
                overrides.update(value)
            elif name in known:
                wanted[name] = int(value) if isinstance(value, bool) else value
            else:
                overrides[name.replace("_", "-")] = _setting(value)
        if overrides:
            wanted["overrides"] = overrides
        request = build(SET_OPTIONS.request, wanted, self.signature, session.connected().protocol)
        answer = session.ask(SET_OPTIONS, request)
        session.options = wanted
        return answer


def _setting(value: Any) -> str:
    """Return a setting as nix.conf has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, (str, int)):
        return str(value)
    raise ExpressionError(f"a setting is text, not {type(value).__name__}")


def _encoded(operation: Any) -> bytes:
    if not isinstance(operation, bytes):
        raise ExpressionError("encode takes an operation: encode(IsValidPath(path=…))")
    return operation


def _integer(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise ExpressionError(f"u64 takes a number from 0 to 2^64 − 1, not {value!r}"[:200])
    return value


def _string(value: Any) -> bytes:
    if isinstance(value, int) and not isinstance(value, bool):
        return pack_u64(_integer(value))
    if isinstance(value, (str, bytes)):
        return pack_string(bytes_of(value) if isinstance(value, str) else value)
    raise ExpressionError(f"expected text, bytes or a number, not {type(value).__name__}")


def _hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise ExpressionError("hex takes hexadecimal digits: hex('00 ff')") from None


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ExpressionError("expected the path of a file")
    return Path(os.path.expanduser(value))  # noqa: PTH111  (a ~user that is none stays as it is)


def _nar(path: Any) -> bytes:
    out = bytearray()
    for piece in nar_of(_path(path)):
        out += piece
        if len(out) > LARGEST_FILE:
            raise Problem(f"{path} is larger than 1 GiB: too much for a line")
    return bytes(out)


def _file(path: Any) -> bytes:
    try:
        with _path(path).open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    if len(raw) > LARGEST_FILE:
        raise Problem(f"{path} is larger than 1 GiB: too much for a line")
    return raw


def _paths(items: Any) -> bytes:
    usage = "paths takes a list: paths([[ValidPathInfo(path=…, info=…), nar(…)]])"
    if not isinstance(items, list) or not all(
        isinstance(each, list)
        and len(each) == 2
        and isinstance(each[0], types.ValidPathInfo)
        and isinstance(each[1], bytes)
        for each in items
    ):
        raise ExpressionError(usage)
    every = [(each[0], each[1]) for each in items]
    try:
        return b"".join(bytes(piece) for piece in upload.paths(every, NEWEST))
    except EncodeError as error:
        raise ExpressionError(told(error)) from None


def _recorded(session: Session) -> Callable[..., bytes]:
    def recorded(number: Any, file: Any = None) -> bytes:
        from pix_inspect.replay.recorded import RecordedExchange
        from pix_inspect.session.session import Session as Recording

        path = session.recording if file is None else _path(file)
        if path is None:
            raise ExpressionError('recorded(N, "FILE"): which recording?')
        recording = Recording(path)
        try:
            recording.read_all()
            if not isinstance(number, int) or not 1 <= number <= len(recording):
                raise Problem(f"{path} has {len(recording):,} exchanges, no {number}"[:300])
            return b"".join(RecordedExchange(recording.exchange(number - 1)).content(CLIENT))
        finally:
            recording.close()

    return recorded


def _save(value: Any, path: Any) -> Saved:
    if isinstance(value, str):
        raw = bytes_of(value)
    elif isinstance(value, (bytes, bytearray)):
        raw = bytes(value)
    else:
        raw = json.dumps(plain(value), indent=2).encode() + b"\n"
    target = _path(path)
    try:
        with target.open("xb") as file:
            file.write(raw)
    except FileExistsError:
        raise Problem(f"{path} exists: choose another name") from None
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}") from None
    return Saved(str(target), len(raw))


def _help(session: Session) -> Callable[..., Entry]:
    def help_about(what: Any = None) -> Entry:
        if what is None:
            return _overview(session)
        name = what.name if isinstance(what, Function) else what
        if not isinstance(name, str):
            name = getattr(type(what), "__name__", "")
        function = session.functions.get(name)
        if function is not None and function.kind not in ("operation", TYPE):
            return Entry(function.signature, "command", function.doc)
        return entry(name)

    return help_about


def _overview(session: Session) -> Entry:
    kinds: dict[str, list[str]] = {}
    for function in session.functions.values():
        kinds.setdefault(function.kind, []).append(function.name)
    facts = [(f"{kind}s", ", ".join(sorted(names))) for kind, names in kinds.items()]
    return Entry(
        "REPL",
        "help",
        "A line is an expression or NAME = expression; operations are functions.",
        [
            *facts,
            ("results", "info = QueryPathInfo(path=…); info.reply.info.references[0]"),
            ("lists", "[IsValidPath(path=p) for p in info.reply.info.references]"),
            ("more", "help(QueryPathInfo), help(raw), help(\"BuildMode\")"),
        ],
    )  # fmt: skip


def _names(session: Session) -> list[str]:
    return sorted(session.evaluator.variables)
