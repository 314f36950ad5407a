from __future__ import annotations

import pytest

from pix.codec.gates import NEWEST
from pix.codec.lists import ListOf, MapOf
from pix.codec.records import Maybe
from pix.codec.values import decode, encode
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix.protocol.names import (
    DEEPEST,
    UnknownName,
    enumerations,
    names,
    records,
    scalars,
    users_of,
    wire_called,
)


def test_every_declaration_has_its_name() -> None:
    known = set(names())
    for operation in OPERATIONS.values():
        assert {f"{operation.name}.request", f"{operation.name}.reply", operation.name} <= known
    for frame in STDERR_FRAMES.values():
        assert {frame.name, frame.fields.name} <= known
    wanted = (
        "BuildResult UnkeyedValidPathInfo StorePath ClientHello DaemonHello BuildStatus GCPaths"
    )
    assert set(wanted.split()) <= known
    assert {"SingleDerivedPath", "FieldValue", "U64", "Bool", "Verbosity", "ResultType"} <= known
    assert not {"Flag", "Pair", "Opening"} & known


def test_every_name_stands_for_a_type_of_that_name() -> None:
    assert [wire_called(name).name for name in names()] == list(names())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("List<StorePath>", ListOf),
        (" Set< List<String> > ", ListOf),
        ("Map<StorePath, MaybeContentAddress>", MapOf),
        ("Map<String,Map<String,List<BuildResult>>>", MapOf),
        ("Maybe<U64>", Maybe),
    ],
)
def test_names_put_together(name: str, kind: type) -> None:
    assert isinstance(wire_called(name), kind)


def test_a_map_put_together_reads_and_writes() -> None:
    wire = wire_called("Map<String, List<Bool>>")
    value = {"a": (True, False), "b": ()}
    assert decode(wire, encode(wire, value, NEWEST), NEWEST) == value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("BuildReslt", "did you mean BuildResult"),
        ("buildresult", "did you mean BuildResult"),
        ("QueryPathInfo.replay", r"did you mean QueryPathInfo\.reply"),
        ("stderr_error", "did you mean STDERR_ERROR"),
        ("List<StorPath>", "did you mean StorePath"),
        ("", "no type is called ''"),
        ("List<>", "no type is called ''"),
        ("xyzzy", "no type is called 'xyzzy'$"),
        ("List<Bool, Bool>", "write List<TYPE>"),
        ("Map<U64, Bool>", "with a string as KEY"),
        ("Vector<Bool>", "write List<TYPE>"),
        ("List<Bool", "no type is called"),
        ("List<IsValidPath.request>", "cannot be part of a type"),
        ("List<Quit>", "takes no bytes"),
        ("List<" * (DEEPEST + 2) + "Bool" + ">" * (DEEPEST + 2), "may nest"),
    ],
)
def test_names_that_are_none_get_suggestions(name: str, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        wire_called(name)


def test_kinds_of_types() -> None:
    assert {"BuildResult", "Done", "ClientHello"} <= set(records())
    assert not {"QueryPathInfo", "QueryPathInfo.Reply", "StderrError", "Nothing"} & set(records())
    assert {"BuildMode", "TrustedFlag", "ActivityType"} <= set(enumerations())
    assert {"StorePath", "U64", "Bool"} <= set(scalars())
    assert not set(scalars()) & {*records(), *enumerations()}


def test_users_of_a_type() -> None:
    assert users_of(records()["DrvOutput"]) == ["RegisterDrvOutput", "QueryRealisation"]
    assert users_of(records()["Trace"]) == ["STDERR_ERROR"]
