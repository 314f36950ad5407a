"""`decode` and `encode` from the command line: golden files there and back, and what is wrong."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pix.codec.wire import pack_u64
from pix.protocol.names import names
from pix_inspect.cli import main
from tests.support.golden import Golden
from tests.support.readings import golden_names
from tests.support.words import text

TYPES = {
    "BuildMode": "BuildMode",
    "BuildResult": "BuildResult",
    "DerivedPath": "DerivedPath",
    "DrvOutput (path form)": "DrvOutput",
    "DrvOutput (hash form)": "DrvOutputText",
    "UnkeyedValidPathInfo": "UnkeyedValidPathInfo",
    "ValidPathInfo": "ValidPathInfo",
    "optional ContentAddress": "MaybeContentAddress",
    "optional StorePath": "MaybeStorePath",
    "Realisation (path form: DrvOutput then UnkeyedRealisation)": "Realisation",
    "string": "String",
}


class Ran:
    """What a command came to."""

    def __init__(self, status: int, out: bytes, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def values(self) -> list[Any]:
        return [json.loads(line) for line in self.out.decode("ascii").splitlines()]


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def run(*words: str, data: bytes = b"", output: type[io.TextIOWrapper] = io.TextIOWrapper) -> Ran:
    """Run a command line on standard input and return what it came to."""
    out, err = output(io.BytesIO(), "utf-8"), io.StringIO()
    with pytest.MonkeyPatch.context() as here:
        here.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        here.setattr(sys, "stdout", out)
        here.setattr(sys, "stderr", err)
        status = main(list(words))
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    return Ran(status, out.buffer.getvalue(), err.getvalue())


def string(said: str) -> bytes:
    return text(said.encode())


def kinds(entry: dict[str, Any]) -> list[tuple[str, int]]:
    """Type names for the values of a golden file, each with how many there are of it."""
    kind = entry["type"]
    if kind == "tuple of set<string> x3, set<set<string>>":
        return [("Set<String>", 3), ("Set<Set<String>>", 1)]
    if kind == "tuple of list<string> x3, list<list<string>>":
        return [("List<String>", 3), ("List<List<String>>", 1)]
    tuple_of = re.fullmatch(r"tuple of (\d+) (.*)", kind)
    count, name = (int(tuple_of[1]), tuple_of[2]) if tuple_of else (1, kind)
    if name.startswith("Realisation (JSON string form"):
        return [("RealisationJson", count)]
    return [(TYPES[name], count)] if name in TYPES else []


@pytest.mark.parametrize("name", golden_names(nar=False))
def test_golden_file_there_and_back(
    golden_values: tuple[Golden, ...], name: str, tmp_path: Path
) -> None:
    (case,) = (file for file in golden_values if file.name == name)
    parts = kinds(case.entry)
    if not parts:
        assert case.entry["type"].endswith("ClientHandshakeInfo")  # no declared type of its own
        return
    version = ["--version", case.entry["protocol"], "--features", ",".join(case.entry["features"])]
    at = 0
    for i, (kind, count) in enumerate(parts):
        file = tmp_path / f"{i}.bin"
        file.write_bytes(case.data[at:])
        options = [*version, "--count", str(count)]
        last = i == len(parts) - 1
        found = run("decode", kind, str(file), "--format", "json", *options)
        assert found.status == (0 if last else 2), found.err
        assert len(found.values) == count
        back = run("encode", kind, "-", *options, data=found.out)
        assert back.status == 0, back.err
        assert case.data[at:].startswith(back.out)
        text = run("decode", kind, str(file), *options)
        ends = re.findall(rb"^\[ *(\d+), *(\d+)\)", text.out, re.MULTILINE)
        assert max(int(end) for _, end in ends) == len(back.out)
        at += len(back.out)
    assert at == len(case.data)


# text


def test_text_shows_offsets_names_and_notes() -> None:
    data = pack_u64(3) + string("no\x1b[31m luck\n") + bytes(8) + pack_u64(7) + bytes(24)
    found = run("decode", "BuildResult", "-", "--version", "1.29", data=data)
    assert found.status == 0
    assert found.out.decode().splitlines() == [
        "[ 0, 72)  BuildResult",
        "[ 0,  8)    status: PermanentFailure (3)",
        '[ 8, 32)    error_msg: "no␛[31m luck\\n"',
        "[32, 40)    times_built: 0",
        "[40, 48)    is_non_deterministic: true  ! 7 is not a canonical boolean",
        "[48, 56)    start_time: 0",
        "[56, 64)    stop_time: 0",
        "[64, 72)    built_outputs: 0 elements",
    ]


def test_text_of_a_request_with_payload() -> None:
    data = pack_u64(45) + string("x.drv") + pack_u64(3) + b"log" + pack_u64(0)
    found = run("decode", "AddBuildLog.request", "-", data=data)
    assert found.out.decode().splitlines() == [
        "[ 0, 43)  AddBuildLog.request",
        "[ 0,  8)    operation: 45 (AddBuildLog)",
        '[ 8, 24)    drv: "x.drv"',
        "[24, 43)    log: 3 bytes of payload in 1 part",
    ]


def test_json_of_a_request_with_payload_and_strange_bytes() -> None:
    data = pack_u64(45) + pack_u64(1) + b"\xff" + bytes(7) + pack_u64(3) + b"log" + pack_u64(0)
    found = run("decode", "AddBuildLog.request", "-", "--format", "json", data=data)
    assert found.out == b'{"drv": "\\udcff", "log": "bG9n"}\n'
    assert run("encode", "AddBuildLog.request", "-", data=found.out).out == data


def test_many_values() -> None:
    data = b"".join(map(pack_u64, (0, 2, 9)))
    found = run("decode", "BuildMode", "-", "--count", "all", "--format", "json", data=data)
    assert found.values == ["Normal", "Check", 9]
    assert run("encode", "BuildMode", "-", data=found.out).out == data
    assert run("encode", "BuildMode", "-", "--count", "3", data=found.out).out == data


# what is wrong


@pytest.mark.parametrize(
    ("words", "data", "message"),
    [
        (["BuildReslt", "-"], b"", "no type is called 'BuildReslt'; did you mean BuildResult"),
        (["xyzzy", "-"], b"", "`pix-inspect explain` lists the names"),
        (["Bool", "/nowhere"], b"", "cannot read /nowhere: No such file or directory"),
        (["Bool", "-", "--version", "2"], b"", "'2' is not a protocol version"),
        (["Bool", "-", "--version", "1.9"], b"", "1.9 is older than 1.10"),
        (["Bool", "-", "--features", "provenanc"], b"", "no feature is called 'provenanc'; known"),
        (["Bool", "-", "--count", "0"], b"", "--count 0: write a number from 1 on, or all"),
        (["Bool", "-"], b"", "standard input: Bool at byte 0: expected Bool (Bool), found the end"),
        (["Bool", "-"], bytes(24), "16 bytes left over from byte 8 on: --count"),
        (["Bool", "-", "--count", "3"], bytes(20), "value 3, Bool at byte 16"),
        (["Nothing", "-", "--count", "all"], b"x", "Nothing takes no bytes in 1.38"),
        (
            ["BuildResult", "-", "--version", "1.37"],
            bytes(48) + pack_u64(7),
            "at byte 48: expected the tag 0 or 1, found 7; read as 1.37: check the type",
        ),
        (
            ["ValidPathInfo", "-"],
            string("x") + string("y") + pack_u64(99) + b"z",
            "ValidPathInfo.info at byte 32: expected nar_hash",
        ),
        (["IsValidPath.request", "-"], pack_u64(26), "the operation 1 (IsValidPath)"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words: list[str], data: bytes, message: str) -> None:
    found = run("decode", *words, data=data)
    assert found.status == 2
    assert found.err.startswith("pix-inspect: ")
    assert found.err.count("\n") == 1
    assert message in found.err


def test_text_goes_as_far_as_the_bytes_do() -> None:
    found = run("decode", "ValidPathInfo", "-", data=string("/nix/store/x") + string("d"))
    assert found.status == 2
    assert found.out.decode().splitlines() == [
        "[ 0,  …)  ValidPathInfo",
        '[ 0, 24)    path: "/nix/store/x"',
        "[24,  …)    info",
        '[24, 40)      deriver: "d"',
    ]


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("Bool", b"{", "line 1, column 2: not JSON"),
        ("Bool", b"\xff", "byte 0 is not UTF-8"),
        ("Bool", b"", "0 values, wanted one at least"),
        ("Bool", b"true\n7", "value 2: Bool: expected Bool, got int 7; it takes true or false"),
        ("BuildMode", b'"Nrmal"', "'Nrmal' is not a value of BuildMode (Normal, Repair, Check)"),
        ("ValidPathInfo", b'{"path": "x", "info": {"deriver": 7}}', "info.nar_hash"),
        ("QueryPathInfo", b'{"path": 7}', "QueryPathInfo: path: expected StorePath, got int 7"),
        ("QueryPathInfo", b'{"pth": "x"}', "pth: no such field in QueryPathInfo (path)"),
        ("AddToStore.request", b'{"name": "x"}', "dump: is needed"),
        ("Map<String, Bool>", b"[1]", ", got list [1]"),
        ("SingleDerivedPath", b'{"path": "x", "outputs": 7}', "expected a SingleDerivedPath"),
        ("NarFromPath.reply", b'{"nar": "aGk="}', "nar: not a NAR: at byte 2"),
        ("Bool", b"[" * 100_000, "JSON that cannot be read"),
        ("U64", b"1" * 5000, "JSON that cannot be read"),
    ],
)
def test_bad_json_is_one_line_and_status_2(kind: str, data: bytes, message: str) -> None:
    found = run("encode", kind, "-", data=data)
    assert (found.status, found.out) == (2, b"")
    assert found.err.count("\n") == 1
    assert message in found.err


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_file_without_end_is_refused(command: str) -> None:
    found = run(command, "U64", "/dev/zero")
    assert found.err == "pix-inspect: cannot read /dev/zero: longer than 268,435,456 bytes\n"


def test_a_value_in_the_place_of_a_file_is_known() -> None:
    found = run("encode", "U64", '"x"')
    assert found.err.endswith("""- reads standard input: echo '"x"' | …\n""")
    assert "standard input" not in run("encode", "U64", "x").err


def test_what_the_version_cannot_carry_is_said() -> None:
    values = b'{"name": "x", "repair": true, "dump": ""}'
    found = run("encode", "AddToStore.request", "-", "--version", "1.24", data=values)
    assert found.status == 2
    assert "AddToStore.request: repair: does not exist before 1.25 (this is 1.24)" in found.err


def test_count_of_encode_is_held_to() -> None:
    assert run("encode", "Bool", "-", "--count", "all", data=b"true false").status == 0
    found = run("encode", "Bool", "-", "--count", "3", data=b"true false")
    assert (found.status, found.out) == (2, b"")
    assert "2 values, wanted 3" in found.err


def test_bytes_are_not_for_a_terminal() -> None:
    found = run("encode", "Bool", "-", data=b"true", output=Terminal)
    assert (found.status, found.out) == (2, b"")
    assert "not for a terminal" in found.err


def test_bytes_that_encode_cannot_give_back_are_announced() -> None:
    found = run("decode", "Bool", "-", "--format", "json", data=pack_u64(5))
    assert (found.status, found.values) == (0, [True])
    assert "value 1: encode will not give these bytes back: byte 0 is not as Nix" in found.err
    found = run("decode", "Time", "-", "--format", "json", data=pack_u64(1 << 63))
    assert found.status == 0
    assert "does not fit Time" in found.err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["path", "info", "outputs", "name", "dump", "paths", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
VERSIONS = st.sampled_from(["1.10", "1.20", "1.22", "1.29", "1.38"])


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=400)
@given(name=st.sampled_from(names()), version=VERSIONS, value=JSON)
def test_any_json_is_bytes_or_one_line(name: str, version: str, value: Any) -> None:
    found = run("encode", name, "-", "--version", version, data=json.dumps(value).encode())
    assert found.status in (0, 2)
    assert found.err.count("\n") == (found.status == 2)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=400)
@given(
    name=st.sampled_from(names()), version=VERSIONS, words=st.lists(st.integers(0, 70), max_size=30)
)
def test_any_bytes_are_values_or_one_line(name: str, version: str, words: list[int]) -> None:
    data = b"".join(map(pack_u64, words))
    for form in ("text", "json"):
        found = run("decode", name, "-", "--version", version, "--format", form, data=data)
        assert found.status in (0, 2)
        assert len(re.findall("^pix-inspect: ", found.err, re.MULTILINE)) <= 2


def test_encode_as_json_says_the_bytes_also_on_a_terminal() -> None:
    (found,) = run("encode", "U64", "-", "--json", data=b"5 6", output=Terminal).values
    assert found == {
        "type": "U64",
        "protocol": "1.38",
        "values": 2,
        "bytes": 16,
        "hex": (pack_u64(5) + pack_u64(6)).hex(),
    }
