"""Which store paths occur in some bytes: their hash parts are searched for.

As in Nix, it is the 32 digits that count, wherever they stand: not the store directory,
nor the name. Bytes come in pieces; a hash part may lie across two of them.
Source: Nix `references.cc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pix.protocol.nix32 import ALPHABET
from pix_store.store.store_paths import DIGITS

Piece = bytes | bytearray | memoryview


class Search:
    """Looks for the hash parts of `candidates` (base names); `found` are those that occur."""

    def __init__(self, candidates: Iterable[str]) -> None:
        self._bases = {base[:DIGITS].encode(): base for base in candidates}
        self.found: set[str] = set()
        self._tail = b""

    def feed(self, piece: Piece) -> None:
        """Look through the next bytes."""
        if not self._bases:
            return
        data = self._tail + bytes(piece)
        for digits in _runs(data):
            if len(digits) == DIGITS:
                self._see(digits)
                continue
            for start in range(len(digits) - DIGITS + 1):
                self._see(digits[start : start + DIGITS])
        self._tail = data[-(DIGITS - 1) :]

    def _see(self, digits: bytes) -> None:
        base = self._bases.get(digits)
        if base is not None:
            self.found.add(base)


_RUN = re.compile(b"[" + ALPHABET.encode() + b"]{%d,}" % DIGITS)


def _runs(data: bytes) -> Iterator[bytes]:
    for match in _RUN.finditer(data):
        yield match.group()


def rewritten(pieces: Iterable[Piece], words: dict[bytes, bytes]) -> Iterator[bytes]:
    """Yield the bytes with each of `words` replaced by another of the same length."""
    words = {old: new for old, new in words.items() if old != new}
    if not words:
        yield from map(bytes, pieces)
        return
    pattern = re.compile(b"|".join(re.escape(word) for word in sorted(words, key=len)[::-1]))
    longest = max(map(len, words))
    tail = b""
    for piece in pieces:
        data = tail + bytes(piece)
        # what stands in the last bytes may be the beginning of a word
        keep = max(0, len(data) - longest + 1)
        out = bytearray()
        at = 0
        for match in pattern.finditer(data):
            if match.start() >= keep:
                break
            out += data[at : match.start()] + words[match.group()]
            at = match.end()
        keep = max(keep, at)
        out += data[at:keep]
        tail = data[keep:]
        yield bytes(out)
    yield pattern.sub(lambda match: words[match.group()], tail)
