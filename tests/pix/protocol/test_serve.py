from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import SERVE, WORKER, Protocol
from pix.codec.lists import ListOf
from pix.codec.values import decode, encode, tree
from pix.codec.wire import Wire
from pix.protocol import OPERATIONS, serve, types
from pix.protocol.names import family_called, wire_called
from tests.support import captures
from tests.support.readings import agree, one
from tests.support.words import OTHER, PATH

TEXT = wire_of(types.Text)
LISTS: list[Wire] = [*[ListOf(TEXT)] * 3, ListOf(ListOf(TEXT))]

KINDS: dict[str, Any] = {
    "build-options": serve.BuildOptions,
    "build-result": serve.BuildResult,
    "content-address": types.MaybeContentAddress,
    "drv-output": types.DrvOutputText,
    "drv-output-2.8": types.DrvOutput,
    "handshake-to-client": serve.ServerHello,
    "optional-content-address": types.MaybeContentAddress,
    "optional-store-path": types.MaybeStorePath,
    "realisation": types.RealisationJson,
    "realisation-with-deps": types.RealisationJson,
    "store-path": types.StorePath,
    "string": types.Text,
    "unkeyed-realisation": types.UnkeyedRealisation,
    "unkeyed-valid-path-info": serve.UnkeyedValidPathInfo,
}
"""What a golden file holds, by its name, with or without a version."""


def golden() -> list[Path]:
    try:
        return sorted(captures.shared("golden/nix-serve-protocol").glob("*.bin"))
    except captures.Missing:
        return []


def said_by_nix(name: str) -> list[Any]:
    """The values of a golden file as Nix has them."""
    if name == "build-options":
        return [
            {
                "maxSilentTime": 5,
                "buildTimeout": 6,
                "maxLogSize": 7,
                "nrRepeats": 8,
                "enforceDeterminism": 0,
                "keepFailed": True,
            }
        ]
    if name == "handshake-to-client":
        return [{"magic": 0x5452EECB, "version": 0x205}]
    raise KeyError(name)


def same(ours: Any, theirs: Any, version: str) -> None:
    """Hold our JSON to be the value that Nix's JSON is, as far as that version carries it."""
    if isinstance(theirs, str) and isinstance(ours, str):
        assert ours.removeprefix("/nix/store/") == theirs.removeprefix("/nix/store/")
    elif isinstance(theirs, dict) and isinstance(ours, str):
        if "hash" in theirs:  # a content address, whose hash is written otherwise
            method = {"text": "text:", "flat": "fixed:sha1:", "nar": "fixed:r:"}[theirs["method"]]
            assert ours.startswith(method)
            return
        assert json.loads(ours) == theirs
    elif isinstance(theirs, dict):
        renamed = {
            re.sub("[A-Z]", lambda m: "_" + m[0].lower(), key): theirs[key] for key in theirs
        }
        for key in ours.keys() & renamed.keys():
            if key != "built_outputs":
                same(ours[key], renamed[key], version)
        built = renamed.get("built_outputs", {})
        if "times_built" not in ours:
            return
        if version == "2.8":
            assert ours.get("outputs", {}).keys() == built.keys()
        elif version in ("2.6", "2.7"):
            names = [key.partition("!")[2] for key in ours["built_outputs"]]
            assert sorted(names) == sorted(built)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one_of_ours, one_of_theirs in zip(ours, theirs, strict=True):
            if isinstance(one_of_theirs, dict) and "keyName" in one_of_theirs:
                one_of_theirs = f"{one_of_theirs['keyName']}:{one_of_theirs['sig']}"
            same(one_of_ours, one_of_theirs, version)
    else:
        assert ours == theirs


