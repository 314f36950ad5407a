from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.protocol.nix32 import from_nix32, nix32
from pix.serving import Refusal
from pix_store.store.hashes import SIZES, Digest, sha256

HEX = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
NIX32 = "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"


def test_the_hash_of_abc() -> None:
    assert sha256(b"abc").hex == HEX
    assert sha256(b"abc").nix32 == NIX32
    assert sha256(b"abc").sri == "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="


@given(st.binary(max_size=70))
def test_nix32_is_reversible(raw: bytes) -> None:
    assert from_nix32(nix32(raw)) == raw


@given(st.sampled_from(sorted(SIZES)), st.binary(max_size=20))
def test_every_notation_is_read(algorithm: str, data: bytes) -> None:
    raw = hashlib.new(algorithm, data).digest()
    digest = Digest(algorithm, raw)
    for text in (digest.hex, digest.nix32, base64.b64encode(raw).decode()):
        assert Digest.parse(text, algorithm) == digest
        assert Digest.parse(f"{algorithm}:{text}") == digest
    assert Digest.parse(digest.sri) == digest


@pytest.mark.parametrize(
    ("text", "algorithm", "why"),
    [
        ("", "sha256", "wrong length"),
        ("zz" * 32, "sha256", "wrong length"),
        (HEX[:-1], "sha256", "wrong length"),
        (HEX, None, "does not include a type"),
        (f"sha1:{HEX}", "sha256", "should have type 'sha256'"),
        (HEX, "md4", "unknown hash algorithm .*md4.*, expect 'blake3'"),
        (f"md4:{HEX}", None, "unknown hash algorithm"),
        (HEX, "blake3", "blake3-hashes"),
        ("u" * 52, "sha256", "wrong length"),
        ("z" * 52, "sha256", "wrong length"),
    ],
)
def test_what_is_no_digest(text: str, algorithm: str | None, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        Digest.parse(text, algorithm)
