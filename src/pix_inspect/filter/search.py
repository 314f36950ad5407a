"""Where a text or a run of bytes occurs: in the fields of exchanges, in what the timeline says.

    glibc           a text, in labels and values, without regard to case
    hex: 1a 00      bytes, in what was kept of either direction

What is searched is given by the caller, in the order in which it is to be searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass
from pix_inspect.describe.about import about
from pix_inspect.describe.field_rows import FieldRow, rows
from pix_inspect.session.exchange_view import ExchangeView

PIECE = 1 << 20
MOST_HITS = 10_000
"""Hits in one exchange that can be gone through."""


class SearchError(Exception):
    """A search that cannot be understood: the message, and the characters it is about."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class Needle:
    """What is searched for: a lower-case text, or bytes."""

    text: str
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """Where it occurs: the field's path in the tree, if it is one, and the bytes, if there are."""

    path: tuple[int, ...] | None
    side: int | None = None
    start: int = -1
    end: int = -1
    said: str = ""


def needle(text: str) -> Needle:
    """Return what a search text means. Raises SearchError."""
    match = re.match(r"\s*hex:", text, re.IGNORECASE)
    if match is None:
        if not text.strip():
            raise SearchError("write a text, or hex: and bytes", 0, 1)
        return Needle(text.strip().lower())
    at = match.end()
    for word in re.finditer(r"\S+", text[at:]):
        digits = word.group().removeprefix("0x")
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", digits) is None:
            start = at + word.start()
            message = f"{word.group()!r} is not hex digits in pairs: 1a 00"
            raise SearchError(message, start, at + word.end())
    raw = bytes.fromhex(re.sub(r"\s|0x", "", text[at:]))
    if not raw:
        raise SearchError("bytes are missing: hex: 1a 00", at, at + 1)
    return Needle(text.strip(), raw)


def hits(view: ExchangeView, wanted: Needle) -> list[Hit]:
    """Return where it occurs in an exchange, in the order in which it is shown."""
    found: list[Hit] = []
    source = _bytes_hits(view, wanted.raw) if wanted.raw is not None else _text_hits(view, wanted)
    for hit in source:
        found.append(hit)
        if len(found) >= MOST_HITS:
            break
    return found


def _bytes_hits(view: ExchangeView, raw: bytes) -> Iterator[Hit]:
    overlap = len(raw) - 1
    for side in (CLIENT, DAEMON):
        at, end = view.span(side)
        before, before_at = b"", at
        while at < end:
            stop = min(at + PIECE, end)
            for offset, data in view.bytes(side, at, stop):
                if data is None:
                    before = b""
                    continue
                data = bytes(data)
                if before and before_at + len(before) == offset:
                    data, offset = before + data, before_at
                place = data.find(raw)
                while place >= 0:
                    first = offset + place
                    yield Hit(None, side, first, first + len(raw), raw.hex(" "))
                    place = data.find(raw, place + 1)
                before = data[-overlap:] if overlap else b""
                before_at = offset + len(data) - len(before)
            at = stop


def _text_hits(view: ExchangeView, wanted: Needle) -> Iterator[Hit]:
    any_field = False
    for hit in _in_rows(rows(view), wanted.text, ()):
        any_field = True
        yield hit
    row = view.row
    said = about(view)
    name = row.name
    if not any_field and (wanted.text in said.lower() or wanted.text in name.lower()):
        yield Hit(None, said=said)


def _in_rows(found: Sequence[FieldRow], text: str, path: tuple[int, ...]) -> Iterator[Hit]:
    """Yield the innermost rows in which a text occurs."""
    for index, row in enumerate(found):
        here = (*path, index)
        inside = False
        if row.has_children:
            for hit in _in_rows(row.children, text, here):
                inside = True
                yield hit
        if not inside and text in f"{row.label} {row.value}".lower():
            yield Hit(here, row.side, row.start, row.end, f"{row.label}  {row.value}")
