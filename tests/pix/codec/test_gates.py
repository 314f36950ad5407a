from __future__ import annotations

import pytest

from pix.codec.gates import ALWAYS, NEWEST, Gate, Protocol, negotiate, version_text


def test_protocol_as_text_and_number() -> None:
    assert Protocol(38).text == "1.38"
    assert Protocol(38).number == 0x126
    assert str(Protocol(38, frozenset({"b", "a"}))) == "1.38 with a, b"
    assert version_text(0x126) == "1.38"
    assert Protocol(38) == NEWEST
    assert len({Protocol(38), Protocol(38, frozenset()), Protocol(37)}) == 2


def test_protocol_is_parsed() -> None:
    assert Protocol.parse("1.38") == Protocol(38)
    assert Protocol.parse(" 1.10\n", ("a",)) == Protocol(10, frozenset({"a"}))


@pytest.mark.parametrize(
    "text", ["", "1", "1.", "1.x", "2.3", "1.256", "1.-3", "1.38.0", "1.³", "v1.38"]
)
def test_what_is_no_version_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as 1\.38"):
        Protocol.parse(text)


CASES = [
    (ALWAYS, 10, 38, ""),
    (Gate(since=16), 16, 38, "since 1.16"),
    (Gate(until=25), 10, 24, "until 1.24"),
    (Gate(since=21, until=23), 21, 22, "1.21 to 1.22"),
]


@pytest.mark.parametrize(("gate", "first", "last", "text"), CASES)
def test_gate_admits_from_first_to_last(gate: Gate, first: int, last: int, text: str) -> None:
    admitted = [minor for minor in range(10, 39) if gate.admits(Protocol(minor))]
    assert admitted == list(range(first, last + 1))
    assert gate.text == text


def test_gates_of_features() -> None:
    gate, other = Gate(feature="f"), Gate(since=31, without="f")
    plain, with_it = Protocol(38), Protocol(38, frozenset({"f"}))
    assert (gate.admits(plain), gate.admits(with_it)) == (False, True)
    assert (other.admits(plain), other.admits(with_it)) == (True, False)
    assert (gate.text, other.text) == ("with feature f", "since 1.31, without feature f")
    assert gate.why_not(plain) == "needs the feature f (this is 1.38)"
    assert other.why_not(with_it) == "does not exist with the feature f (this is 1.38 with f)"
    assert other.why_not(Protocol(30)) == "does not exist before 1.31 (this is 1.30)"
    assert Gate(until=25).why_not(Protocol(25)) == "does not exist from 1.25 on (this is 1.25)"


@pytest.mark.parametrize(
    ("client", "daemon", "minor"),
    [
        (0x126, 0x126, 38),
        (0x126, 0x115, 21),
        (0x115, 0x126, 21),
        (0x130, 0x126, 38),
        (0x222, 0x122, 34),
        (0x200, 0x122, 0),
        (0x200, 0x126, 38),
        (0x26, 0x126, 38),
        (0x161, 0x163, 0x61),
    ],
)
def test_negotiation_is_what_daemons_do(client: int, daemon: int, minor: int) -> None:
    assert negotiate(client, daemon) == minor
