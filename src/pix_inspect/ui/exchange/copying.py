"""What a copy of a field or an exchange is: its value, JSON, hex digits or a line of the REPL.

What is copied is the value itself, not made harmless: it goes where the user pastes it.
"""

from __future__ import annotations

import json

from textual.message import Message

from pix_inspect.describe.about import about
from pix_inspect.describe.field_rows import FieldRow
from pix_inspect.session.exchange_view import ExchangeView

MOST = 64 << 20
"""Bytes of a field that are copied as hex."""


class Copied(Message):
    """Text to copy and what it is; a message, so that any pane may ask the application for it."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__()
        self.what = what
        self.text = text


def copy(how: str, view: ExchangeView, row: FieldRow | None, started: int) -> Copied:
    """Return a copy of `row`, or of the whole exchange when there is none.

    `how` is `value`, `json`, `hex` or `line` (of the REPL); `started` is when the recording
    began. Raises Problem for a line that cannot be.
    """
    if how == "line":
        from pix_inspect.repl.as_line import line_of

        recording = view.session.path if view.session is not None else None
        return Copied("the line for the REPL", line_of(view, recording))
    if how == "hex":
        return _hex(view, row)
    if row is None:
        if how == "json":
            from pix_inspect.describe.text_and_json import json_of

            return Copied("the exchange as JSON", json.dumps(json_of(view, started)))
        return Copied("what it is about", about(view))
    plain = row.node.plain() if row.node is not None else _part(row)
    if how == "json" or not isinstance(plain, str):
        text = json.dumps(plain if plain is not None or row.node is not None else row.value)
        return Copied(f"{row.label} as JSON", text)
    return Copied(row.label, plain)


def _part(row: FieldRow) -> object:
    part = row.part
    if part is not None and part.node is not None:
        return part.node.plain()
    return row.value


def _hex(view: ExchangeView, row: FieldRow | None) -> Copied:
    if row is None or row.side is None or row.start < 0:
        pieces = [view.bytes(side, *view.span(side)) for side in (0, 1)]
        data = b"".join(data for piece in pieces for _, data in piece if data is not None)
        return Copied("the exchange's bytes as hex", data[:MOST].hex())
    found = view.bytes(row.side, row.start, min(row.end, row.start + MOST))
    data = b"".join(data for _, data in found if data is not None)
    return Copied(f"{row.label} as hex", data.hex())
