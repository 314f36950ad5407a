"""Store paths: how they are written, and how they follow from what they name.

A path is the store directory, 32 nix32 digits and a name. The digits are a SHA-256, folded
to 160 bits, of a text that says what kind of path it is, the hash of what it holds, the
store directory and the name. Source: Nix `store-dir-config.cc`, `path.cc`, and the manual's
chapter on store paths.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterable

from pix.codec.wire import bytes_of, text_of
from pix.protocol.nix32 import ALPHABET, nix32
from pix.serving import Refusal
from pix_store.store.hashes import Digest, sha256
from pix_store.store.refusal import died, magenta, quoted, shown

DIGITS = 32
LONGEST_NAME = 211
_NAME = frozenset((string.ascii_letters + string.digits + "+-._?=").encode())
_DIGITS = frozenset(ALPHABET)


def check_name(name: str) -> None:
    """Raise Refusal for what cannot be the name of a store path."""
    if not name:
        raise Refusal("name must not be empty")
    if len(name) > LONGEST_NAME:
        raise Refusal(
            f"name {quoted(name)} must be no longer than {magenta(LONGEST_NAME)} characters"
        )
    first, dash, _ = name.partition("-")
    if first in (".", ".."):
        why = f": first dash-separated component must not be {quoted(first)}" if dash else ""
        raise Refusal(f"name {quoted(name)} is not valid{why}")
    for byte in bytes_of(name):
        if byte not in _NAME:
            illegal = quoted(text_of(bytes((byte,))))
            raise Refusal(f"name {quoted(name)} contains illegal character {illegal}")


class StorePaths:
    """The paths of one store directory."""

    def __init__(self, directory: str = "/nix/store") -> None:
        self.directory = directory

    def full(self, base: str) -> str:
        """Return the full path of a base name."""
        return f"{self.directory}/{base}"

    def base(self, path: str) -> str:
        """Return the base name of a full path.

        Raises Refusal, which ends the connection as with Nix, for what is not a store path.
        """
        if not path:
            raise died("a store path is empty")
        if not path.startswith("/"):
            raise Refusal(f"not an absolute path: {shown(path)}", ends=True)
        path = os.path.normpath(f"/{path.lstrip('/')}")
        parent, _, base = path.rpartition("/")
        if parent != self.directory:
            raise Refusal(f"path {shown(path)} is not in the Nix store", ends=True)
        try:
            self.check_base(base)
        except Refusal as refusal:
            raise Refusal(refusal.message, ends=True) from None
        return base

    def check_base(self, base: str) -> None:
        """Raise Refusal for what is not a base name of a store path."""
        digits, name = base[:DIGITS], name_of(base)
        if len(base) <= DIGITS:
            raise Refusal(f"{quoted(base)} is too short to be a valid store path")
        if not _DIGITS.issuperset(digits):
            wrong = next(digit for digit in digits if digit not in _DIGITS)
            raise Refusal(
                f"store path {quoted(base)} contains illegal base-32 character {quoted(wrong)}"
            )
        try:
            check_name(name)
        except Refusal as refusal:
            raise Refusal(
                f"path {quoted(base)} is not a valid store path: {refusal.message}"
            ) from None

    def make(self, kind: str, inner: Digest, name: str) -> str:
        """Return the full path of that kind, inner hash and name. Raises Refusal."""
        text = f"{kind}:{inner.algorithm}:{inner.hex}:{self.directory}:{name}"
        base = f"{nix32(folded(sha256(bytes_of(text)).raw))}-{name}"
        self.check_base(base)
        return self.full(base)

    def text(self, digest: Digest, name: str, references: Iterable[str] = ()) -> str:
        """Return the path of a text with that SHA-256, which refers to full paths."""
        return self.make(":".join(["text", *sorted(references)]), digest, name)

    def fixed(
        self,
        method: str,
        digest: Digest,
        name: str,
        references: Iterable[str] = (),
        refers_to_itself: bool = False,
    ) -> str:
        """Return the path of contents with that hash; `method` is "", "r:" or "git:".

        Raises Refusal for references that such a path cannot have.
        """
        others = sorted(references)
        if method == "r:" and digest.algorithm == "sha256":
            own = ["self"] if refers_to_itself else []
            return self.make(":".join(["source", *others, *own]), digest, name)
        if others or refers_to_itself:
            raise Refusal(
                f"fixed output derivation {quoted(name)} is not allowed to refer to other store"
                " paths.\nYou may need to use the 'unsafeDiscardReferences' derivation attribute,"
                " see the manual for more details."
            )
        inner = sha256(f"fixed:out:{method}{digest.algorithm}:{digest.hex}:".encode())
        return self.make("output:out", inner, name)

    def output(self, inner: Digest, drv_name: str, output: str) -> str:
        """Return the path of an output of a derivation with that hash."""
        return self.make(f"output:{output}", inner, output_name(drv_name, output))


def output_name(drv_name: str, output: str) -> str:
    """Return the name of an output's path: `hello`, or `hello-dev`."""
    return drv_name if output == "out" else f"{drv_name}-{output}"


def name_of(base: str) -> str:
    """Return the name part of a base name."""
    return base[DIGITS + 1 :]


def folded(raw: bytes, size: int = 20) -> bytes:
    """Return bytes folded to `size` by exclusive or."""
    out = bytearray(size)
    for i, byte in enumerate(raw):
        out[i % size] ^= byte
    return bytes(out)
