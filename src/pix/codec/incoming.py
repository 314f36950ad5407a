"""Bytes as they come in, read as declared values; where they come from is the caller's.

Values are found by the resumable scanner, however their bytes are cut. Payload goes by in
pieces: memory is one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from pix.codec.cursor import Cursor, Limits, Program, Scan, scan
from pix.codec.errors import DecodeError, PixError
from pix.codec.gates import Protocol
from pix.codec.nar import scan_nar
from pix.codec.payload import frame_length
from pix.codec.wire import Reader, Wire

T = TypeVar("T")


class Incoming:
    """What `more` returns, one piece after the other, an empty one at the end.

    `early` makes the error for an end in the midst of something. `longest` bounds one value,
    in bytes.
    """

    def __init__(
        self,
        more: Callable[[], bytes],
        early: Callable[[], PixError],
        limits: Limits | None = None,
        longest: int | None = None,
    ) -> None:
        self.cursor = Cursor(limits=limits)
        self._more = more
        self._early = early
        self._longest = longest

    def feed(self, data: bytes) -> None:
        self.cursor.settle()
        self.cursor.feed(data)

    def fill(self) -> bytes:
        """Take in more bytes and return them. Raises `early` at the end."""
        data = self._more()
        if not data:
            raise self._early()
        self.feed(data)
        return data

    def over(self) -> bool:
        """Return whether nothing more comes, waiting until that is known."""
        if self.cursor.pos < self.cursor.end:
            return False
        data = self._more()
        self.feed(data)
        return not data

    def take(self, scanner: Generator[None, None, object]) -> bytes:
        """Run a scanner to its end and return what it went over. Raises `early`, DecodeError."""
        cursor = self.cursor
        start, longest = cursor.offset, self._longest
        parts: list[bytes] = []
        over = False
        while True:
            over = over or next(scanner, self) is self
            whole = over and cursor.pos <= cursor.end
            if not parts:  # later ones are kept as they come: the cursor lets go of its own
                there = cursor.pos if whole else cursor.end
                parts.append(bytes(cursor.buf[start - cursor.base : there]))
            if whole:
                return b"".join(parts)[: cursor.offset - start]
            if longest is not None and max(cursor.offset, cursor.received) - start > longest:
                raise DecodeError(start, f"a value of at most {longest} bytes", "a longer one")
            parts.append(self.fill())

    def _now(self, scanner: Generator[None, None, T]) -> T:
        """Run a scanner whose end has arrived when it ends, and return its result."""
        while True:
            try:
                next(scanner)
            except StopIteration as stop:
                result: T = stop.value
                return result
            self.fill()

    def bytes_of(self, program: Program) -> bytes:
        """Return the bytes of one value. Raises as `take`."""
        return self.take(scan(self.cursor, program))

    def value(self, wire: Wire, protocol: Protocol) -> Any:
        """Return one value. Raises as `take`."""
        data = self.bytes_of(wire.program(protocol))
        return wire.read(Reader(data, protocol, self.cursor.offset - len(data)))

    def word(self) -> int:
        """Return one integer of 8 bytes."""
        return self._now(self.cursor.word())

    def passing(self, scanner: Generator[None, None, T]) -> Generator[bytes, None, T]:
        """Yield what a scanner goes over, as it comes; return its result. Raises as `take`."""
        cursor = self.cursor
        told = cursor.offset
        results: list[T] = []
        while True:
            if not results:
                try:
                    next(scanner)
                except StopIteration as stop:
                    results.append(stop.value)
            until = min(cursor.offset, cursor.received)
            if until > told:
                yield bytes(cursor.buf[told - cursor.base : until - cursor.base])
                told = until
            if results and cursor.pos <= cursor.end:
                return results[0]
            self.fill()

    def nar(self) -> Iterator[bytes]:
        """Yield the NAR that comes next."""
        if not (yield from self.passing(scan_nar(self.cursor))):
            raise DecodeError(self.cursor.offset, "a NAR token", "a STDERR_ERROR word")

    def frames(self) -> Iterator[bytes]:
        """Yield the content of frames, up to the empty one."""
        while n := self._now(frame_length(self.cursor)):
            yield from self.passing(self._skip(n))

    def _skip(self, size: int) -> Scan:
        self.cursor.pos += size
        yield from ()

    def rest(self) -> Iterator[bytes]:
        """Yield what is left."""
        cursor = self.cursor
        while not self.over():
            piece = bytes(cursor.buf[cursor.pos : cursor.end])
            cursor.pos = cursor.end
            yield piece
