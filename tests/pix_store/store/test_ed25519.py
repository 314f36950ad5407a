"""Signatures that are right, and the many ways in which one is not."""

from __future__ import annotations

import pytest

from pix_store.store.ed25519 import ORDER, P, is_key_pair, verify

# RFC 8032, 7.1: public key, message, signature
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
        "6bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d"
        "8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6"
        "594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feeb"
        "bd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0"
        "303dca179c138ac17ad9bef1177331a704",
    ),
]
KEY, MESSAGE, SIGNATURE = (bytes.fromhex(text) for text in VECTORS[2])
SMALL = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (P - 1).to_bytes(32, "little"),
    (1 << 255).to_bytes(32, "little"),
]
"""Points that eight times added to themselves are nothing, and one that there is not."""


@pytest.mark.parametrize("vector", VECTORS)
def test_signatures_of_the_standard(vector: tuple[str, str, str]) -> None:
    key, message, signature = map(bytes.fromhex, vector)
    assert verify(key, message, signature)
    assert not verify(key, message + b"\0", signature)
    assert not verify(KEY if vector is not VECTORS[2] else key[::-1], message, signature)


def test_every_bit_counts() -> None:
    for bit in range(0, 512, 7):
        changed = bytearray(SIGNATURE)
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify(KEY, MESSAGE, bytes(changed)), bit
    for bit in range(0, 256, 7):
        changed = bytearray(KEY)
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify(bytes(changed), MESSAGE, SIGNATURE), bit


def test_the_scalar_is_the_smallest_one() -> None:
    scalar = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    assert not verify(KEY, MESSAGE, SIGNATURE[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("key", SMALL)
def test_a_key_of_small_order_vouches_for_nothing(key: bytes) -> None:
    for first in SMALL:
        assert not verify(key, MESSAGE, first + bytes(32))


def test_numbers_that_are_not_reduced_are_not_points() -> None:
    for number in (P, P + 1, (1 << 255) - 1):
        assert not verify(number.to_bytes(32, "little"), MESSAGE, SIGNATURE)
        assert not verify(KEY, MESSAGE, number.to_bytes(32, "little") + SIGNATURE[32:])


@pytest.mark.parametrize("size", [0, 31, 33, 63, 65])
def test_sizes(size: int) -> None:
    assert not verify(KEY[:size].ljust(size, b"\0") if size != 32 else b"", MESSAGE, SIGNATURE)
    assert not verify(KEY, MESSAGE, SIGNATURE[:size].ljust(size, b"\0"))


def test_a_secret_key_is_told_from_a_signature() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex(VECTORS[0][0])
    assert is_key_pair(seed + public)
    assert not is_key_pair(public + seed)
    assert not any(is_key_pair(bytes.fromhex(signature)) for _, _, signature in VECTORS)
