"""What deletes is known before it is sent; what does not is let pass."""

from __future__ import annotations

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol import operations as op
from pix.protocol.deletion import deletes, holds_deletion, may_delete
from pix.protocol.types import GCAction

V = Protocol(37)
PATH = "/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-x"


def said(request: object) -> bytes:
    code = type(request).operation.code  # type: ignore[attr-defined]
    return pack_u64(code) + encode(wire_of(type(request)), request, V)


DELETE = said(op.CollectGarbage(action=GCAction.DELETE_DEAD))
LIST = said(op.CollectGarbage(action=GCAction.RETURN_DEAD))
TWENTY = said(op.AddTempRoot(path="/nix/store/12345678x"))
"""A path of 20 bytes, whose length is the number of CollectGarbage."""


def test_by_value() -> None:
    for action in [*GCAction, 5, 1 << 40]:
        listing = action in (GCAction.RETURN_LIVE, GCAction.RETURN_DEAD)
        assert deletes(op.CollectGarbage(action=action)) is not listing
    assert not deletes(op.IsValidPath(path=PATH))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (DELETE, True),
        (LIST, False),
        (TWENTY, False),
        (LIST + TWENTY + LIST, False),
        (LIST + DELETE, True),
        (TWENTY + said(op.CollectGarbage(action=77)), True),
        (TWENTY + DELETE[:8], True),
        (b"", False),
        (DELETE[:16], True),
        (pack_u64(4711) + DELETE, True),
        (b"\1\2\3" + DELETE, True),
        (b"\1\2\3" + LIST, False),
        (pack_u64(29) + pack_u64(20), True),  # cut in the middle of something
    ],
)
def test_in_bytes(data: bytes, expected: bool) -> None:
    assert may_delete(data, V) is expected


def test_behind_a_payload_that_is_read_to_its_end() -> None:
    nar = pack_u64(8) + LIST[8:16] + pack_u64(0)  # one frame, which holds what looks like nothing
    head = said(op.AddBuildLog(drv="x.drv", log=b""))
    assert not may_delete(head + nar + LIST, V)
    assert may_delete(head + nar + DELETE, V)
    name = b"one of twenty bytes:"  # as names in a NAR are, behind their length
    frame = pack_u64(28) + pack_u64(len(name)) + name + pack_u64(0)
    assert not may_delete(head + frame, V)


def test_a_payload_that_a_daemon_would_take_for_a_request() -> None:
    """One that refuses the request before it reads any, as for a method that there is not."""
    head = said(op.AddToStore(name="x", method="bogus:sha256", references=frozenset(), dump=b""))
    length = pack_u64(20) + pack_u64(GCAction.DELETE_DEAD) + bytes(12)
    assert may_delete(head + length + pack_u64(0), V)
    frame = pack_u64(len(DELETE)) + DELETE + pack_u64(0)
    assert may_delete(head + frame, V)
    assert not may_delete(head + pack_u64(len(LIST)) + LIST + pack_u64(0), V)


def test_without_a_version_and_in_pieces() -> None:
    assert may_delete(DELETE, None)
    assert not may_delete(LIST, None)
    assert may_delete(TWENTY, None)
    for cut in range(1, 16):
        head, tail = DELETE[:cut], DELETE[cut:]
        assert may_delete(head, V) or may_delete(tail, V, head), cut
        assert not may_delete(LIST[cut:], V, LIST[:cut])


def test_a_payload_in_pieces() -> None:
    said = bytes(99) + DELETE
    for size in (1, 7, 16, 1000):
        assert holds_deletion(said[i : i + size] for i in range(0, len(said), size))
    assert not holds_deletion([bytes(99), LIST])
