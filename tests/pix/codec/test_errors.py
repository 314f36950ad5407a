"""Errors say where, and what was wanted."""

from __future__ import annotations

from typing import Any

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.records import Record
from pix.codec.values import encode
from pix.protocol.types import UnkeyedValidPathInfo
from tests.support.strategies import RECORDS

V38 = Protocol(38)


@pytest.mark.parametrize(
    ("plain", "path"),
    [
        ({"nar_hash": "x", "references": [], "nar_size": 1, "size": 2}, "size"),
        ({"nar_hash": "x", "references": []}, "nar_size"),
        ({"nar_hash": "x", "references": "abc", "nar_size": 1}, "references"),
        ([], ""),
    ],
)
def test_json_of_another_shape_is_an_error_that_names_the_field(plain: Any, path: str) -> None:
    wire = wire_of(UnkeyedValidPathInfo)
    with pytest.raises(EncodeError) as error:
        wire.value_of(plain)
    assert error.value.path == path


def test_error_names_the_way_to_the_value() -> None:
    wire = RECORDS["AddMultipleToStore.request"]
    assert isinstance(wire, Record)
    value = wire.kind(repair="yes", items=b"")
    with pytest.raises(EncodeError, match=r"repair: expected Bool, got str 'yes'"):
        encode(wire, value, V38)
    info = UnkeyedValidPathInfo(nar_hash="x", references=["a", 5], nar_size=1)  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match=r"references\.\[1\]: expected StorePath, got int 5"):
        encode(wire_of(UnkeyedValidPathInfo), info, V38)
