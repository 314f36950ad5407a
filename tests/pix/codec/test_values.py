"""One value to bytes and back."""

from __future__ import annotations

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.values import decode, encode, tree
from pix.protocol.types import Text

V38 = Protocol(38)
TEXT = wire_of(Text)


def test_left_over_bytes_are_an_error_for_decode_only() -> None:
    raw = encode(TEXT, "abc", V38)
    with pytest.raises(DecodeError, match="1 more byte"):
        decode(TEXT, raw + b"x", V38)
    assert tree(TEXT, raw + b"x", V38).end == len(raw)
