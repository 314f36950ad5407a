from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.message import Message
from pix.codec.payload import FRAME_SIZE, FRAMES, PULLED, RAW_EXPORT
from pix.codec.values import encode, tree
from pix.protocol import operations as op
from pix.protocol.names import names, wire_called
from tests.support.nars import nar
from tests.support.playbook import said
from tests.support.readings import covers, one
from tests.support.strategies import PROTOCOLS, values

NAR = nar({b"a": b"x"})
MESSAGES = [name for name in names() if isinstance(wire_called(name), Message)]


def message(name: str) -> Message:
    wire = wire_called(name)
    assert isinstance(wire, Message)
    return wire


def there_and_back(name: str, data: bytes, protocol: Protocol) -> Any:
    wire = message(name)
    node = one(tree(wire, data, protocol))
    covers(node)
    plain = node.plain()
    assert encode(wire, wire.value_of(plain), protocol) == data
    return plain


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=20)
@given(data=st.data())
def test_every_message_there_and_back(name: str, data: st.DataObject) -> None:
    protocol = data.draw(PROTOCOLS)
    wire = message(name)
    value = data.draw(values(wire.record, protocol))
    carriage = wire.carriage(protocol)
    content: Any = None
    if carriage in (FRAMES, PULLED):
        content = data.draw(st.lists(st.binary(min_size=1, max_size=20), max_size=3))
    elif carriage is not None:
        content = NAR if carriage is not RAW_EXPORT else bytes(8)
    raw = encode(wire, (value, content), protocol)
    plain = there_and_back(name, raw, protocol)
    assert list(plain)[: len(wire.record.layout(protocol))] == [
        field.name for field in wire.record.layout(protocol)
    ]


def test_a_message_is_what_is_on_the_wire() -> None:
    protocol = Protocol(38)
    request = op.AddToStore(name="x", dump=b"y" * (FRAME_SIZE + 1))
    plain = there_and_back("AddToStore.request", said(request, protocol), protocol)
    assert isinstance(plain["dump"], str)
    reply = op.NarFromPath.Reply(nar=NAR)
    assert "nar" in there_and_back("NarFromPath.reply", said(reply, protocol), protocol)


@pytest.mark.parametrize(
    "cuts", [[b"a", b"b"], [b"x" * (FRAME_SIZE + 1)], [b"y" * FRAME_SIZE, b"z"], [b"q"], []]
)
def test_the_cuts_between_frames_are_kept_where_they_are_not_ours(cuts: list[bytes]) -> None:
    protocol = Protocol(38)
    wire = message("AddBuildLog.request")
    fields = op.AddBuildLog(drv="x", log=b"")
    raw = encode(wire, (fields, cuts), protocol)
    plain = there_and_back("AddBuildLog.request", raw, protocol)
    ours = all(len(cut) == FRAME_SIZE for cut in cuts[:-1]) and all(
        len(cut) <= FRAME_SIZE for cut in cuts
    )
    assert isinstance(plain["log"], str) == ours


def test_payload_that_is_not_there_or_does_not_belong() -> None:
    protocol = Protocol(38)
    wire = message("AddBuildLog.request")
    with pytest.raises(EncodeError, match="log: is needed"):
        encode(wire, wire.value_of({"drv": "x"}), protocol)
    with pytest.raises(EncodeError, match="log: not base64"):
        wire.value_of({"drv": "x", "log": "*"})
    with pytest.raises(EncodeError, match="log: expected a base64 string, got int"):
        wire.value_of({"drv": "x", "log": 1})
    with pytest.raises(EncodeError, match="log: an empty frame"):
        encode(wire, wire.value_of({"drv": "x", "log": [""]}), protocol)
    export = message("ExportPath.reply")
    with pytest.raises(EncodeError, match="export: does not travel here"):
        encode(export, export.value_of({"export": "aGk="}), Protocol(21))
    with pytest.raises(EncodeError, match="an object with the fields"):
        wire.value_of([])


def test_another_number_says_which_and_how_to_do_without() -> None:
    found = tree(wire_called("IsValidPath.request"), bytes([26, *bytes(7)]), Protocol(38))
    assert "the operation 1 (IsValidPath) (the type IsValidPath is the fields" in str(found.error)
    assert "found 26" in str(found.error)
    found = tree(wire_called("STDERR_LAST"), b"ptxc\0\0\0\0", Protocol(38))
    assert "'ptxc'" in str(found.error)


@pytest.mark.parametrize("length", [1 << 32, 100, (1 << 64) - 1])
def test_frames_that_are_longer_than_what_is_there(length: int) -> None:
    raw = said(op.AddBuildLog(drv="x", log=b""), Protocol(38))[:-8] + length.to_bytes(8, "little")
    found = tree(wire_called("AddBuildLog.request"), raw, Protocol(38))
    assert "a frame of at most 0 bytes" in str(found.error)
