"""Payload on its way into the store: kept on disk, hashed and searched as it comes.

Small payload stays in memory. What it is (a NAR, a file) is for others to know.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

from pix.serving import Refusal
from pix_store.store.hashes import Digest
from pix_store.store.references import Search

IN_MEMORY = 1 << 20
"""Bytes that are kept in memory; more goes to a temporary file."""

PIECE = 1 << 16


class Spool:
    """Bytes that came, to be read again from their beginning.

    `search` finds the store paths in them; `room` bounds them, in bytes.
    """

    def __init__(self, search: Search | None = None, room: int | None = None) -> None:
        self.size = 0
        self.search = search
        self._room = room
        self._sha256 = hashlib.sha256()
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close
        self._file = cast("IO[bytes]", file)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the bytes."""
        self._file.close()

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append a piece. Raises Refusal when there is no room for it."""
        self.size += len(piece)
        if self._room is not None and self.size > self._room:
            raise Refusal(f"no room in the store: {self._room} bytes are left in it")
        self._sha256.update(piece)
        if self.search is not None:
            self.search.feed(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise Refusal(f"cannot keep what was sent: {error.strerror}") from None

    def fill(self, pieces: Iterable[bytes | bytearray | memoryview]) -> Spool:
        """Append all pieces; return self."""
        for piece in pieces:
            self.write(piece)
        return self

    @property
    def sha256(self) -> Digest:
        """The SHA-256 of all of it."""
        return Digest("sha256", self._sha256.digest())

    def digest(self, algorithm: str) -> Digest:
        """Return another hash of all of it."""
        if algorithm == "sha256":
            return self.sha256
        hasher = hashlib.new(algorithm, usedforsecurity=False)
        for piece in self.pieces():
            hasher.update(piece)
        return Digest(algorithm, hasher.digest())

    def pieces(self, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `offset` on, `size` of them or all."""
        left = self.size - offset if size is None else size
        self._file.seek(offset)
        while left > 0 and (piece := self._file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece

    def whole(self) -> bytes:
        return b"".join(self.pieces())
