from __future__ import annotations

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.records import Record
from pix.codec.values import decode, encode, tree
from pix.protocol import STDERR_FRAMES
from pix.protocol.logging import (
    STDERR_ERROR,
    ActivityType,
    ResultType,
    StderrError,
    StderrResult,
    StderrStartActivity,
)
from pix.protocol.types import Trace, Verbosity, verbosity_name


def test_codes_are_the_names_of_nix_in_ascii() -> None:
    text = {frame.name: code.to_bytes(4, "big") for code, frame in STDERR_FRAMES.items()}
    assert text == {
        "STDERR_NEXT": b"olmg",
        "STDERR_READ": b"data",
        "STDERR_WRITE": b"dat\x16",
        "STDERR_LAST": b"alts",
        "STDERR_ERROR": b"cxtp",
        "STDERR_START_ACTIVITY": b"STRT",
        "STDERR_STOP_ACTIVITY": b"STOP",
        "STDERR_RESULT": b"RSLT",
    }


def test_error_before_and_since_1_26() -> None:
    fields = STDERR_FRAMES[STDERR_ERROR].fields
    assert [f.name for f in fields.layout(Protocol(25))] == ["message", "status"]
    new = [f.name for f in fields.layout(Protocol(26))]
    assert new == ["type", "level", "name", "message", "have_pos", "traces"]
    error = StderrError(message="no", traces=(Trace(hint="while"),), level=Verbosity.WARN)
    raw = encode(fields, error, Protocol(26))
    assert decode(fields, raw, Protocol(26)) == error


def test_numbers_of_activities_and_results() -> None:
    assert [a.value for a in ActivityType] == [0, *range(100, 114)]
    assert [r.value for r in ResultType] == [*range(100, 111)]
    assert ActivityType.BUILD.label == "Build"
    assert ActivityType.FETCH_TO_STORE.label == "FetchToStore"
    assert ResultType.BUILD_LOG_LINE.label == "BuildLogLine"


def test_unknown_types_and_fields_are_data() -> None:
    for frame in (
        StderrStartActivity(id=1, level=99, type=4711, text="?", fields=(1, "two", 3), parent=7),
        StderrResult(id=(1 << 64) - 1, type=4711, fields=("x",) * 9),
    ):
        wire = wire_of(type(frame))
        assert isinstance(wire, Record)
        raw = encode(wire, frame, Protocol(38))
        assert decode(wire, raw, Protocol(38)) == frame
        (node,) = tree(wire, raw, Protocol(38)).nodes
        kind = node.find("type")
        assert kind is not None
        assert kind.value == 4711
        assert kind.irregular is not None


@pytest.mark.parametrize(
    ("level", "release", "name"),
    [
        (0, "1.11.16", "Error"),
        (1, "2.2", "Info"),
        (1, "2.3.7", "Warn"),
        (2, "2.3.7", "Info"),
        (3, "2.4", "Info"),
        (7, "2.34.8", "Vomit"),
        (5, "2.1", "Vomit"),
        (9, "2.34.8", "9"),
        (1, None, "Warn"),
        (3, "3.0", "Info"),
    ],
)
def test_verbosity_is_counted_as_the_sender_does(level: int, release: str, name: str) -> None:
    assert verbosity_name(level, release) == name
