"""Essences: what counts of a message, whatever the protocol and the order of a set."""

from __future__ import annotations

from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import Wire
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.compare.canonical_bytes import Essence, Unusual, shared
from pix_inspect.compare.changes import VOLATILE

OLD, NEW = Protocol(15), Protocol(38)
A, B = (f"/nix/store/{digit * 32}-x" for digit in "01")


def reply(name: str) -> Any:
    return OPERATIONS_BY_NAME[name].reply


def info(**other: Any) -> dict[str, Any]:
    known = {"deriver": None, "nar_hash": "0" * 64, "references": [A, B], "registration_time": 1,
             "nar_size": 3, "ultimate": False, "sigs": [], "ca": None}  # fmt: skip
    return known | other


def essence(wire: Wire, plain: Any, protocol: Protocol, *others: Protocol) -> bytes:
    data = encode(wire, wire.value_of(plain), protocol)
    return Essence((protocol, *others), VOLATILE).of(wire, b"12345678" + data, 8, protocol)


def test_masked_fields_do_not_count() -> None:
    wire = reply("QueryPathInfo")
    one, two, three = (
        essence(wire, {"info": info(**each)}, NEW)
        for each in ({}, {"registration_time": 2}, {"nar_size": 4})
    )
    assert one == two != three


def test_the_order_of_a_set_does_not_count() -> None:
    wire = reply("QueryReferrers")
    both = [encode(wire, wire.kind(referrers=each), NEW) for each in ([A, B], [B, A])]
    assert both[0] != both[1]
    made = Essence((NEW,), VOLATILE)
    one, two = (made.of(wire, each, 0, NEW) for each in both)
    assert one == two


def test_fields_of_one_protocol_do_not_count() -> None:
    wire = reply("QueryPathInfo")
    new = essence(wire, {"info": info(ultimate=True)}, NEW, OLD)
    old = essence(wire, {"info": {key: value for key, value in info().items()
                                  if key not in ("ultimate", "sigs", "ca")}}, OLD, NEW)  # fmt: skip
    assert new == old
    assert "ultimate" not in shared(wire.fields[0].wire.inner, (OLD, NEW))


def test_what_has_nothing_to_leave_out_is_its_own_essence() -> None:
    wire = OPERATIONS_BY_NAME["IsValidPath"].request
    data = encode(wire, wire.value_of({"path": A}), NEW)
    assert Essence((OLD, NEW), VOLATILE).of(wire, data, 0, NEW) == data


@pytest.mark.parametrize("cut", [0, 8, 20, 40, -1])
def test_bytes_that_are_no_message_are_unusual(cut: int) -> None:
    wire = reply("QueryPathInfo")
    data = encode(wire, wire.value_of({"info": info()}), NEW)
    for damaged in (data[:cut], data + bytes(8)):
        with pytest.raises(Unusual):
            Essence((NEW,), VOLATILE).of(wire, damaged, 0, NEW)


def test_a_wild_count_is_unusual() -> None:
    wire = reply("QueryReferrers")
    with pytest.raises(Unusual):
        Essence((NEW,), VOLATILE).of(wire, (1 << 60).to_bytes(8, "little"), 0, NEW)
