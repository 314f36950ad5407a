"""Known mistakes planted into what real Nix said: each operation of the recordings, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from pix.codec.gates import SERVE
from pix.codec.wire import Boolean, Enumeration, Node, String, Word
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.logging import STDERR_LAST
from pix_inspect.forensics.rules import is_only_success
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from tests.support.mistaken import MOST_NODES, nodes
from tests.support.places import RECORDINGS
from tests.support.planted import Planted, diagnosis_of
from tests.support.recording import saved
from tests.support.words import word

AMBIGUOUS = {
    "short reply": {"other version"},
    "short request": {"other version"},
    "32-bit number": {"32-bit length"},
}
"""Mistakes whose bytes another one explains just as well."""


class Change(NamedTuple):
    """Bytes `[start, end)` of a side to be replaced, so that there is a mistake."""

    mistake: str
    side: int
    start: int
    end: int
    put: bytes = b""


class Place(NamedTuple):
    """An exchange that ended well: its recording, connection, and whether more follows."""

    name: str
    connection: int
    view: ExchangeView
    goes_on: bool


@cache
def places() -> list[Place]:
    """Each operation of the worker protocol, where it is first met in the recordings."""
    found: dict[str, Place] = {}
    for path in sorted(RECORDINGS.glob("*.pcapng")):
        session = Session(path).read_all()
        rows = [session.row(i) for i in range(len(session))]
        for row in rows:
            is_serve = str(row.operation).startswith(SERVE.prefix)
            if row.kind != "operation" or is_serve:
                continue
            if row.operation not in found and row.state == "ok":
                goes_on = any(
                    later.connection == row.connection and later.kind == "operation"
                    for later in rows[row.number :]
                )
                view = session.exchange(row.number - 1)
                found[str(row.operation)] = Place(path.stem, row.connection, view, goes_on)
    return list(found.values())


def changes(place: Place) -> Iterator[Change]:
    exchange = place.view.exchange
    assert exchange is not None
    operation = exchange.operation
    assert operation is not None
    if operation.reply.payload is None and exchange.reply is not None:
        start, end = exchange.reply
        assert end is not None
        yield Change("extra one", DAEMON, end, end, word(1))
        yield Change("long reply", DAEMON, end, end, word(9) + word(77))
        yield Change("doubled STDERR_LAST", DAEMON, start, start, word(STDERR_LAST))
        yield Change("text in the stream", DAEMON, end, end, b"hello world, it is me\n")
        if place.goes_on and is_only_success(operation.reply):
            yield Change("missing one", DAEMON, start, end)
        elif place.goes_on and end - start > 8:
            yield Change("short reply", DAEMON, end - 8, end)
        if place.goes_on and end > start:
            yield Change("missing STDERR_LAST", DAEMON, start - 8, start)
        yield from in_values(place, DAEMON, start, end)
    if operation.request.payload is None:
        start, end = place.view.span(CLIENT)
        if place.goes_on and end - start > 8:
            yield Change("short request", CLIENT, end - 8, end)
        yield Change("long request", CLIENT, end, end, word(99_999) + word(7))
        turned = operation.code.to_bytes(8, "big")
        yield Change("big-endian number", CLIENT, start, start + 8, turned)
        yield from in_values(place, CLIENT, start + 8, end)


def in_values(place: Place, side: int, start: int, end: int) -> Iterator[Change]:
    """Mistakes in the first few values of a message."""
    exchange = place.view.exchange
    assert exchange is not None
    assert exchange.operation is not None
    assert place.view.protocol is not None
    wire = exchange.operation.request if side == CLIENT else exchange.operation.reply
    found = nodes(wire, place.view.kept[side].first(start, end), place.view.protocol.minor)
    texts = [n for n in found if isinstance(n.wire, String) and len(str(n.value or "")) > 4]
    for node in texts[:MOST_NODES]:
        at, behind = start + node.start, start + _body_end(node)
        yield Change("32-bit length", side, at + 4, at + 8)
        yield Change("big-endian number", side, at, at + 8, (behind - at - 8).to_bytes(8, "big"))
        if node.end is not None and behind < start + node.end:
            yield Change("missing padding", side, behind, start + node.end)
    numbers = [n for n in found if isinstance(n.wire, (Word, Boolean, Enumeration)) and n.value]
    for node in numbers[:MOST_NODES]:
        yield Change("32-bit number", side, start + node.start + 4, start + node.start + 8)


def _body_end(node: Node) -> int:
    return node.start + 8 + len(str(node.value).encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("place", places(), ids=lambda place: str(place.view.row.operation))
def test_what_is_planted_is_named(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("planted")
    missed = []
    last = place.view.span(DAEMON)[1]
    for change in changes(place):
        is_less = change.side == DAEMON and not change.put and not place.goes_on
        if is_less and (change.end == last or change.mistake == "missing padding"):
            continue  # a recording that ends too early looks the same
        planted = Planted(place.name, place.connection)
        planted.change(change.side, change.start, change.end, change.put)
        session = saved(planted, folder)
        named = set(re.findall("“([^”]*)”", diagnosis_of(session)))
        session.close()
        if not named & {change.mistake, *AMBIGUOUS.get(change.mistake, ())}:
            missed.append((change, named))
    assert not missed
