"""Bytes as they come: values, payload and the end, whatever the cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.cursor import Limits
from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError, Lost
from pix.codec.gates import NEWEST
from pix.codec.incoming import Incoming
from pix.codec.payload import framed
from pix.codec.values import encode
from pix.codec.wire import pack_string, pack_u64
from pix.protocol.types import StorePath
from tests.support.nars import nar

PATHS = frozenset({"/nix/store/" + "a" * 32 + "-x", "/nix/store/" + "b" * 32 + "-long-name"})
NAR = nar({b"a": b"x" * 100, b"run": ("executable", b"#")})
SET = wire_of(frozenset[StorePath])


def coming(
    data: bytes, cut: int, limits: Limits | None = None, longest: int | None = None
) -> Incoming:
    pieces: Iterator[bytes] = (data[i : i + cut] for i in range(0, len(data), cut))
    return Incoming(lambda: next(pieces, b""), lambda: Lost("early"), limits, longest)


@given(st.integers(1, 60), st.lists(st.binary(max_size=30), max_size=4))
def test_everything_is_found_in_its_order_however_it_is_cut(cut: int, frames: list[bytes]) -> None:
    frames = [frame for frame in frames if frame]
    data = (
        pack_u64(7)
        + encode(SET, PATHS, NEWEST)
        + NAR
        + b"".join(pack_u64(len(frame)) + frame for frame in frames)
        + bytes(8)
        + pack_string(b"abc")
        + b"rest"
    )
    incoming = coming(data, cut)
    assert not incoming.over()
    assert incoming.word() == 7
    assert incoming.value(SET, NEWEST) == PATHS
    assert b"".join(incoming.nar()) == NAR
    assert b"".join(incoming.frames()) == b"".join(frames)
    assert incoming.take(incoming.cursor.text(3)) == pack_string(b"abc")
    assert b"".join(incoming.rest()) == b"rest"
    assert incoming.over()


READINGS: list[tuple[bytes, Callable[[Incoming], object]]] = [
    (pack_u64(1), Incoming.word),
    (encode(SET, PATHS, NEWEST), lambda incoming: incoming.value(SET, NEWEST)),
    (NAR, lambda incoming: list(incoming.nar())),
    (b"".join(framed(b"content")), lambda incoming: list(incoming.frames())),
]


@pytest.mark.parametrize("cut", [1, 7, 1 << 16])
def test_an_early_end_is_the_error_that_was_asked_for(cut: int) -> None:
    for whole, read in READINGS:
        read(coming(whole, cut))
        for length in (0, 5, len(whole) - 1):
            with pytest.raises(Lost, match="early"):
                read(coming(whole[:length], cut))


def test_a_value_may_be_too_long() -> None:
    with pytest.raises(DecodeError, match="a value of at most 50 bytes"):
        coming(encode(SET, PATHS, NEWEST), 8, longest=50).value(SET, NEWEST)
    with pytest.raises(DecodeError, match="the length of a string, at most 10"):
        coming(encode(SET, PATHS, NEWEST), 8, Limits(string=10)).value(SET, NEWEST)


def test_an_error_word_in_a_nar_is_no_nar() -> None:
    with pytest.raises(DecodeError, match="found a STDERR_ERROR word"):
        list(coming(NAR[:-16] + pack_u64(0x63787470) + bytes(64), 8).nar())
