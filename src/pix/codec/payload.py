"""Payload: the bulk data of an operation, and the five ways it is carried.

    raw NAR       the archive directly on the stream; it ends where its grammar ends
    raw export    an export stream likewise (serve protocol)
    frames        length and so many bytes, again and again, up to a length of 0
    pulled        the daemon asks by STDERR_READ, each answer is one string
    written       the daemon sends by STDERR_WRITE, each holds one string

The first three stand in the stream behind the fields and are scanned here; the last two are
part of the log loop and are followed by `pix.conversation`. What a payload means (a NAR, a
file, a log, many store paths) is its `content`.

Source: Nix `serialise.hh` (FramedSource), `daemon.cc` (TunnelSource, TunnelSink).
"""

from __future__ import annotations

import typing
from collections.abc import Generator, Iterable, Iterator
from typing import TypeAlias, cast

from pix.codec.cursor import TEXT, TEXTS, Cursor, Program, scan, u64_at
from pix.codec.errors import DecodeError, EncodeError, Truncated, WildLength
from pix.codec.gates import Gate, Protocol
from pix.codec.nar import check, scan_nar
from pix.codec.wire import Reader, pack_u64
from pix.dataclass import dataclass

Piece: TypeAlias = bytes | bytearray | memoryview


class Readable(typing.Protocol):
    """An open binary file, or what acts like one."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


Source: TypeAlias = Piece | Iterable[Piece] | Readable
"""Where payload comes from: bytes, pieces of them, a file."""

FRAME_SIZE = 32 * 1024
"""The size of the frames we write, in bytes; Nix writers buffer as much."""


LONGEST_FRAME = (1 << 32) - 1


class Carriage:
    """One way to carry a payload. `name` and `doc` are for the manual."""

    name = ""
    doc = ""
    inline = True
    """Whether the payload stands in the stream behind the fields."""
    bare = False
    """Whether its content is what stands in the stream, byte for byte."""

    def scan(self, cursor: Cursor) -> Generator[None, None, bool]:
        """Skip the payload; False when a STDERR_ERROR stands in its place."""
        raise NotImplementedError

    def read(self, reader: Reader) -> bytes:
        """Return the content at the reader. Raises DecodeError."""
        raise NotImplementedError

    def write(self, content: Source, out: bytearray) -> None:
        """Append the content as it is carried. Raises EncodeError."""
        raise NotImplementedError


class Bare(Carriage):
    """Content directly on the stream, ending where its grammar ends."""

    bare = True

    def check(self, data: bytes) -> int:
        """Return where the content at the start of `data` ends. Raises DecodeError."""
        raise NotImplementedError

    def read(self, reader: Reader) -> bytes:
        rest = bytes(reader.buf[reader.pos :])
        try:
            end = self.check(rest)
        except Truncated as error:
            at = reader.offset + error.offset
            raise Truncated(at, error.expected, error.missing) from None
        except DecodeError as error:
            raise DecodeError(reader.offset + error.offset, error.expected, error.found) from None
        reader.pos += end
        return rest[:end]

    def write(self, content: Source, out: bytearray) -> None:
        for piece in pieces(content):
            out += piece


class RawNar(Bare):
    """A NAR directly on the stream."""

    name = "raw NAR"
    doc = "a NAR directly on the stream, ending where its grammar ends"

    def scan(self, cursor: Cursor) -> Generator[None, None, bool]:
        return (yield from scan_nar(cursor))

    def check(self, data: bytes) -> int:
        return check(data, strict=False)[1]


EXPORT_MAGIC = 0x4558494E
"""`NIXE` in byte order: it stands between the NAR and the path of an export record."""

_PATH_REFERENCES_DERIVER: Program = ((TEXT, None), (TEXTS, 1), (TEXT, None))
_ONE_STRING: Program = ((TEXT, None),)


class RawExport(Bare):
    """An export stream directly on the stream: 1 and a record, again and again, then 0."""

    name = "raw export"
    doc = "an export stream directly on the stream, ending where its grammar ends"

    def scan(self, cursor: Cursor) -> Generator[None, None, bool]:
        while more := (yield from cursor.word()):
            if more != 1:
                raise DecodeError(cursor.offset - 8, "1 and a record, or 0", f"{more:#x}")
            if not (yield from scan_nar(cursor)):
                raise DecodeError(cursor.offset, "a NAR token", "a STDERR_ERROR word")
            magic = yield from cursor.word()
            if magic != EXPORT_MAGIC:
                at = cursor.offset - 8
                raise DecodeError(at, f"the export magic {EXPORT_MAGIC:#x}", f"{magic:#x}")
            yield from scan(cursor, _PATH_REFERENCES_DERIVER)
            if (yield from cursor.word()):
                yield from scan(cursor, _ONE_STRING)
        return True

    def check(self, data: bytes) -> int:
        cursor = Cursor()
        cursor.feed(data)
        for _ in self.scan(cursor):
            raise Truncated(len(data), "an export stream", 8)
        if cursor.pos > cursor.end:
            raise Truncated(len(data), "an export stream", cursor.pos - cursor.end)
        return cursor.pos


class Frames(Carriage):
    """Length-prefixed frames up to an empty one."""

    name = "frames"
    doc = "frames of a length and so many bytes without padding, ended by a length of 0"

    def scan(self, cursor: Cursor) -> Generator[None, None, bool]:
        while True:
            while cursor.pos + 8 <= cursor.end:
                (n,) = u64_at(cursor.buf, cursor.pos)
                if n > LONGEST_FRAME:
                    raise _wild(cursor.offset, n)
                cursor.pos += 8
                if not n:
                    return True
                cursor.payload(n)
            yield

    def read(self, reader: Reader) -> bytes:
        return b"".join(self.parts(reader))

    def parts(self, reader: Reader) -> Iterator[bytes]:
        """Yield the content of each frame at the reader. Raises DecodeError."""
        while n := reader.u64():
            left = reader.end - reader.pos
            if n > min(left, LONGEST_FRAME):
                raise WildLength(reader.offset - 8, f"a frame of at most {left} bytes", str(n))
            reader.pos += n
            yield reader.buf[reader.pos - n : reader.pos]

    def write(self, content: Source, out: bytearray) -> None:
        for frame in framed(content):
            out += frame


def frame_length(cursor: Cursor) -> Generator[None, None, int]:
    """Scan the length of a frame, 0 at the end, and return it. Raises DecodeError."""
    n = yield from cursor.word()
    if n > LONGEST_FRAME:
        raise _wild(cursor.offset - 8, n)
    return n


def _wild(offset: int, length: int) -> WildLength:
    return WildLength(offset, "the length of a frame", f"{length:#x}")


class Pulled(Carriage):
    """Strings that answer STDERR_READ."""

    name = "pulled"
    doc = "the daemon asks with STDERR_READ, the client answers each with one string"
    inline = False


class Written(Carriage):
    """Strings inside STDERR_WRITE."""

    name = "written"
    doc = "the daemon sends STDERR_WRITE, each with one string"
    inline = False


RAW_NAR = RawNar()
RAW_EXPORT = RawExport()
FRAMES = Frames()
PULLED = Pulled()
WRITTEN = Written()


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """The payload of a request or a reply: its name, its content, and how it is carried when.

    `content` is one of: `nar`, `by method` (a NAR or plain bytes, as the content-addressing
    method says), `paths` (AddMultipleToStore), `export` (an export stream), `log`.
    """

    name: str
    doc: str
    content: str
    carried: tuple[tuple[Gate, Carriage], ...]

    def carriage(self, protocol: Protocol) -> Carriage | None:
        """Return how the payload travels in `protocol`, None when there is none."""
        for gate, carriage in self.carried:
            if gate.admits(protocol):
                return carriage
        return None


def pieces(source: Source, size: int = FRAME_SIZE) -> Iterator[Piece]:
    """Yield the bytes of `source` in pieces of 1 to `size` bytes.

    Raises EncodeError, at once, for what gives no bytes.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _cut((source,), size)
    if hasattr(source, "read"):
        return _read(cast("Readable", source), size)
    if isinstance(source, str) or not hasattr(source, "__iter__"):
        kind = type(source).__name__
        raise EncodeError("", f"expected bytes, a binary file or an iterable of bytes, got {kind}")
    return _cut(source, size)


def _read(source: Readable, size: int) -> Iterator[Piece]:
    while piece := source.read(size):
        if not isinstance(piece, (bytes, bytearray)):
            raise EncodeError("", "the file gives text: open it in binary mode")
        yield piece


def _cut(parts: Iterable[Piece], size: int) -> Iterator[Piece]:
    for part in parts:
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise EncodeError("", f"expected pieces of bytes, got {type(part).__name__}")
        if len(part) <= size:
            if part:
                yield part
            continue
        view = memoryview(part)
        for start in range(0, len(view), size):
            yield view[start : start + size]


def framed(source: Source) -> Iterator[bytes]:
    """Yield the frames that carry the bytes of `source`, the empty one last."""
    for piece in pieces(source):
        yield pack_u64(len(piece)) + piece
    yield bytes(8)
