"""Repairs: nothing is mended that is right, whatever the bytes are, and it does not take long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.declare import OPERATIONS
from pix.codec.gates import Protocol
from pix.codec.values import encode, tree
from pix_inspect.forensics import messages, repairs
from pix_inspect.forensics.messages import Message, fits
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.forensics.repairs import MOST_BYTES, explained
from tests.support.strategies import PROTOCOLS, RECORDS, values
from tests.support.words import text, word

NAMES = sorted(RECORDS)
V38 = Protocol(38)
PATHS = OPERATIONS[31].request
"""QueryValidPaths: a list of paths and a boolean."""


@given(st.data())
def test_what_is_right_is_not_mended(data: st.DataObject) -> None:
    record = RECORDS[data.draw(st.sampled_from(NAMES))]
    protocol = data.draw(PROTOCOLS)
    value = data.draw(values(record, protocol))
    message = Message(record, encode(record, value, protocol), protocol)
    if fits(message):  # all but numbers that have no name
        assert explained(message) is None


@given(st.sampled_from(NAMES), PROTOCOLS, st.binary(max_size=200))
def test_any_bytes_are_looked_at(name: str, protocol: Protocol, data: bytes) -> None:
    found = explained(Message(RECORDS[name], data, protocol, 1 << 40))
    assert found is None or found.mistake


@pytest.mark.parametrize(
    "data",
    [
        word(1 << 62),
        word(8000) + word(0) * 8000,
        word(8000) + (word(3) + b"abcdefgh") * 4000,
        word(0x100000000) * 8000,
        b"\x05\0\0\0abcde" * 7000,
    ],
    ids=["a count beyond all", "many", "unpadded", "turned round", "narrow"],
)
def test_hostile_messages_are_read_so_often_and_no_more(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(data) < MOST_BYTES
    read = 0

    def counted(*args: object, **options: object) -> object:
        nonlocal read
        read += len(args[1])  # type: ignore[arg-type]
        return tree(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(messages, "tree", counted)
    explained(Message(PATHS, data, V38))
    assert read < 40 * repairs.MOST_WORK


def test_a_writer_that_never_pads() -> None:
    said = word(3) + b"".join(word(len(t)) + t for t in (b"abc", b"/nix/store/x", b"z")) + word(0)
    found = explained(Message(PATHS, said, V38, 100, "request"))
    assert found is not None
    assert found.mistake is Mistake.MISSING_PADDING
    assert found.where == "request.paths.0 ends at byte 119"


PATH_INFO = OPERATIONS[26].reply
"""QueryPathInfo: a path's fields, if there are any."""


@pytest.mark.parametrize(
    "said",
    [
        # a text without its padding, or the boolean behind it in four bytes
        word(1) + text(b"/nix/store/abcdefghi"[:20]) + bytes(4),
        # no count of signatures, or nothing where another number should be
        word(1)
        + text(b"")
        + text(b"ab" * 32)
        + word(0)
        + word(0)
        + word(120)
        + word(1)
        + text(b"cache.example-1:c2ln")
        + text(b""),
    ],
    ids=["four zeros", "a word"],
)
def test_what_two_mistakes_explain_is_neither(said: bytes) -> None:
    wire = PATHS if len(said) < 50 else PATH_INFO
    assert explained(Message(wire, said, V38, 0, "reply")) is None


def test_what_cannot_be_explained() -> None:
    assert explained(Message(PATHS, word(1) + text(b"x") + word(2) + b"abc", V38)) is None
