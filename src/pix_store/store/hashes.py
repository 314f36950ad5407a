"""Hashes as Nix writes them: algorithms, nix32, and the other notations that are read.

Source: Nix `hash.cc`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from pix.dataclass import dataclass
from pix.protocol.nix32 import from_nix32, nix32
from pix.serving import Refusal
from pix_store.store.refusal import not_enabled, quoted

SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
"""The algorithms, and how many bytes their digests have. blake3 is not in Python's library."""


def unknown_algorithm(name: str) -> Refusal:
    """Return the error for the name of a hash algorithm that there is not, or not here."""
    if name == "blake3":
        return not_enabled("blake3-hashes")
    known = "'blake3', 'md5', 'sha1', 'sha256', or 'sha512'"
    return Refusal(f"unknown hash algorithm {quoted(name)}, expect {known}")


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest and its algorithm."""

    algorithm: str
    raw: bytes

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.nix32}"

    @property
    def hex(self) -> str:
        """The digest in lower-case hexadecimal digits."""
        return self.raw.hex()

    @property
    def nix32(self) -> str:
        """The digest as content addresses have it."""
        return nix32(self.raw)

    @property
    def sri(self) -> str:
        """The digest as messages have it: `sha256-` and base64."""
        return f"{self.algorithm}-{base64.b64encode(self.raw).decode()}"

    @classmethod
    def parse(cls, text: str, algorithm: str | None = None) -> Digest:
        """Return the digest that `text` writes, in any of Nix's notations.

        A prefix (`sha256:` or `sha256-`) names the algorithm, else `algorithm` does. Raises
        Refusal.
        """
        rest, sri = text, False
        for mark in ":-":
            prefix, found, after = text.partition(mark)
            if found and mark == ":" and algorithm is None and prefix not in SIZES:
                raise unknown_algorithm(prefix)
            if found and prefix in SIZES:
                if algorithm is not None and prefix != algorithm:
                    raise Refusal(
                        f"hash '{text}' should have type '{algorithm}' but has '{prefix}'"
                    )
                algorithm, rest, sri = prefix, after, mark == "-"
                break
        if algorithm is None:
            raise Refusal(f"hash '{text}' does not include a type")
        if algorithm not in SIZES:
            raise unknown_algorithm(algorithm)
        size = SIZES[algorithm]
        try:
            if not sri and len(rest) == 2 * size:
                return cls(algorithm, bytes.fromhex(rest))
            if not sri and len(rest) == (size * 8 + 4) // 5:
                return cls(algorithm, from_nix32(rest))
            raw = base64.b64decode(rest, validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        if len(raw) != size:
            raise Refusal(f"hash '{rest}' has wrong length for hash algorithm '{algorithm}'")
        return cls(algorithm, raw)


def sha256(data: bytes) -> Digest:
    """Return the SHA-256 of some bytes."""
    return Digest("sha256", hashlib.sha256(data).digest())
