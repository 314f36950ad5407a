"""Every record of the schema, in every version: all readings of a value agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pix.codec.cursor import Cursor, scan
from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError, EncodeError, Truncated
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, Gate, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Maybe, Tagged
from pix.codec.values import decode, encode, tree
from pix.codec.wire import Node, String, Wire, Word, is_wide, pack_u64
from pix.protocol.operations import AddToStore, QueryRealisation, RegisterDrvOutput
from pix.protocol.types import (
    FEATURES,
    REALISATION_WITH_PATH,
    BuildResult,
    FieldValue,
    GCPaths,
    Text,
)
from tests.support.readings import TRAILING, covers, one, scanned
from tests.support.strategies import PROTOCOLS, RECORDS, values
from tests.support.surroundings import one_in

RELAXED = settings(
    max_examples=max(settings().max_examples // (4 * one_in(2)), 5),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
V38 = Protocol(38)
TEXT = wire_of(Text)
KEY = String("Key", "a key")
WORD = Word("U64", "a word")


def cuts(data: bytes, sizes: list[int]) -> list[bytes]:
    """Return the bytes in pieces of these sizes, again and again."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("name", sorted(RECORDS))
@RELAXED
@given(data=st.data())
def test_all_readings_of_a_record_agree(name: str, data: st.DataObject) -> None:
    wire = RECORDS[name]
    protocol = data.draw(PROTOCOLS)
    value = data.draw(values(wire, protocol))
    raw = encode(wire, value, protocol)
    assert decode(wire, raw, protocol) == value
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    for content in (raw, raw + TRAILING):
        assert scanned(wire, cuts(content, sizes) or [b""], protocol) == len(raw)
        assert scanned(wire, [content], protocol) == len(raw)
    node = one(tree(wire, raw, protocol, base=77))
    assert (node.start, node.end) == (77, 77 + len(raw))
    covers(node)
    assert encode(wire, wire.value_of(node.plain()), protocol) == raw
    assert one(tree(wire, raw + TRAILING, protocol)).plain() == node.plain()


@pytest.mark.parametrize("name", sorted(RECORDS))
@RELAXED
@given(data=st.data())
def test_every_cut_record_is_truncated_and_its_tree_partial(name: str, data: st.DataObject) -> None:
    wire = RECORDS[name]
    protocol = data.draw(PROTOCOLS)
    raw = encode(wire, data.draw(values(wire, protocol)), protocol)
    end = data.draw(st.integers(0, max(len(raw) - 1, 0)))
    if end == len(raw):
        return
    with pytest.raises(Truncated):
        decode(wire, raw[:end], protocol)
    found = tree(wire, raw[:end], protocol)
    assert isinstance(found.error, Truncated)
    assert found.end <= end
    cursor = Cursor()
    cursor.feed(raw[:end])
    scanner = scan(cursor, wire.program(protocol))
    ended = next(scanner, "ended") == "ended"
    assert not ended or cursor.pos > cursor.end


@pytest.mark.parametrize("name", sorted(RECORDS))
@RELAXED
@given(data=st.data())
def test_what_is_read_from_bytes_is_what_the_nodes_say(name: str, data: st.DataObject) -> None:
    """Whole, cut or with a byte changed: the JSON form, and whether all of it is usual."""
    wire, protocol = RECORDS[name], data.draw(PROTOCOLS)
    raw = bytearray(encode(wire, data.draw(values(wire, protocol)), protocol))
    if raw and data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for node in tree(wire, bytes(raw), protocol).nodes:
        looked_at = tree(wire, bytes(raw), protocol).nodes[0]
        usual = all(map(is_usual_alone, nodes_of(looked_at)))
        assert node.plain() == plain_of(looked_at)
        assert node.is_usual == looked_at.is_usual == usual


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for child in node.children or ():
        yield from nodes_of(child)


def plain_of(node: Node) -> Any:
    """Return the JSON form of a node as it is made of its children's."""
    return node.wire.plain(node, plain_of)


def is_usual_alone(node: Node) -> bool:
    ends_in_nul = isinstance(node.value, str) and node.value.endswith("\0")
    return node.irregular is None and not is_wide(node.value) and not ends_in_nul


GATED = [
    (name, field.name)
    for name, wire in sorted(RECORDS.items())
    for field in wire.fields
    if field.gate != Gate()
]


def shut(gate: Gate) -> list[Protocol]:
    """Return the protocols that do not have what stands behind the gate."""
    known = [Protocol(minor) for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1)]
    known += [Protocol(NEWEST_MINOR, frozenset({feature})) for feature in FEATURES]
    return [protocol for protocol in known if not gate.admits(protocol)]


