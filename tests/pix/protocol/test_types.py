from __future__ import annotations

import re
from typing import Any

import pytest

from pix.codec.declare import record, since, wire_of
from pix.codec.gates import Protocol
from pix.codec.lists import ListOf
from pix.codec.records import Record
from pix.codec.values import encode, tree
from pix.codec.wire import Wire
from pix.protocol import types
from tests.support.golden import Golden
from tests.support.readings import agree, golden_names, one

TYPES: dict[str, Any] = {
    "BuildMode": types.Mode,
    "BuildResult": types.BuildResult,
    "ClientHandshakeInfo": None,
    "DerivedPath": types.DerivedPath,
    "DrvOutput (path form)": types.DrvOutput,
    "DrvOutput (hash form)": types.DrvOutputText,
    "UnkeyedValidPathInfo": types.UnkeyedValidPathInfo,
    "ValidPathInfo": types.ValidPathInfo,
    "optional ContentAddress": types.MaybeContentAddress,
    "optional StorePath": types.MaybeStorePath,
    "Realisation (path form: DrvOutput then UnkeyedRealisation)": types.Realisation,
    "Realisation (JSON string form)": types.RealisationJson,
    "Realisation (JSON string form; signature objects; not exercised by any test at this commit)": (
        types.RealisationJson
    ),
    "string": types.Text,
}


@record
class HandshakeInfo:
    """What Nix calls ClientHandshakeInfo: the part of the hello behind the versions."""

    daemon_nix_version: types.Text = since(33, default="", doc="the release")
    trusted: types.Trusted = since(35, default=types.TrustedFlag.UNKNOWN, doc="trust")


HANDSHAKE_INFO = wire_of(HandshakeInfo)
TEXT = wire_of(types.Text)
SET: Wire = ListOf(TEXT, unordered=True)
LIST: Wire = ListOf(TEXT)
NESTED: dict[str, list[Wire]] = {
    "tuple of set<string> x3, set<set<string>>": [SET] * 3 + [ListOf(SET, unordered=True)],
    "tuple of list<string> x3, list<list<string>>": [LIST] * 3 + [ListOf(LIST)],
}


def wires(kind: str, protocol: Protocol) -> list[Wire]:
    if kind in NESTED:
        return NESTED[kind]
    tuple_of = re.fullmatch(r"tuple of (\d+) (.*)", kind)
    count, name = (int(tuple_of[1]), tuple_of[2]) if tuple_of else (1, kind)
    if name == "ClientHandshakeInfo":
        return [HANDSHAKE_INFO] * count
    return [wire_of(TYPES[name])] * count


RENAMED = {
    "cpuUserMicroseconds": "cpu_user",
    "cpuSystemMicroseconds": "cpu_system",
    "remoteTrustsUs": "trusted",
}


def plain_of(wire: Wire, value: Any, protocol: Protocol) -> Any:
    """Return the golden value as our JSON has it: snake_case, info inside, outputs by name."""
    if not isinstance(wire, Record) or not isinstance(value, dict):
        return value["realisationJson"] if isinstance(value, dict) else value
    plain = {
        RENAMED.get(key) or re.sub("[A-Z]", lambda m: "_" + m[0].lower(), key): item
        for key, item in value.items()
    }
    if "built_outputs" in plain:
        built = plain.pop("built_outputs")
        if isinstance(built, list):
            plain["built_outputs"] = {item["id"]: item["realisationJson"] for item in built}
        else:
            plain["outputs"] = {
                name: {"out_path": item["outPath"], "signatures": item["signatures"]}
                for name, item in built.items()
            }
    if wire.name == "ValidPathInfo":
        path = plain.pop("path")
        plain = {"path": path, "info": plain}
    if wire.name == "Realisation":
        key = plain.pop("id")
        plain = {
            "id": {"drv_path": key["drvPath"], "output_name": key["outputName"]},
            "realisation": plain,
        }
    return plain


@pytest.mark.parametrize("name", golden_names(nar=False))
def test_golden_file_reads_as_its_value_and_writes_back(
    golden_values: tuple[Golden, ...], name: str
) -> None:
    (case,) = (file for file in golden_values if file.name == name)
    protocol = Protocol.parse(case.entry["protocol"], tuple(case.entry["features"]))
    value = case.entry["value"]
    expected = value if isinstance(value, list) else [value]
    kinds = wires(case.entry["type"], protocol)
    assert len(kinds) == len(expected)
    at = 0
    for wire, item in zip(kinds, expected, strict=True):
        found = tree(wire, case.data[at:], protocol, base=at)
        wanted = plain_of(wire, item, protocol)
        assert one(found).plain() == wanted
        part = case.data[at : found.end]
        read = agree(wire, part, protocol)
        assert encode(wire, wire.value_of(wanted), protocol) == part
        if not (isinstance(wire, ListOf) and isinstance(wire.element, ListOf)):
            assert encode(wire, read, protocol) == part  # a frozenset of sets has no order
        at = found.end
    assert at == len(case.data)
