"""An exchange byte by byte: every byte of both sides once, with what it is.

The leaves of the field tree carry the words and strings; what lies between them (counts,
frame words, payload, what was not understood) is named by what it belongs to, so that no byte
of the exchange is left out. Long strings and payload are cut short, and say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pix.codec.declare import STDERR_FRAMES
from pix.codec.payload import FRAMES, PULLED
from pix.codec.records import Maybe
from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass
from pix_inspect.describe.field_rows import FieldRow, rows
from pix_inspect.session.exchange_view import ExchangeView

WORD = 8
"""Bytes of the protocol's unit: every line holds one or two."""

DIVIDED = frozenset({FRAMES.name, PULLED.name})
"""Ways to carry payload in pieces, each with its length before it."""

RUNS = 8
"""Runs of a payload (frames, answers to STDERR_READ) that are shown one by one."""


@dataclass(frozen=True, slots=True)
class ByteLine:
    """Some bytes of a side's stream and what they are.

    `data` is None where the recording kept none; `label` is empty on the further lines of a
    value. `more` counts bytes that follow and are not shown. `part` says where it belongs.
    """

    side: int
    offset: int
    data: bytes | None
    label: str
    value: str
    depth: int
    part: str
    doc: str = ""
    gate: str = ""
    more: int = 0

    @property
    def hex(self) -> str:
        """The bytes in hexadecimal, in groups of eight."""
        if self.data is None:
            return "not kept"
        return "  ".join(self.data[i : i + WORD].hex(" ") for i in range(0, len(self.data), WORD))

    @property
    def text(self) -> str:
        """The bytes as ASCII, a dot for what cannot be shown."""
        return "".join(chr(b) if 32 <= b < 127 else "·" for b in self.data or b"")


@dataclass(frozen=True, slots=True)
class _Span:
    """Some bytes that are one thing."""

    side: int
    start: int
    end: int
    row: FieldRow
    part: str
    depth: int
    own: bool


def annotated(view: ExchangeView, longest: int = 72, frames: int | None = None) -> list[ByteLine]:
    """Return the lines of an exchange in the order of the conversation.

    A value of more than `longest` bytes is cut short, the log after `frames` frames. Within
    a part (request, log, reply …) lines stand in the order of the stream.
    """
    out: list[ByteLine] = []
    seen = [view.span(0)[0], view.span(1)[0]]
    for top in rows(view):
        if top.start < 0 or top.side is None or top.kind == "note":
            continue
        if top.kind == "payload" and top.start < seen[top.side]:
            continue  # the log frames carry it, and have been shown
        if top.kind == "payload":
            out += _payload(view, top, seen[top.side], longest)
            seen[top.side] = max(seen[top.side], top.end)
            continue
        if top.start > seen[top.side]:
            out += _between(view, top.side, seen[top.side], top.start, longest)
        out += _part(view, top, longest, frames)
        seen[top.side] = max(seen[top.side], top.end)
    for side in (0, 1):
        end = view.span(side)[1]
        if seen[side] < end:
            out += _between(view, side, seen[side], end, longest)
    return out


def _part(
    view: ExchangeView, top: FieldRow, longest: int, frames: int | None
) -> Iterator[ByteLine]:
    children = top.children
    if top.label != "log" or frames is None or len(children) <= frames:
        for span in _spans(top, top.label, 0):
            yield from _lines(view, span, longest)
        return
    assert top.side is not None
    for child in children[:frames]:
        for span in _spans(child, top.label, 1):
            yield from _lines(view, span, longest)
    left = FieldRow("log", f"{len(children) - frames:,} more frames")
    start = children[frames].start
    yield from _lines(view, _Span(top.side, start, top.end, left, top.label, 0, True), WORD)


def _between(
    view: ExchangeView, side: int, start: int, end: int, longest: int
) -> Iterator[ByteLine]:
    """Yield the lines of bytes that belong to no row: the word that ends the log, and the rest."""
    pieces = view.bytes(side, start, min(end, start + WORD))
    word = pieces[0][1] if pieces else None
    frame = None
    if side == DAEMON and word is not None and len(word) == WORD:
        frame = STDERR_FRAMES.get(int.from_bytes(word, "little"))
    if frame is not None:
        row = FieldRow("frame", frame.name, doc=frame.doc)
        yield from _lines(view, _Span(side, start, start + WORD, row, "log", 0, True), longest)
        start += WORD
    if start < end:
        row = FieldRow("bytes", "that belong to no field")
        yield from _lines(view, _Span(side, start, end, row, "bytes", 0, True), longest)


