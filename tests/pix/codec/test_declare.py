from __future__ import annotations

from typing import Annotated, Any

import pytest

from pix.codec.declare import (
    OPERATIONS,
    Version,
    feature,
    field,
    is_record,
    operation,
    record,
    record_of,
    since,
    until,
    wire_of,
    without,
)
from pix.codec.gates import Gate, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Record
from pix.codec.values import decode, encode
from pix.protocol.types import U64, Bool, Text


@record
class Example:
    """An example of a record.

    What stands here is not its doc.
    """

    name: Text = field("its name")
    old: U64 = until(20, default=7, doc="before 1.20")
    new: Bool = since(20, default=False, doc="since 1.20")
    rest: tuple[Text, ...] = field("the rest", default=())
    more: dict[Text, U64] = feature("f", default_factory=dict, doc="with f")
    less: frozenset[Text] = without("f", since=30, default=frozenset(), doc="without f")


def test_class_is_a_dataclass_and_a_wire_type() -> None:
    wire_type = wire_of(Example)
    assert isinstance(wire_type, Record)
    assert wire_type.doc == "An example of a record."
    assert wire_type.kind is Example
    assert Example(name="x") == Example(name="x", old=7, rest=())
    assert not hasattr(Example(name="x"), "__dict__")
    with pytest.raises(TypeError):
        Example("x")  # type: ignore[call-arg]


def test_annotations_are_wire_types() -> None:
    found = {field.name: field.wire for field in Example.wire.fields}  # type: ignore[attr-defined]
    assert isinstance(found["rest"], ListOf)
    assert not found["rest"].unordered
    assert isinstance(found["less"], ListOf)
    assert found["less"].unordered
    assert isinstance(found["more"], MapOf)
    assert found["more"].name == "Map<String, U64>"
    gates = {field.name: field.gate for field in Example.wire.fields}  # type: ignore[attr-defined]
    assert gates["old"] == Gate(until=20)
    assert gates["less"] == Gate(since=30, without="f")


@pytest.mark.parametrize("protocol", [Protocol(19), Protocol(20), Protocol(38, frozenset({"f"}))])
def test_reads_what_it_wrote(protocol: Protocol) -> None:
    example = Example(name="n", rest=("a", "b"))
    if protocol.minor < 20:
        example.old = 9
    else:
        example.new = True
    if protocol.features:
        example.more = {"k": 1}
    wire_type = wire_of(Example)
    assert decode(wire_type, encode(wire_type, example, protocol), protocol) == example


@pytest.mark.parametrize("annotation", [int, str | None, list[int], Annotated[int, "no wire"]])
def test_annotation_without_wire_type_is_a_type_error(annotation: Any) -> None:
    with pytest.raises(TypeError):
        wire_of(annotation)


def test_number_is_declared_once() -> None:
    with pytest.raises(TypeError, match="declared twice"):
        operation(1)(type("Again", (), {"__doc__": "Once more."}))
    assert OPERATIONS[1].name == "IsValidPath"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (Version(0), "0.11"),
        (Version(0, remark="; once"), "0.11; once"),
        (Version(6), "1.06"),
        (Version(25, nix="2.4"), "1.25 (Nix 2.4)"),
        (Version(19, nix="2.0", remark=": below"), "1.19 (Nix 2.0): below"),
        (Version(nix="2.34", lix="2.91"), "Nix 2.34, Lix 2.91"),
        (Version(determinate="3.14"), "Determinate Nix 3.14"),
        (Version(remark="never"), "never"),
    ],
)
def test_version_as_people_write_it(version: Version, text: str) -> None:
    assert str(version) == text


def test_operation_is_there_from_its_number_on() -> None:
    life = OPERATIONS[41].life  # since 1.22
    assert [life.is_there(minor) for minor in (21, 22, 38)] == [False, True, True]
    assert OPERATIONS[1].life.is_there(10)
    assert OPERATIONS[48].life.is_there(10)  # no number says when


def test_record_of_a_declared_class() -> None:
    assert is_record(Example)
    assert record_of(Example) is wire_of(Example)
    assert not is_record(str)
    assert not is_record(Example(name="x"))
