"""Requests that delete store paths, known before they are sent: by value, and in bytes.

Bytes that are understood to their end are judged by what they say. In any others, a daemon may
read whatever it likes: there, what could be such a request counts as one. Payload stands between:
a daemon that refused its request before it read any takes that for requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pix.codec.declare import OPERATIONS
from pix.codec.errors import PixError
from pix.codec.gates import Protocol
from pix.codec.wire import Reader
from pix.protocol.operations import CollectGarbage
from pix.protocol.types import GCAction

HARMLESS = (GCAction.RETURN_LIVE, GCAction.RETURN_DEAD)
"""Actions of CollectGarbage that only list paths."""

_CODE = CollectGarbage.operation.code.to_bytes(8, "little")  # type: ignore[attr-defined]  # by @operation


_DELETIONS = tuple(
    _CODE + action.to_bytes(8, "little") for action in GCAction if action not in HARMLESS
)


def holds_deletion(payload: Iterable[bytes]) -> bool:
    """Return whether something in a payload, in pieces, would be a request that deletes."""
    last = b""
    for piece in payload:
        data = last + piece
        if any(each in data for each in _DELETIONS):
            return True
        last = data[-15:]
    return False


def deletes(request: Any) -> bool:
    """Return whether a request, as its class has it, deletes store paths."""
    return isinstance(request, CollectGarbage) and request.action not in HARMLESS


def may_delete(data: bytes, protocol: Protocol | None, before: bytes = b"") -> bool:
    """Return whether bytes that begin with an operation may hold a request that deletes.

    `protocol` is None where no version was agreed on; `before` is what was sent ahead of them on
    the same connection, in the middle of which they may begin.
    """
    at = 0
    if protocol is not None and not before:
        try:
            while at < len(data):
                payload, after, request = _request(data, at, protocol)
                if deletes(request) or holds_deletion([data[payload:after]]):
                    return True
                at = after
        except PixError:
            pass  # from there on anything may be meant
    rest = before[-15:] + data[at:]
    found = rest.find(_CODE)
    while found >= 0:
        action = int.from_bytes(rest[found + 8 : found + 16], "little")
        if len(rest) < found + 16 or action not in HARMLESS:
            return True
        found = rest.find(_CODE, found + 1)
    return False


def _request(data: bytes, at: int, protocol: Protocol) -> tuple[int, int, Any]:
    """Return where the payload of the request at `at` begins and ends, and what it is.

    Raises PixError.
    """
    reader = Reader(data[at:], protocol)
    operation = OPERATIONS.get(reader.u64())
    if operation is None:
        raise PixError("no operation that is known")
    request = operation.request.read(reader)
    begin = at + reader.pos
    payload = operation.request.payload
    carriage = payload.carriage(protocol) if payload is not None else None
    if carriage is not None:
        carriage.read(reader)
    return begin, at + reader.pos, request