def _payload(view: ExchangeView, row: FieldRow, start: int, longest: int) -> Iterator[ByteLine]:
    """Yield the payload's runs, and the words between them that say how long each run is."""
    side, payload = row.side, view.payload
    if side is None or payload is None:
        return
    if payload.carriage not in DIVIDED:  # a NAR's structure belongs to it as its contents do
        yield from _lines(view, _Span(side, start, row.end, row, row.label, 1, True), longest)
        return
    shown = 0
    for run_side, run, length in payload.runs:
        if run_side != side:
            continue
        shown += 1
        if shown > RUNS:
            rest = FieldRow("payload", f"{row.end - start:,} more bytes of payload")
            yield from _lines(view, _Span(side, start, row.end, rest, row.label, 0, True), WORD)
            return
        if start < run:
            yield from _length(view, side, start, run, row.label)
        piece = row if shown == 1 else FieldRow("", doc=row.doc)
        yield from _lines(view, _Span(side, run, run + length, piece, row.label, 1, True), longest)
        start = run + length
    if start < row.end:
        yield from _length(view, side, start, row.end, row.label)


def _length(view: ExchangeView, side: int, start: int, end: int, part: str) -> Iterator[ByteLine]:
    """Yield the lines of what stands between two runs: the padding, and the next one's length."""
    pieces = view.bytes(side, start, end)
    data = pieces[0][1] if len(pieces) == 1 else None
    value = ""
    if data is not None and end - start >= WORD:
        value = f"{int.from_bytes(data[-WORD:], 'little'):,}"
    row = FieldRow("length", value, doc="how many bytes of payload follow; 0 ends the frames")
    yield from _lines(view, _Span(side, start, end, row, part, 1, True), 2 * WORD)


def _spans(row: FieldRow, part: str, depth: int) -> Iterator[_Span]:
    """Yield a row's bytes: those of its children in order, its own in the gaps between."""
    side, at = row.side, row.start
    if side is None or row.start < 0:
        return
    own = True
    for child in row.children:
        if child.start == row.start and row.node is not None and isinstance(row.node.wire, Maybe):
            child.label = f"{row.label} {child.label}"  # the word says of which value it speaks
        if child.start < 0 or child.side is None or child.end < child.start:
            continue
        if child.start > at:
            yield _Span(side, at, child.start, row, part, depth, own)
            own = False
        yield from _spans(child, part, depth + 1)
        at = max(at, child.end)
    if at < row.end:
        yield _Span(side, at, row.end, row, part, depth, own)


def _lines(view: ExchangeView, span: _Span, longest: int) -> Iterator[ByteLine]:
    row = span.row
    label = row.label if span.own else f"{row.label}, more"
    value, depth, doc, gate = (row.value if span.own else ""), span.depth, row.doc, row.gate
    shown = min(span.end, span.start + longest)
    for start, data in view.bytes(span.side, span.start, shown):
        if data is None:
            end = next((at for at, _ in view.bytes(span.side, start, span.end) if at > start), None)
            more = (end or span.end) - start
            yield ByteLine(span.side, start, None, label, value, depth, span.part, doc, gate, more)
            label = value = doc = gate = ""
            continue
        at = 0
        while at < len(data):
            # the length of a string, or a word, has a line to itself
            step = WORD if at == 0 else 2 * WORD
            piece = data[at : at + step]
            last = start + at + len(piece) >= shown
            more = span.end - shown if last else 0
            yield ByteLine(
                span.side, start + at, piece, label, value, depth, span.part, doc, gate, more
            )
            label = value = doc = gate = ""
            at += step


def within(lines: Iterable[ByteLine], side: int, start: int, end: int) -> list[ByteLine]:
    """Return the lines that begin in `[start, end)` of a side's stream, moved to the left."""
    found = [line for line in lines if line.side == side and start <= line.offset < end]
    left = min((line.depth for line in found), default=0)
    return [replace(line, depth=line.depth - left) for line in found]


def text(lines: Iterable[ByteLine], width: int) -> Iterator[str]:
    """Yield lines of text, at most `width` characters wide, with a heading for each part."""
    part = None
    for line in lines:
        if (line.side, line.part) != part:
            part = (line.side, line.part)
            yield f"{'↑ the client' if line.side == CLIENT else '↓ the daemon'}: {line.part}"
        said = f"{line.label}  {line.value}" if line.value else line.label
        more = f"  … {line.more:,} more" if line.more else ""
        shown = f"  {line.offset:06x}  {line.hex:<48}  {'  ' * line.depth}{said}"
        yield shown[: width - len(more)].rstrip() + more
