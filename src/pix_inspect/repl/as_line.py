"""An exchange as a line of the REPL that sends the same request again.

The line is checked: carried out in the protocol of the recording it gives the recorded bytes,
else it is made of bytes. Payload that is not short stays in the recording and is named there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pix.codec.errors import PixError
from pix.codec.gates import SERVE, version_text
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.conversation.exchange import CLIENT
from pix.problem import Problem
from pix_inspect.repl.expressions import LONGEST_LINE
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.payload_spans import content_spans

SHORT_PAYLOAD = 64
"""Bytes of a payload that stand in the line itself."""
PROGRAM = "nix-store --serve --write"
"""What is spoken to in the serve protocol; a recording does not say where it was."""
LONGEST_RAW = 16 << 10
"""Bytes of a request that is not an operation."""


def line_of(view: ExchangeView, recording: Path | None = None) -> str:
    """Return the line. `recording` is named where payload is taken from it.

    Raises Problem for what cannot be sent again.
    """
    row, exchange = view.row, view.exchange
    request = view.part("request")
    if row.kind == "handshake":
        return _connect(request, view.family is SERVE)
    if exchange is None or row.kind not in ("operation", "opaque"):
        raise Problem(f"exchange {row.number} has no request: nothing to send again")
    operation = exchange.operation
    if operation is None or request is None or not _is_faithful(view, request):
        return _raw(view)
    assert request.node is not None
    words = [f"{child.name}={literal(child.plain())}" for child in request.node.children or ()]
    payload = operation.request.payload
    if payload is not None:
        words.append(f"{payload.name}={_payload(view, recording)}")
    line = f"{operation.short}({', '.join(words)})"
    if len(line) > LONGEST_LINE:
        raise Problem(f"exchange {row.number} is too long for a line: {len(line):,} characters")
    return line


def _connect(request: Part | None, is_served: bool) -> str:
    said = request.node.plain() if request is not None and request.node is not None else {}
    version = said.get("version") if isinstance(said, dict) else None
    if not isinstance(version, int):
        raise Problem("this handshake is not understood")
    features = said.get("features") or []
    more = f", features={literal(list(features))}" if features else ""
    program = f"serve={literal(PROGRAM)}, " if is_served else ""
    return f"connect({program}version={literal(version_text(version))}{more})"


def _is_faithful(view: ExchangeView, request: Part) -> bool:
    """Whether the request's fields, written anew, are the recorded bytes."""
    exchange = view.exchange
    assert exchange is not None
    if request.node is None or request.error is not None or request.end is None:
        return False
    if exchange.operation is None or view.protocol is None:
        return False
    record = exchange.operation.request
    try:
        value = record.value_of(request.node.plain())
        written = encode(record, value, view.protocol)
    except (PixError, TypeError, ValueError):
        return False
    return bytes(written) == view.kept[CLIENT].whole(request.start, request.end)


def _payload(view: ExchangeView, recording: Path | None) -> str:
    spans = list(content_spans(view, CLIENT))
    if sum(length for _, length in spans) <= SHORT_PAYLOAD:
        pieces = [view.kept[CLIENT].whole(start, start + length) for start, length in spans]
        if None not in pieces:
            return literal(b"".join(piece for piece in pieces if piece is not None))
    named = "" if recording is None else f", {literal(str(recording.absolute()))}"
    return f"recorded({view.row.number}{named})"


def _raw(view: ExchangeView) -> str:
    """Return the bytes of a request that is not a known operation, or not as we would write it."""
    start, end = view.span(CLIENT)
    if end == start:
        raise Problem(f"exchange {view.row.number} has no request: nothing to send again")
    data = view.kept[CLIENT].whole(start, min(end, start + LONGEST_RAW))
    if data is None or end - start > LONGEST_RAW:
        raise Problem(f"exchange {view.row.number} is too long for a line, or was not kept whole")
    code = int.from_bytes(data[:8], "little")
    if len(data) < 8 or view.row.wire_number != code:
        return f'raw(hex("{data.hex(" ", 8)}"))'
    rest = f', hex("{data[8:].hex(" ", 8)}")' if len(data) > 8 else ""
    assert data[:8] == pack_u64(code)
    return f"raw(u64({code}){rest})"


def literal(value: Any) -> str:
    """Return a value as the language has it, on one line and printable."""
    if isinstance(value, str):
        return '"' + "".join(map(_character, value)) + '"'
    if isinstance(value, (bytes, bytearray)):
        return 'b"' + "".join(_byte(each) for each in value) + '"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items())
        return "{" + inner + "}"
    return repr(value)


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    return repr(char)[1:-1]


def _byte(each: int) -> str:
    if each in b'"\\':
        return "\\" + chr(each)
    return chr(each) if 32 <= each < 127 else f"\\x{each:02x}"
