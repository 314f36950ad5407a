"""What an exchange says, as JSON values that can be compared with another exchange's.

Without numbers, times and log. Fields that one of the two protocols lacks are left out, sets are
sets, and texts are without what differs from run to run. Payload is compared as far as both
recordings kept it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pix.codec.gates import Protocol, version_text
from pix.codec.lists import ListOf
from pix.codec.records import Record
from pix.codec.wire import Node
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix_inspect.compare.canonical_bytes import shared
from pix_inspect.compare.changes import VOLATILE, Change, Unordered, changes
from pix_inspect.compare.volatile import steady
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.payload_spans import content_spans

PIECE = 1 << 20
"""Bytes of payload that are compared at a time."""


def value_of(node: Node, protocols: Sequence[Protocol]) -> Any:
    """Return a node's value as JSON would hold it, without what one of the protocols lacks."""
    wire = node.wire
    plain = wire.plain(node, lambda child: value_of(child, protocols))
    if isinstance(wire, Record):
        names = shared(wire, tuple(protocols))
        return {name: value for name, value in plain.items() if name in names}
    if isinstance(wire, ListOf) and wire.unordered:
        return Unordered(plain)
    return steady(plain) if isinstance(plain, str) else plain


def part_of(part: Part | None, protocols: Sequence[Protocol]) -> Any:
    """Return what a part says, None where there is none."""
    return None if part is None or part.node is None else value_of(part.node, protocols)


def protocol_of(view: ExchangeView) -> Protocol:
    """Return the protocol an exchange was spoken in, the oldest where that is not known."""
    return view.protocol or Protocol(0)


def meaning(view: ExchangeView, protocols: Sequence[Protocol] = ()) -> dict[str, Any]:
    """Return what an exchange says, as far as all `protocols` can say it; its own by default."""
    row = view.row
    protocols = protocols or (protocol_of(view),)
    said: dict[str, Any] = {"operation": row.operation, "kind": row.kind}
    if row.operation is None and row.code is not None:
        said["code"] = row.wire_number
    for name in ("request", "reply", "error"):
        said[name] = part_of(view.part(name), protocols)
        if row.kind == "handshake" and isinstance(said[name], dict):
            said[name] = _hello(said[name])
    if row.kind == "orphan":
        said["frames"] = [part.name for part in view.log]
    if row.kind == "opaque":
        for side, name in enumerate(SIDES):
            start, end = view.span(side)
            said[name] = f"{end - start:,} bytes not understood"
    said["complete"] = view.row.complete
    return said


def _hello(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a side says in a handshake: versions in words, features where there are any."""
    if isinstance(version := said.get("version"), int):
        said["version"] = version_text(version)
    if not said.get("features", True):
        del said["features"]
    return said


def compare_exchanges(
    first: ExchangeView, second: ExchangeView, mask: frozenset[str] = VOLATILE
) -> list[Change]:
    """Return how two exchanges differ, field by field; payload last."""
    protocols: Sequence[Protocol] = (protocol_of(first), protocol_of(second))
    if first.row.operation != second.row.operation or first.row.kind == "handshake":
        protocols = ()  # what only one has is what matters
    found = list(changes(meaning(first, protocols), meaning(second, protocols), mask=mask))
    for side in (CLIENT, DAEMON):
        found += payload_changes(first, second, side)
    return found


def payload_changes(first: ExchangeView, second: ExchangeView, side: int) -> Iterator[Change]:
    """Yield how the payload that a side sent differs, if it does: its size, or the first byte."""
    name = "payload"
    spans = [list(content_spans(view, side)) for view in (first, second)]
    sizes = [sum(length for _, length in each) for each in spans]
    if sizes[0] != sizes[1]:
        shown = [f"{size:,} bytes" if size or each else None
                 for size, each in zip(sizes, spans, strict=True)]  # fmt: skip
        yield Change(name, *shown)
        return
    at = 0
    streams = _kept_content(first, side), _kept_content(second, side)
    pieces = [b"", b""]
    while True:
        for i in (0, 1):
            pieces[i] = pieces[i] or next(streams[i], b"")
        length = min(map(len, pieces))
        if not length:
            return
        ours, theirs = (piece[:length] for piece in pieces)
        if ours != theirs:
            where = next(i for i in range(length) if ours[i] != theirs[i])
            cut = slice(where, where + 8)
            path = f"{name} at byte {at + where}"
            yield Change(path, ours[cut].hex(" "), theirs[cut].hex(" "))
            return
        pieces = [piece[length:] for piece in pieces]
        at += length


def _kept_content(view: ExchangeView, side: int) -> Iterator[bytes]:
    """Yield the payload of a side up to the first byte that was not kept."""
    kept = view.kept[side]
    for start, length in content_spans(view, side):
        for at in range(start, start + length, PIECE):
            end = min(at + PIECE, start + length)
            piece = kept.first(at, end)
            if piece:
                yield piece
            if len(piece) < end - at:
                return