@pytest.mark.parametrize(("name", "field_name"), GATED)
@settings(RELAXED, max_examples=10)
@given(data=st.data())
def test_what_a_version_cannot_carry_is_an_error_that_names_field_and_version(
    name: str, field_name: str, data: st.DataObject
) -> None:
    wire = RECORDS[name]
    (field,) = (f for f in wire.fields if f.name == field_name)
    protocol = data.draw(st.sampled_from(shut(field.gate)))
    value = data.draw(values(wire, protocol))
    item = data.draw(values(field.wire, protocol).filter(lambda v: v != field.absent()))
    setattr(value, field_name, item)
    with pytest.raises(EncodeError) as error:
        encode(wire, value, protocol)
    assert error.value.path.split(".")[0] == field_name
    assert str(protocol) in str(error.value) or protocol.text in str(error.value)


@pytest.mark.parametrize(
    ("value", "protocol", "field"),
    [
        (AddToStore.Reply(path="p"), V38, "info"),
        (QueryRealisation(), Protocol(38, frozenset({REALISATION_WITH_PATH})), "output"),
        (RegisterDrvOutput(), Protocol(38, frozenset({REALISATION_WITH_PATH})), "realisation"),
    ],
)
def test_field_that_a_version_needs_says_so(value: Any, protocol: Protocol, field: str) -> None:
    with pytest.raises(EncodeError, match=rf"^{field}: is needed in 1\.38"):
        encode(value.wire, value, protocol)


def test_build_result_order_is_1_37_before_1_28() -> None:
    wire = RECORDS["BuildResult"]
    names = [field.name for field in wire.layout(V38)]
    assert names.index("cpu_system") < names.index("built_outputs")
    assert "built_outputs" in [f.name for f in wire.layout(Protocol(28))]
    assert "times_built" not in [f.name for f in wire.layout(Protocol(28))]
    assert wire.kind is BuildResult


def test_maybe_is_strict_or_lenient() -> None:
    raw = pack_u64(2) + pack_u64(7)
    with pytest.raises(DecodeError, match="tag 0 or 1"):
        decode(Maybe(WORD), raw, V38)
    lenient = Maybe(WORD, lenient=True)
    assert decode(lenient, raw, V38) == 7
    node = one(tree(lenient, raw, V38))
    assert node.plain() == 7
    assert node.children is not None
    assert str(node.children[0].irregular).endswith("is not a canonical boolean")


def test_tagged_refuses_other_tags() -> None:
    for wire in (wire_of(FieldValue), wire_of(GCPaths)):
        assert isinstance(wire, Tagged)
        with pytest.raises(DecodeError, match="the tag"):
            decode(wire, pack_u64(9), V38)
        with pytest.raises(DecodeError, match="a tag"):
            scanned(wire, [pack_u64(9)], V38)


@RELAXED
@given(st.sampled_from(sorted(RECORDS)).flatmap(lambda name: values(RECORDS[name], V38)))
def test_a_value_made_anew_from_its_parts_is_the_same(value: Any) -> None:
    wire = wire_of(type(value))

    def again(part: Wire, item: Any) -> Any:
        return part.map(item, again)

    assert again(wire, value) == value


def test_what_is_made_of_parts_stands_in_their_place() -> None:
    def doubled(part: Wire, item: Any) -> Any:
        return 2 * item if isinstance(part, Word) else part.map(item, doubled)

    mapped = MapOf(KEY, ListOf(Maybe(WORD))).map({"a": [1, None], "b": []}, doubled)
    assert mapped == {"a": (2, None), "b": ()}
    assert ListOf(WORD, unordered=True).map({1, 2}, doubled) == frozenset({2, 4})
    assert wire_of(FieldValue).map(7, doubled) == 14
    assert wire_of(FieldValue).map("7", doubled) == "7"
    assert wire_of(GCPaths).map(None, doubled) is None


def test_a_walk_meets_every_type_before_its_parts() -> None:
    assert [part.name for part in MapOf(KEY, ListOf(Maybe(WORD))).walk()] == [
        "Map<Key, List<Maybe<U64>>>", "Key", "List<Maybe<U64>>", "Maybe<U64>", "U64",
    ]  # fmt: skip
    names = [part.name for part in wire_of(GCPaths).walk()]
    assert names == ["GCPaths", "SpecificPaths", "Set<StorePath>", "StorePath", "Bool"]


def test_json_form_with_another_form_for_the_parts() -> None:
    wire = ListOf(WORD)
    node = tree(wire, encode(wire, (1, 2), V38), V38).nodes[0]
    assert wire.plain(node, lambda child: str(child.value)) == ["1", "2"]