@pytest.mark.parametrize("path", golden(), ids=lambda path: path.stem)
def test_a_golden_file_reads_as_its_values_and_writes_back(path: Path) -> None:
    met = re.fullmatch(r"(.*?)(?:-(2\.\d)(-compat)?)?", path.stem)
    assert met is not None
    version = met[2] or "2.8"
    protocol = Protocol.parse(version, families=(SERVE,))
    data = path.read_bytes()
    spoken = path.with_suffix(".json")
    values = json.loads(spoken.read_text()) if spoken.exists() else said_by_nix(met[1])
    values = values if isinstance(values, list) else [values]
    kind = KINDS.get(path.stem, KINDS.get(met[1]))
    wires = LISTS if path.stem == "vector" else [wire_of(kind)] * len(values)
    at = 0
    for wire, value in zip(wires, values, strict=True):
        found = tree(wire, data[at:], protocol)
        agree(wire, data[at : at + found.end], protocol)
        same(one(found).plain(), value, version)
        at += found.end
    assert at == len(data)


def test_build_options_are_those_of_their_version() -> None:
    options = serve.BuildOptions(
        max_silent_time=5,
        build_timeout=6,
        max_log_size=7,
        nr_repeats=8,
        enforce_determinism=0,
        keep_failed=True,
    )
    for minor, size in ((8, 48), (7, 48)):
        data = encode(wire_of(serve.BuildOptions), options, Protocol(minor, family=SERVE))
        assert len(data) == size
    with pytest.raises(EncodeError, match=r"keep_failed: does not exist before 2\.7"):
        encode(wire_of(serve.BuildOptions), options, Protocol(6, family=SERVE))
    for minor, words in ((0, 2), (2, 3), (3, 5), (6, 5), (7, 6)):
        data = encode(
            wire_of(serve.BuildOptions), serve.BuildOptions(), Protocol(minor, family=SERVE)
        )
        assert len(data) == 8 * words


def test_commands_have_numbers_of_their_own_beside_the_operations() -> None:
    commands = [each for each in OPERATIONS.values() if each.family is SERVE]
    assert [command.number for command in commands] == list(range(1, 10))
    assert all(command.name.startswith("serve.") for command in commands)
    others = {each.code: each for each in OPERATIONS.values() if each.family is WORKER}
    assert all(operation.code == operation.number for operation in others.values())
    for command in commands:
        assert command.code not in others
        assert SERVE.code(command.number) == command.code


INFO = serve.UnkeyedValidPathInfo(references=frozenset([PATH]), nar_size=120)
REPLIES = [
    serve.QueryPathInfos.Reply(infos=()),
    serve.QueryPathInfos.Reply(
        infos=(
            serve.ValidPathInfo(path=PATH, info=INFO),
            serve.ValidPathInfo(path=OTHER, info=INFO),
        )
    ),
    serve.BuildPaths.Reply(),
    serve.BuildPaths.Reply(failure=serve.Failure(status=100, error_msg="it failed")),
]


@pytest.mark.parametrize("minor", [3, 4, 8])
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__qualname__)
def test_replies_of_no_declared_length(reply: Any, minor: int) -> None:
    protocol = Protocol(minor, family=SERVE)
    wire = wire_of(type(reply))
    assert agree(wire, encode(wire, reply, protocol), protocol) == reply


def test_what_would_say_something_else_is_not_written() -> None:
    protocol = Protocol(8, family=SERVE)
    nameless = serve.QueryPathInfos.Reply(infos=(serve.ValidPathInfo(path="", info=INFO),))
    with pytest.raises(EncodeError, match=r"infos\.\[0\]: would end the list"):
        encode(wire_of(serve.QueryPathInfos.Reply), nameless, protocol)
    fine = serve.BuildPaths.Reply(failure=serve.Failure(status=0, error_msg=""))
    with pytest.raises(EncodeError, match="0 stands for none"):
        encode(wire_of(serve.BuildPaths.Reply), fine, protocol)
    with pytest.raises(DecodeError):
        decode(wire_of(serve.QueryPathInfos.Reply), b"", protocol)


def test_names_say_which_protocol_they_are_of() -> None:
    assert wire_called("serve.BuildResult") is wire_of(serve.BuildResult)
    assert wire_called("serve.StorePath") is wire_of(types.StorePath)
    assert family_called("serve.BuildPaths.reply") is SERVE
    assert family_called("BuildResult") is WORKER
    assert family_called("QueryReferrers.request") is WORKER
    assert family_called("BasicDerivation") is None
