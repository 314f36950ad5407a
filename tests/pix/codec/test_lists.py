"""Lists, sets and maps: lazily decoded, bounded, in their order."""

from __future__ import annotations

from typing import Any

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError, Truncated
from pix.codec.gates import Protocol
from pix.codec.lists import ListOf, MapOf, Texts
from pix.codec.values import decode, encode, tree
from pix.codec.wire import String, Wire, Word, pack_u64
from pix.protocol.types import Text
from tests.support.readings import one, scanned
from tests.support.strategies import RECORDS

V38 = Protocol(38)
TEXT = wire_of(Text)
WORD = Word("U64", "a word")
KEY = String("Key", "a key")


def test_list_of_strings_is_decoded_when_looked_at() -> None:
    raw = pack_u64(1000) + b"".join(
        pack_u64(3) + f"{i:03}".encode() + bytes(5) for i in range(1000)
    )
    node = one(tree(ListOf(TEXT), raw, V38))
    assert isinstance(node.children, Texts)
    assert len(node.children) == 1000
    assert node.children[-1].value == "999"
    assert [child.value for child in node.children[3:5]] == ["003", "004"]
    assert node.children[7].start == 8 + 16 * 7


@pytest.mark.parametrize("wire", [ListOf(TEXT), ListOf(WORD), MapOf(KEY, WORD)])
def test_wild_count_allocates_nothing(wire: Any) -> None:
    raw = pack_u64(1 << 60) + bytes(64)
    assert tree(wire, raw, V38).error is not None
    with pytest.raises(Truncated):
        decode(wire, raw, V38)
    with pytest.raises(DecodeError, match="length of a list"):
        scanned(wire, [raw], V38)


@pytest.mark.parametrize("n", [1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_wild_string_in_a_list_is_an_error_of_the_tree(n: int) -> None:
    raw = pack_u64(2) + pack_u64(n) + bytes(64)
    found = tree(ListOf(TEXT), raw, V38)
    assert isinstance(found.error, Truncated)
    assert found.error.offset == 8
    names = RECORDS["QueryReferrers.reply"]
    assert isinstance(tree(names, raw, V38).error, Truncated)


def test_set_is_written_ascending_and_read_in_any_order() -> None:
    cases: list[tuple[Wire, tuple[Any, ...]]] = [
        (WORD, (256, 1, 5)),
        (ListOf(TEXT), (("b",), (), ("a", "c"))),
    ]
    for element, values in cases:
        wire = ListOf(element, unordered=True)
        data = encode(wire, frozenset(values), V38)
        assert decode(wire, data, V38) == frozenset(values)
        assert encode(wire, decode(wire, data, V38), V38) == data
    wire = ListOf(TEXT, unordered=True)
    assert encode(wire, frozenset({"b", "a"}), V38) == encode(wire, ["a", "b"], V38)
    raw = encode(wire, ["b", "a", "b"], V38)
    assert decode(wire, raw, V38) == {"a", "b"}
    assert one(tree(wire, raw, V38)).plain() == ["b", "a", "b"]


def test_map_with_a_key_twice_keeps_both_in_its_tree() -> None:
    wire = MapOf(KEY, WORD)
    raw = encode(wire, [("k", 1), ("k", 2)], V38)
    assert decode(wire, raw, V38) == {"k": 2}
    plain = one(tree(wire, raw, V38)).plain()
    assert plain == [["k", 1], ["k", 2]]
    assert encode(wire, wire.value_of(plain), V38) == raw
