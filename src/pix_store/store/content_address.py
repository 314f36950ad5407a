"""Paths that follow from contents: text, flat, NAR and git.

Source: Nix `content-address.cc`, `file-content-address.cc`, `git.cc`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pix.codec.nar import Entry
from pix.codec.wire import bytes_of
from pix.dataclass import dataclass
from pix.serving import Refusal
from pix_store.store.hashes import SIZES, Digest, unknown_algorithm
from pix_store.store.refusal import magenta, quoted
from pix_store.store.spool import Spool
from pix_store.store.store_paths import StorePaths
from pix_store.store.trees import entries

PREFIXES = {"text:": "text:", "git:": "fixed:git:", "r:": "fixed:r:", "": "fixed:"}
"""What a derivation calls a method, and how a content address begins."""


@dataclass(frozen=True, slots=True)
class Method:
    """How a path follows from its contents: `kind` is "", "r:", "git:" or "text:"."""

    kind: str
    algorithm: str

    @property
    def takes_nar(self) -> bool:
        """Whether it is told as a NAR; else as the bytes of one file."""
        return self.kind in ("r:", "git:")

    @classmethod
    def of_derivation(cls, text: str) -> Method:
        """Return what a derivation's output writes as `r:sha256`. Raises Refusal."""
        for kind in ("text:", "git:", "r:"):
            if text.startswith(kind):
                return cls._checked(kind, text.removeprefix(kind)).with_sha256()
        return cls._checked("", text)

    @classmethod
    def parse(cls, text: str) -> Method:
        """Return what AddToStore writes as `fixed:r:sha256`. Raises Refusal."""
        prefix, colon, rest = text.partition(":")
        if prefix not in ("text", "fixed"):
            raise Refusal(
                f"content address prefix {quoted(prefix)} is unrecognized. Recogonized prefixes"
                " are 'text' or 'fixed'"
            )
        if not colon:
            raise Refusal(
                "content address hash must be in form '<algo>:<hash>', but found:"
                f" {magenta(text + ':')}"
            )
        return cls._checked("text:", rest) if prefix == "text" else cls.of_derivation(rest)

    @classmethod
    def _checked(cls, kind: str, algorithm: str) -> Method:
        algorithm = algorithm.partition(":")[0]
        if algorithm not in SIZES:
            raise unknown_algorithm(algorithm)
        if kind == "git:" and algorithm not in ("sha1", "sha256"):
            raise Refusal("Git file ingestion must use SHA-1 or SHA-256 hash")
        return cls(kind, algorithm)

    def with_sha256(self) -> Method:
        """Return the same, which for a text has to be that of SHA-256. Raises Refusal."""
        if self.kind == "text:" and self.algorithm != "sha256":
            raise Refusal(
                f"text content address hash should use {magenta('sha256')}, but instead uses"
                f" {magenta(self.algorithm)}"
            )
        return self


@dataclass(frozen=True, slots=True)
class ContentAddress:
    """A method and the digest that it gave."""

    method: Method
    digest: Digest

    def __str__(self) -> str:
        return f"{PREFIXES[self.method.kind]}{self.digest.algorithm}:{self.digest.nix32}"

    @classmethod
    def parse(cls, text: str) -> ContentAddress:
        """Return the content address written as `fixed:r:sha256:…`. Raises Refusal."""
        head, colon, rest = text.rpartition(":")
        if not colon:
            raise Refusal(
                "not a content address because it is not in the form '<prefix>:<rest>':"
                f" {magenta(text)}"
            )
        method = Method.parse(head).with_sha256()
        return cls(method, Digest.parse(rest, method.algorithm))

    def path(
        self, paths: StorePaths, name: str, references: Iterable[str], itself: bool = False
    ) -> str:
        """Return the store path that this content has under a name. Raises Refusal."""
        if self.method.kind == "text:":
            if itself:
                raise Refusal(f"text {quoted(name)} is not allowed to refer to itself")
            return paths.text(self.digest, name, references)
        return paths.fixed(self.method.kind, self.digest, name, references, itself)


def file_of(nar: Spool) -> Entry:
    """Return the one regular file that is all of a NAR. Raises Refusal."""
    first = entries(nar)[0]
    if first.kind not in ("regular", "executable"):
        raise Refusal("expected a regular file")
    return first


def address(method: Method, nar: Spool) -> ContentAddress:
    """Return the content address of what a NAR holds. Raises Refusal."""
    if method.kind == "r:":
        return ContentAddress(method, nar.digest(method.algorithm))
    if method.kind == "git:":
        return ContentAddress(method, _git(nar, method.algorithm))
    file = file_of(nar)
    hasher = hashlib.new(method.algorithm, usedforsecurity=False)
    for piece in nar.pieces(file.offset, file.size):
        hasher.update(piece)
    return ContentAddress(method, Digest(method.algorithm, hasher.digest()))


_MODES = {
    "regular": b"100644",
    "executable": b"100755",
    "symlink": b"120000",
    "directory": b"40000",
}


def _git(nar: Spool, algorithm: str) -> Digest:
    """Return the hash of a tree as git has it, empty folders included."""
    found = entries(nar)
    folders: dict[str, list[tuple[bytes, bytes]]] = {}
    for entry in reversed(found):  # what is in a folder comes before the folder this way
        path = entry.path
        if entry.kind == "directory":
            body = b"".join(line for _, line in sorted(folders.pop(path, ())))
            raw = _object(b"tree", len(body), (body,), algorithm)
        elif entry.kind == "symlink":
            target = bytes_of(entry.target or "")
            raw = _object(b"blob", len(target), (target,), algorithm)
        else:
            pieces = nar.pieces(entry.offset, entry.size)
            raw = _object(b"blob", entry.size, pieces, algorithm)
        if not path:
            return Digest(algorithm, raw)
        name = bytes_of(entry.name)
        # git orders a folder as if its name ended in a slash
        key = name + b"/" if entry.kind == "directory" else name
        parent = path.rpartition("/")[0]
        line = _MODES[entry.kind] + b" " + name + b"\0" + raw
        folders.setdefault(parent, []).append((key, line))
    raise Refusal("an empty archive")


def _object(kind: bytes, size: int, pieces: Iterable[bytes], algorithm: str) -> bytes:
    hasher = hashlib.new(algorithm, kind + b" %d\0" % size, usedforsecurity=False)
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()
