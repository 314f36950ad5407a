"""Plain round trips: what is told at a glance is what the conversation finds as well."""

from __future__ import annotations

import pytest

from pix.codec.cursor import Limits
from pix.codec.declare import OPERATIONS, wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.conversation.round_trips import Trips
from pix.protocol.logging import STDERR_LAST, STDERR_NEXT
from pix.protocol.operations import AddToStore, IsValidPath, QueryPathInfo, QueryValidPaths

V38 = Protocol(38)
PATH = "/nix/store/" + "a" * 32 + "-hello"
LAST = pack_u64(STDERR_LAST)
IS_VALID = pack_u64(1) + encode(wire_of(IsValidPath), IsValidPath(path=PATH), V38)
QUERY_INFO = pack_u64(26) + encode(wire_of(QueryPathInfo), QueryPathInfo(path=PATH), V38)


@pytest.fixture
def trips() -> Trips:
    return Trips(V38, Limits())


@pytest.mark.parametrize(
    ("request_bytes", "reply"),
    [
        (IS_VALID, pack_u64(1)),
        (QUERY_INFO, pack_u64(0)),
        (
            pack_u64(31)
            + encode(
                wire_of(QueryValidPaths),
                QueryValidPaths(paths=frozenset({PATH}), substitute=False),
                V38,
            ),
            pack_u64(1) + pack_u64(len(PATH)) + PATH.encode() + bytes(-len(PATH) & 7),
        ),
    ],
    ids=["IsValidPath", "QueryPathInfo", "QueryValidPaths"],
)
def test_whole_and_nothing_else(trips: Trips, request_bytes: bytes, reply: bytes) -> None:
    shape = trips.asked(request_bytes)
    assert shape is not None
    for cut in range(len(request_bytes)):
        assert trips.asked(request_bytes[:cut]) is None
    assert trips.asked(request_bytes + bytes(1)) is None
    assert trips.asked(request_bytes * 2) is None
    assert trips.answered(shape, LAST + reply)
    for cut in range(len(LAST + reply)):
        assert not trips.answered(shape, (LAST + reply)[:cut])
    assert not trips.answered(shape, LAST + reply + bytes(8))
    assert not trips.answered(shape, pack_u64(STDERR_NEXT) + reply)


def test_what_carries_payload_is_not_plain(trips: Trips) -> None:
    add = encode(wire_of(AddToStore), AddToStore(name="x", dump=b""), V38)
    assert trips.asked(pack_u64(7) + add) is None


@pytest.mark.parametrize("data", [b"", bytes(7), pack_u64(999), pack_u64(2**64 - 1)])
def test_what_is_no_operation_is_not_plain(trips: Trips, data: bytes) -> None:
    assert trips.asked(data) is None


def test_a_wild_length_is_not_plain(trips: Trips) -> None:
    assert trips.asked(pack_u64(1) + pack_u64(2**63)) is None


@pytest.mark.parametrize("minor", [10, 20, 38])
def test_every_operation_without_payload_may_be_plain(minor: int) -> None:
    trips = Trips(Protocol(minor), Limits())
    for code, operation in OPERATIONS.items():
        if not operation.request.program(Protocol(minor)):
            plain = operation.request.payload is None and operation.reply.payload is None
            assert (trips.asked(pack_u64(code)) is not None) == plain
