"""The declarations as documentation: complete, in order, and as the protocol has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import EncodeError
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, WORKER, Protocol
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, WRITTEN
from pix.codec.records import Record, Tagged
from pix.codec.values import encode
from pix.codec.wire import Meaning, Named, Wire
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME, STDERR_FRAMES, operations_of
from pix.protocol import operations as declarations
from pix.protocol.logging import ActivityType, ResultType
from pix.protocol.operations import (
    AddToStore,
    AddToStoreNar,
    BuildPaths,
    CollectGarbage,
    QueryRealisation,
    RegisterDrvOutput,
    SetOptions,
    VerifyStore,
)
from pix.protocol.types import (
    DELETE_DEAD_REFERRERS,
    FEATURES,
    PROVENANCE,
    REALISATION_WITH_PATH,
    BuildMode,
    BuildStatus,
    GCAction,
    TrustedFlag,
    Verbosity,
)
from tests.support.readings import records
from tests.support.strategies import RECORDS

ENUMERATIONS: tuple[type[Named], ...] = (
    ActivityType,
    BuildMode,
    BuildStatus,
    GCAction,
    ResultType,
    TrustedFlag,
    Verbosity,
)

CODES = [0, 1, *range(3, 51), 1000, 1001]


def is_doc(text: str) -> bool:
    """One line that says something."""
    return len(text.strip()) > 3 and "\n" not in text and text == text.strip()


def wires(wire: Wire) -> Iterator[Wire]:
    """The wire types inside a wire type, itself included."""
    yield wire
    for name in ("element", "key", "value", "inner"):
        part = getattr(wire, name, None)
        if isinstance(part, Wire):
            yield from wires(part)
    if isinstance(wire, Tagged):
        for _, _, choice in wire.choices.values():
            if choice is not None:
                yield from wires(choice)


def test_every_number_is_declared_in_order() -> None:
    """2 was never assigned."""
    assert list(operations_of(WORKER)) == CODES
    assert len(OPERATIONS_BY_NAME) == len(OPERATIONS)


def test_every_operation_has_a_doc_and_a_life() -> None:
    for operation in operations_of(WORKER).values():
        life = operation.life
        assert is_doc(operation.doc), operation.name
        assert life.introduced, operation.name
        assert operation.doc[0].isupper(), operation.name
        assert all(is_doc(note) for note in operation.notes), operation.name
        assert not life.instead or life.obsolete or life.removed, operation.name
        for payload in (operation.request.payload, operation.reply.payload):
            if payload is not None:
                assert is_doc(payload.doc), operation.name
                assert payload.carried, operation.name
        assert getattr(declarations, operation.name).operation is operation


def test_what_is_obsolete_names_what_replaced_it() -> None:
    gone = {
        op.name for op in operations_of(WORKER).values() if op.life.obsolete and not op.life.instead
    }
    assert gone <= {"QueryFailedPaths", "ClearFailedPaths"}, "these have no successor"


def test_every_type_and_field_has_a_doc() -> None:
    for name, record in RECORDS.items():
        assert is_doc(record.doc), name
        for field in record.fields:
            assert is_doc(field.doc), (name, field.name)
            for wire in wires(field.wire):
                assert wire.name, (name, field.name)
                assert is_doc(wire.doc), (name, field.name, wire.name)


@pytest.mark.parametrize("members", ENUMERATIONS)
def test_every_enum_value_has_a_doc(members: type[Named]) -> None:
    assert is_doc((members.__doc__ or "").partition("\n")[0])
    for member in members:
        assert is_doc(member.doc), member
        assert members.of(member.value) is member
    assert members.of(12345) == 12345


def test_every_frame_and_feature_has_a_doc() -> None:
    assert len(STDERR_FRAMES) == 8
    for frame in STDERR_FRAMES.values():
        assert is_doc(frame.doc), frame.name
        assert all(is_doc(note) for note in frame.notes)
    assert len(FEATURES) == 10
    for feature in FEATURES.values():
        assert is_doc(feature.doc)
        assert is_doc(feature.offered)


def test_every_feature_gate_is_a_known_feature() -> None:
    known = set(FEATURES)
    for record in RECORDS.values():
        for field in record.fields:
            assert {field.gate.feature, field.gate.without} - {None} <= known
    needed = {operation.feature for operation in operations_of(WORKER).values()} - {None}
    assert needed <= known


def test_every_declared_operation_is_reached_by_the_records() -> None:
    for operation in operations_of(WORKER).values():
        for record in (operation.request, operation.reply):
            assert all(inner in RECORDS.values() for inner in records(record))


def names(record: Record, minor: int, *features: str) -> list[str]:
    return [field.name for field in record.layout(Protocol(minor, frozenset(features)))]


@pytest.mark.parametrize("minor", range(OLDEST_MINOR, NEWEST_MINOR + 1))
def test_payload_is_carried_as_the_version_has_it(minor: int) -> None:
    protocol = Protocol(minor)

    def carriage(name: str, *, reply: bool = False) -> object:
        operation = OPERATIONS_BY_NAME[name]
        payload = (operation.reply if reply else operation.request).payload
        assert payload is not None
        return payload.carriage(protocol)

    assert carriage("AddToStore") is (RAW_NAR if minor < 25 else FRAMES)
    nar = RAW_NAR if minor < 21 else PULLED if minor < 23 else FRAMES
    assert carriage("AddToStoreNar") is nar
    assert carriage("ImportPaths") is PULLED
    assert carriage("ExportPath", reply=True) is WRITTEN
    assert carriage("NarFromPath", reply=True) is RAW_NAR
    for name in ("AddMultipleToStore", "AddBuildLog", "AddToStoreScanning"):
        assert carriage(name) is FRAMES


def test_layouts_change_where_the_protocol_says() -> None:
    add = OPERATIONS_BY_NAME["AddToStore"].request
    assert names(add, 24) == ["name", "fixed", "recursive", "hash_algo"]
    assert names(add, 25) == ["name", "method", "references", "repair"]
    assert names(add, 38, PROVENANCE)[-1] == "provenance"
    nar = OPERATIONS_BY_NAME["AddToStoreNar"].request
    assert names(nar, 17) == names(nar, 38)  # ultimate, sigs and ca are not gated here
    assert names(nar, 38, PROVENANCE)[-3:] == ["provenance", "repair", "dont_check_sigs"]
    collect = OPERATIONS_BY_NAME["CollectGarbage"].request
    assert names(collect, 38)[:2] == ["action", "paths_to_delete"]
    assert names(collect, 38, DELETE_DEAD_REFERRERS)[:2] == ["action", "target"]
    assert names(OPERATIONS_BY_NAME["BuildPaths"].request, 14) == ["paths"]
    assert names(OPERATIONS_BY_NAME["QueryValidPaths"].request, 26) == ["paths"]
    assert "overrides" not in names(OPERATIONS_BY_NAME["SetOptions"].request, 11)
    infos = OPERATIONS_BY_NAME["QuerySubstitutablePathInfos"].request
    assert (names(infos, 21), names(infos, 22)) == (["paths"], ["paths_with_ca"])
    register = OPERATIONS_BY_NAME["RegisterDrvOutput"].request
    assert names(register, 30) == ["id", "out_path"]
    assert names(register, 31) == ["realisation_json"]
    assert names(register, 38, REALISATION_WITH_PATH) == ["realisation"]
    query = OPERATIONS_BY_NAME["QueryRealisation"]
    assert names(query.reply, 30) == ["out_paths"]
    assert names(query.reply, 31) == ["realisations"]
    assert names(query.reply, 38, REALISATION_WITH_PATH) == ["realisation"]


BY_PATH = frozenset({REALISATION_WITH_PATH})
UNSAYABLE: list[tuple[object, Protocol, str]] = [
    (AddToStore(name="x", repair=True, dump=b""), Protocol(24), "repair: does not exist before"),
    (AddToStore(name="x", fixed=True, dump=b""), Protocol(25), "fixed: does not exist from 1.25"),
    (AddToStore(name="x", provenance="{}", dump=b""), Protocol(38), "provenance: needs the feat"),
    (BuildPaths(paths=(), mode=BuildMode.REPAIR), Protocol(14), "mode: does not exist before 1.15"),
    (SetOptions(overrides={"a": "b"}), Protocol(11), "overrides: does not exist before 1.12"),
    (SetOptions(verbosity=1 << 32), Protocol(38), "verbosity: 4294967296 does not fit UInt"),
    (CollectGarbage(action="x"), Protocol(38), "action: expected GCAction, got str"),  # type: ignore[arg-type]
    (VerifyStore(repair=3), Protocol(38), "repair: expected Bool, got int 3"),  # type: ignore[arg-type]
    (QueryRealisation(), Protocol(38, BY_PATH), "output: is needed in 1.38"),
    (
        RegisterDrvOutput(realisation_json="{}"),
        Protocol(38, BY_PATH),
        "realisation_json: does not exist with the feature",
    ),
    (
        AddToStoreNar(path="p", nar_hash="h", nar_size=-1, nar=b""),
        Protocol(38),
        "nar_size: -1 does not fit U64",
    ),
]


@pytest.mark.parametrize(("request_", "protocol", "message"), UNSAYABLE)
def test_what_cannot_be_said_names_field_and_version(
    request_: object, protocol: Protocol, message: str
) -> None:
    with pytest.raises(EncodeError, match=f"^{message}"):
        encode(wire_of(type(request_)), request_, protocol)


def test_what_does_many_at_once_is_an_operation() -> None:
    many = {op.name: op.many for op in operations_of(WORKER).values() if op.many is not None}
    assert {each.operation for each in many.values()} <= set(OPERATIONS_BY_NAME)
    assert many["AddToStoreNar"].operation == "AddMultipleToStore"
    assert many["EnsurePath"].since == 13


def test_numbers_say_what_they_mean() -> None:
    meant = {
        part.name: part.wire.meaning
        for operation in operations_of(WORKER).values()
        for record in (operation.request, operation.reply)
        for wire in record.walk()
        for part in wire.fields
        if part.wire.meaning is not None
    }
    sizes = {name for name, meaning in meant.items() if meaning is Meaning.SIZE}
    assert sizes == {"nar_size", "download_size", "bytes_freed"}
    assert meant["verbosity"] is meant["verbose_build"] is Meaning.VERBOSITY
    assert meant["registration_time"] is meant["start_time"] is Meaning.TIME
