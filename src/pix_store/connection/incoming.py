"""What a client sends, value by value, and the payload behind it.

A `Source` is a stream of bytes with a cursor on it: the socket itself, the content of frames,
or the answers to STDERR_READ. Values are found by the resumable scanner; payload goes by in
pieces. A hostile length allocates nothing: values are bounded in all, payload is never whole.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from pix.codec.cursor import Cursor, Limits, Program, Scan, scan
from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.codec.nar import scan_nar
from pix.codec.wire import Reader, Wire

LIMITS = Limits(string=32 << 20, count=1 << 22)
LONGEST = 64 << 20
"""Bytes of one request without its payload."""


class HungUp(Exception):
    """The client is gone, or sends nothing more in the midst of something."""


class OutOfStep(Exception):
    """The client's stream cannot be followed any further; the message says why."""


class CutShort(Exception):
    """Content ends before what is in it does."""


class Source:
    """Bytes from `more`, which returns the next ones, none at the end.

    To come to the end in the midst of something raises `early`: HungUp, or CutShort for the
    content of a payload.
    """

    def __init__(self, more: Callable[[], bytes], early: type[Exception] = HungUp) -> None:
        self.cursor = Cursor(limits=LIMITS)
        self._more = more
        self._early = early

    def fill(self) -> bytes:
        """Take in more bytes and return them. Raises `early` at the end."""
        data = self._more()
        if not data:
            raise self._early
        self.cursor.settle()
        self.cursor.feed(data)
        return data

    def over(self) -> bool:
        """Return whether nothing more comes, waiting until that is known."""
        if self.cursor.pos < self.cursor.end:
            return False
        data = self._more()
        self.cursor.settle()
        self.cursor.feed(data)
        return not data

    def take(self, scanner: Scan) -> bytes:
        """Run a scanner to its end and return what it went over. Raises `early`, DecodeError."""
        cursor = self.cursor
        start = cursor.offset
        parts = [bytes(cursor.buf[cursor.pos : cursor.end])]
        size = len(parts[0])

        def another() -> None:
            nonlocal size
            if cursor.offset - start > LONGEST or size > LONGEST:
                raise DecodeError(start, f"a request of at most {LONGEST} bytes", "a longer one")
            data = self.fill()
            size += len(data)
            parts.append(data)

        for _ in scanner:
            another()
        while cursor.pos > cursor.end:
            another()
        return b"".join(parts)[: cursor.offset - start]

    def bytes_of(self, program: Program) -> bytes:
        """Return the bytes of one value. Raises as `take`."""
        return self.take(scan(self.cursor, program))

    def value(self, wire: Wire, protocol: Protocol) -> Any:
        """Return one value. Raises as `take`."""
        data = self.bytes_of(wire.program(protocol))
        return wire.read(Reader(data, protocol, self.cursor.offset - len(data)))

    def word(self) -> int:
        return int.from_bytes(self.take(self._word()), "little")

    def _word(self) -> Scan:
        yield from self.cursor.word()

    def passing(self, scanner: Generator[None, None, Any]) -> Iterator[bytes]:
        """Yield what a scanner goes over, as it comes. Raises as `take`."""
        cursor = self.cursor
        told = cursor.offset
        over = False
        while True:
            if not over:
                try:
                    next(scanner)
                except StopIteration:
                    over = True
            until = min(cursor.offset, cursor.received)
            if until > told:
                yield bytes(cursor.buf[told - cursor.base : until - cursor.base])
                told = until
            if over and cursor.pos <= cursor.end:
                return
            self.fill()

    def nar(self) -> Iterator[bytes]:
        """Yield the NAR that comes next."""
        return self.passing(scan_nar(self.cursor))

    def run(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes."""
        return self.passing(self._skip(size))

    def _skip(self, size: int) -> Scan:
        self.cursor.pos += size
        yield from ()

    def rest(self) -> Iterator[bytes]:
        cursor = self.cursor
        while not self.over():
            piece = bytes(cursor.buf[cursor.pos : cursor.end])
            cursor.pos = cursor.end
            yield piece


def framed(source: Source) -> Iterator[bytes]:
    """Yield the content of frames up to the empty one. Raises HungUp, OutOfStep."""
    while n := source.word():
        if n >= 1 << 32:
            raise OutOfStep(f"{n:#x} is no length of a frame")
        yield from source.run(n)
