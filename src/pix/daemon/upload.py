"""What a client sends as payload: from bytes, files or iterators, a piece at a time.

Every function here holds one piece in memory, whatever the size of the whole.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO, Any, TypeAlias, cast

from pix.codec.cursor import Cursor, u64_at
from pix.codec.declare import wire_of
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import Protocol
from pix.codec.nar import scan_nar
from pix.codec.nar_files import EXECUTABLE_HEAD, FILE_HEAD, file_end, nar_of_contents
from pix.codec.payload import Piece, Source, pieces
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol.payload_items import item_layout
from pix.protocol.types import ValidPathInfo

Item: TypeAlias = "tuple[ValidPathInfo, Source]"
"""A path for AddMultipleToStore: what is known of it, and its NAR."""


class Pull:
    """A source that is asked for bytes: answers to STDERR_READ."""

    def __init__(self, source: Source) -> None:
        self._pieces = pieces(source)
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)


def one_nar(source: Source) -> Iterator[Piece]:
    """Yield the bytes of a source that has to be exactly one NAR.

    Where a NAR stands bare in the stream, a byte too many or too few would put both sides
    out of step. Raises EncodeError, at the end of what is one.
    """
    cursor = Cursor()
    scanner = scan_nar(cursor)
    over = False
    for piece in pieces(source):
        if over:
            raise EncodeError("", f"the NAR ends at byte {cursor.offset}, but more follows")
        cursor.settle()
        cursor.feed(piece)
        try:
            next(scanner)
        except StopIteration:
            over = True
            if cursor.pos < cursor.end:
                yield piece[: len(piece) - (cursor.end - cursor.pos)]
                why = f"the NAR ends at byte {cursor.offset}, but more follows"
                raise EncodeError("", why) from None
        except DecodeError as error:
            raise EncodeError("", f"the source is not a NAR: {error}") from None
        yield piece
    if not over:
        raise EncodeError("", f"the source ends inside a NAR, at byte {cursor.received}")


def file_nar(source: Source) -> Iterator[Piece]:
    """Yield the NAR of one regular file with the contents of `source`.

    A NAR says the size first: a source that does not know its size goes through a temporary
    file.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield from nar_of_contents(len(source), pieces(source))
        return
    size = _size(source)
    if size is not None:
        yield from nar_of_contents(size, pieces(source))
        return
    with tempfile.TemporaryFile() as spool:
        for piece in pieces(source):
            spool.write(piece)
        size = spool.tell()
        spool.seek(0)
        yield from nar_of_contents(size, pieces(cast("IO[bytes]", spool)))


def file_contents(nar: Source) -> Iterator[Piece]:
    """Yield the contents of the one regular file in a NAR, executable or not.

    Raises EncodeError for a NAR of anything else.
    """
    source, held, head = pieces(nar), b"", None
    heads = (FILE_HEAD, EXECUTABLE_HEAD)
    while head is None:
        piece = next(source, None)
        if piece is None or not any(each.startswith(held[: len(each)]) for each in heads):
            raise EncodeError("", "the source is not the NAR of one regular file")
        held += piece
        whole = (each for each in heads if held.startswith(each) and len(held) >= len(each) + 8)
        head = next(whole, None)
    (left,) = u64_at(held, len(head))
    end, tail = file_end(left), b""
    for piece in chain((held[len(head) + 8 :],), source):
        if part := piece[:left]:
            yield part
        left -= len(part)
        tail += piece[len(part) :]
        if len(tail) > len(end):
            break
    if left or tail != end:
        raise EncodeError("", "the source is not the NAR of one regular file, and nothing more")


def _size(source: Any) -> int | None:
    try:
        here = source.tell()
        end = source.seek(0, io.SEEK_END)
        source.seek(here)
    except (AttributeError, OSError):
        return None
    return int(end) - int(here)


def paths(items: Sequence[Item], version: Protocol) -> Iterator[Piece]:
    """Yield the content of AddMultipleToStore: a count, then path infos and NARs in turn."""
    layout = item_layout(version)
    wire = wire_of(ValidPathInfo)
    yield pack_u64(len(items))
    for info, nar in items:
        yield encode(wire, info, layout)
        yield from one_nar(nar)
