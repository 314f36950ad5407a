from __future__ import annotations

from typing import Any

import pytest

from pix.codec.errors import DecodeError, EncodeError, TooLarge, Truncated
from pix.codec.gates import Protocol
from pix.codec.irregular import Irregular, Irregularity
from pix.codec.values import decode, encode, tree
from pix.codec.wire import (
    Boolean,
    Enumeration,
    Reader,
    String,
    Wire,
    Word,
    bytes_of,
    pack_u64,
    text_of,
)
from pix.protocol.types import BuildMode, Verbosity
from tests.support.readings import agree, one

V38 = Protocol(38)
WORD = Word("U64", "a word")
SHORT = Word("UInt", "a word of 32 bits", 32)
BOOL = Boolean("Bool", "yes or no")
ANY_BOOL = Boolean("AnyBool", "yes or no", lenient=True)
MODE = Enumeration(BuildMode)
TEXT = String("String", "a string")
MAYBE = String("Maybe", "a string or none", optional=True)

CASES: list[tuple[Wire, Any, bytes]] = [
    (WORD, 0, bytes(8)),
    (WORD, (1 << 64) - 1, b"\xff" * 8),
    (SHORT, 0xFFFFFFFF, b"\xff\xff\xff\xff\0\0\0\0"),
    (BOOL, True, b"\1" + bytes(7)),
    (BOOL, False, bytes(8)),
    (MODE, BuildMode.CHECK, b"\2" + bytes(7)),
    (MODE, 77, b"M" + bytes(7)),
    (TEXT, "", bytes(8)),
    (TEXT, "hi", pack_u64(2) + b"hi\0\0\0\0\0\0"),
    (TEXT, "12345678", pack_u64(8) + b"12345678"),
    (TEXT, "大白兔", pack_u64(9) + "大白兔".encode() + bytes(7)),
    (TEXT, "nul\0inside", pack_u64(10) + b"nul\0inside" + bytes(6)),
    (TEXT, "\udcff\udc80", pack_u64(2) + b"\xff\x80" + bytes(6)),
    (MAYBE, None, bytes(8)),
    (MAYBE, "x", pack_u64(1) + b"x" + bytes(7)),
]


@pytest.mark.parametrize(("wire", "value", "raw"), CASES)
def test_value_and_bytes(wire: Wire, value: Any, raw: bytes) -> None:
    assert encode(wire, value, V38) == raw
    assert agree(wire, raw, V38) == value


@pytest.mark.parametrize(("wire", "value", "raw"), CASES)
def test_cut_value_is_truncated(wire: Wire, value: Any, raw: bytes) -> None:
    for end in range(len(raw)):
        with pytest.raises(Truncated) as error:
            decode(wire, raw[:end], V38)
        assert error.value.missing > 0
        assert isinstance(tree(wire, raw[:end], V38).error, Truncated)


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (WORD, -1),
        (WORD, 1 << 64),
        (SHORT, 1 << 32),
        (WORD, True),
        (WORD, "1"),
        (BOOL, 2),
        (BOOL, None),
        (MODE, "Normal"),
        (MODE, -1),
        (TEXT, None),
        (TEXT, 5),
        (TEXT, "\ud800"),
        (MAYBE, 0),
    ],
)
def test_value_that_the_wire_cannot_carry(wire: Wire, value: Any) -> None:
    with pytest.raises(EncodeError):
        encode(wire, value, V38)


def test_tree_takes_what_readers_refuse_and_notes_it() -> None:
    big = one(tree(SHORT, pack_u64(1 << 32), V38))
    assert (big.value, big.irregular) == (1 << 32, Irregular(Irregularity.WIDE, 32))
    with pytest.raises(DecodeError, match="below 2"):
        decode(SHORT, pack_u64(1 << 32), V38)
    bad = pack_u64(1) + b"x1234567"
    node = one(tree(TEXT, bad, V38))
    assert node.value == "x"
    assert node.irregular == Irregular(Irregularity.PADDING)
    with pytest.raises(DecodeError, match="zero padding") as error:
        decode(TEXT, bad, V38)
    assert error.value.offset == 9
    odd = one(tree(BOOL, pack_u64(5), V38))
    assert odd.value is True
    assert odd.irregular == Irregular(Irregularity.BOOLEAN, 5)
    assert str(odd.irregular) == "5 is not a canonical boolean"
    assert decode(ANY_BOOL, pack_u64(5), V38) is True
    with pytest.raises(TooLarge, match=r"Bool below 2\^1, found 5"):
        decode(BOOL, pack_u64(5), V38)
    unknown = one(tree(MODE, pack_u64(9), V38))
    assert (unknown.value, unknown.irregular) == (9, Irregular(Irregularity.UNKNOWN, "BuildMode"))


def test_names_of_enumerations_in_json() -> None:
    node = one(tree(Enumeration(Verbosity), pack_u64(3), V38))
    assert node.plain() == "Info"
    assert MODE.value_of("Repair") is BuildMode.REPAIR
    assert MODE.value_of(9) == 9
    with pytest.raises(EncodeError, match="Normal, Repair, Check"):
        MODE.value_of("Rebuild")


def test_spans_count_from_the_base() -> None:
    reader = Reader(pack_u64(1) + b"x" + bytes(7), V38, base=1 << 40)
    assert reader.offset == 1 << 40
    reader.string()
    assert reader.offset == (1 << 40) + 16
    with pytest.raises(Truncated) as error:
        reader.u64()
    assert error.value.offset == (1 << 40) + 16


def test_text_survives_any_bytes() -> None:
    every = bytes(range(256))
    assert bytes_of(text_of(every)) == every


def test_reader_does_not_see_a_buffer_change() -> None:
    buffer = bytearray(pack_u64(1) + b"x" + bytes(7))
    node = one(tree(TEXT, memoryview(buffer), V38))
    buffer[8:9] = b"y"
    assert node.value == "x"
