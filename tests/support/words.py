"""What is said in bytes, where a test says it by hand; and whom it is said of."""

from __future__ import annotations

HASH = "00000000000000000000000000000000"
PATH = f"/nix/store/{HASH}-hello-2.12"
OTHER = "/nix/store/0000000000000000000000000000000z-glibc-2.40"

LAST = 0x616C7473
"""The number of STDERR_LAST."""


def word(n: int) -> bytes:
    return n.to_bytes(8, "little")


def text(raw: bytes) -> bytes:
    return word(len(raw)) + raw + bytes(-len(raw) & 7)
