"""Exchanges as text lines and as JSON: what `dump` prints.

The JSON of an exchange is one object; its keys are those of docs/json.md. Text is an
indented tree. Everything in text is inert; JSON escapes what is not ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Tone, Toned
from pix_inspect.base.units import duration, size
from pix_inspect.describe.about import about
from pix_inspect.describe.field_rows import FieldRow, rows
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.failures import failure_text
from pix_inspect.session.session import ConnectionRow

LONGEST_LIST = 50
"""Elements of a list that the text form shows by default."""

LONGEST_COMMAND = 200
"""Characters of a command line."""

TONES = {
    "error": Tone.BAD, "cut": Tone.WARNING, "opaque": Tone.WARNING, "note": Tone.WARNING,
}  # fmt: skip
"""Of exchanges by their state, of rows by their kind."""

SIGNS = {"open": "◐", "ok": "✓", "error": "✗", "cut": "✂", "opaque": "?"}


def json_of(view: ExchangeView, started: int) -> dict[str, Any]:
    """Return an exchange as JSON. `started` is the recording's start (ns since 1970)."""
    row = view.row
    protocol = view.protocol
    request = view.part("request")
    error = view.part("error")
    return {
        "exchange": row.number,
        "connection": row.connection,
        "kind": row.kind,
        "operation": row.operation,
        "code": row.wire_number,
        "protocol": None if view.family is None else view.family.name,
        "version": protocol.text if protocol is not None else None,
        "features": sorted(protocol.features) if protocol is not None else [],
        "time": None if timeless(view) else (row.started - started) / 1e9,
        "took": None if row.took is None or timeless(view) else row.took / 1e9,
        "request": _plain(request),
        "grpc": None if view.grpc is None else view.grpc.json(),
        "standard_error": view.standard_error,
        "log": [{"frame": part.name, **(_plain(part) or {})} for part in view.log],
        "reply": _plain(view.part("reply")),
        "error": _plain(error),
        "payload": _payload(view),
        "bytes": {"request": row.up, "reply": row.down},
        "state": row.state,
        "complete": row.complete,
        "notes": list(view.notes),
    }


def timeless(view: ExchangeView) -> bool:
    """Return whether the times of an exchange are made up."""
    return view.session is not None and view.session.made.timeless


def json_line(view: ExchangeView, started: int) -> str:
    """Return an exchange as one line of JSON in printable ASCII."""
    return json.dumps(json_of(view, started)).replace("\x7f", "\\u007f")


def _payload(view: ExchangeView) -> dict[str, Any] | None:
    payload = view.payload
    if payload is None:
        return None
    said: dict[str, Any] = {"bytes": payload.bytes, "kept": payload.kept}
    if payload.content == "paths":
        said["paths"] = [info.plain() for _, info in PayloadContents(view).infos()]
    return said


def _plain(part: Part | None) -> Any:
    return None if part is None or part.node is None else part.node.plain()


def connection_line(connection: ConnectionRow, *, command: bool = True) -> str:
    """Return a line that says who made a connection; without `command`, by its program only."""
    peer = connection.peer
    words = [f"connection {connection.number}"]
    words += [f"{key} {n}" for key, n in (("pid", peer.pid), ("uid", peer.uid)) if n is not None]
    if command and peer.address is not None:
        words.append(inert(peer.address, LONGEST_COMMAND))
    if peer.command is not None:
        shown = peer.command if command else peer.command.split(" ")[0].rpartition("/")[2]
        words.append(inert(shown, LONGEST_COMMAND))
    return Toned(f"── {'  '.join(words)} ──", Tone.HEADING)


def text_of(
    view: ExchangeView, started: int, longest: int | None = LONGEST_LIST, hint: str = ""
) -> Iterator[str]:
    """Yield the lines of an exchange. Lists of more than `longest` elements are cut short.

    `hint` says where they are cut how to see the rest.
    """
    row = view.row
    words = [
        f"#{row.number}",
        f"{(row.started - started) / 1e9:.6f} s",
        f"connection {row.connection}",
        row.name if row.operation is None else f"{row.name} ({row.wire_number})",
    ]
    if said := about(view):
        words.append(said)
    words.append("took ?" if timeless(view) else f"took {duration(row.took)}")
    words.append(f"↑ {size(row.up)} ↓ {size(row.down)}")
    words.append(f"{SIGNS[row.state]} {row.state}")
    yield _toned("  ".join(words), row.state, Tone.HEADING)
    for top in rows(view):
        yield from _lines(top, 1, longest, hint)


def one_line(view: ExchangeView, started: int) -> str:
    """Return an exchange as one line in columns: number, connection, time, duration, what."""
    row = view.row
    took = "?" if timeless(view) else duration(row.took)
    head = f"#{row.number:<6} {row.connection:>4} {(row.started - started) / 1e9:>11.6f} {took:>9}"
    text = f"{head}  {SIGNS[row.state]} {row.name} {about(view)}".rstrip()
    if said := failure_text(view):
        text += f": {inert(said, LONGEST_COMMAND)}"
    return _toned(text, row.state)


def _toned(text: str, state: str, usual: Tone | None = None) -> str:
    tone = TONES.get(state, usual)
    return text if tone is None else Toned(text, tone)


def _lines(row: FieldRow, depth: int, longest: int | None, hint: str) -> Iterator[str]:
    span = f"  [{row.start}, {row.end})" if row.kind == "part" and row.start >= 0 else ""
    value = f": {row.value}" if row.value else ""
    text = f"{'    ' * depth}{row.label}{value}{span}"
    yield _toned(text, row.kind)
    children = row.children
    shown = len(children) if longest is None else min(len(children), longest)
    if row.label == "log":
        shown = len(children)
    for i in range(shown):
        child = children[i]
        if child.kind == "frame":
            yield f"{'    ' * (depth + 1)}{child.label} {child.value}"
        else:
            yield from _lines(child, depth + 1, longest, hint)
    if shown < len(children):
        yield f"{'    ' * (depth + 1)}… {len(children) - shown:,} more{hint}"
