from __future__ import annotations

import pytest

from pix.codec.cursor import Cursor
from pix.codec.errors import DecodeError, EncodeError, Truncated
from pix.codec.gates import Protocol
from pix.codec.payload import FRAME_SIZE, FRAMES, PULLED, RAW_NAR, WRITTEN, Carriage, framed, pieces
from pix.codec.wire import Reader, pack_u64
from tests.support.nars import nar
from tests.support.readings import TRAILING, chunks

NAR = nar({b"file": b"contents" * 30})
CASES: list[tuple[Carriage, bytes]] = [
    (FRAMES, b""),
    (FRAMES, b"some bytes"),
    (FRAMES, b"x" * (FRAME_SIZE + 5)),
    (RAW_NAR, NAR),
]


@pytest.mark.parametrize(("carriage", "content"), CASES)
def test_content_is_carried_and_comes_back(carriage: Carriage, content: bytes) -> None:
    out = bytearray()
    carriage.write(content, out)
    reader = Reader(bytes(out) + TRAILING, Protocol(38), base=7)
    assert carriage.read(reader) == content
    assert reader.pos == len(out)
    for size in (1, 1000, len(out) + 100):
        cursor = Cursor()
        scanner = carriage.scan(cursor)
        for piece in chunks(bytes(out) + TRAILING, size):
            cursor.feed(piece)
            try:
                next(scanner)
            except StopIteration as stop:
                ended = stop.value
                break
            cursor.settle()
        assert ended
        assert cursor.offset == len(out)


def test_content_may_come_in_pieces() -> None:
    assert b"".join(framed([b"ab", b"", b"c"])) == (
        pack_u64(2) + b"ab" + pack_u64(1) + b"c" + bytes(8)
    )
    assert list(pieces(b"")) == []
    with pytest.raises(
        EncodeError, match="expected bytes, a binary file or an iterable of bytes, got str"
    ):
        pieces("text")  # type: ignore[arg-type]


def test_frames_are_never_empty_nor_larger_than_nix_writes() -> None:
    sizes = [int.from_bytes(f[:8], "little") for f in framed(bytes(FRAME_SIZE * 2 + 1))]
    assert sizes == [FRAME_SIZE, FRAME_SIZE, 1, 0]


@pytest.mark.parametrize("bad", [pack_u64(1 << 32), pack_u64(5) + b"abc"])
def test_frame_that_is_wild_or_cut(bad: bytes) -> None:
    with pytest.raises(DecodeError):
        FRAMES.read(Reader(bad, Protocol(38)))


def test_frames_without_an_end_are_truncated() -> None:
    with pytest.raises(Truncated):
        FRAMES.read(Reader(pack_u64(1) + b"x", Protocol(38)))


def test_raw_nar_that_is_none_says_where() -> None:
    with pytest.raises(DecodeError) as error:
        RAW_NAR.read(Reader(NAR[:100], Protocol(38), base=1000))
    assert error.value.offset == 1100


def test_what_stands_in_the_stream() -> None:
    assert [c.inline for c in (RAW_NAR, FRAMES, PULLED, WRITTEN)] == [True, True, False, False]
    assert all(c.name and c.doc for c in (RAW_NAR, FRAMES, PULLED, WRITTEN))
