from __future__ import annotations

import pytest

from pix.codec.cursor import (
    CHOICE,
    FAILURE,
    LIST,
    SKIP,
    TEXT,
    TEXTS,
    Cursor,
    Limits,
    Program,
    last_text,
    leap,
    merged,
    scan,
)
from pix.codec.errors import DecodeError
from pix.codec.wire import pack_u64
from tests.support.readings import TRAILING, chunks
from tests.support.words import text

PROGRAMS: list[tuple[Program, bytes]] = [
    (((SKIP, 24),), bytes(24)),
    (((TEXT, None),), text(b"hello")),
    (((TEXTS, 1),), pack_u64(3) + text(b"") + text(b"a" * 9) + text(b"b" * 8)),
    (((TEXTS, 2),), pack_u64(1) + text(b"k") + text(b"v")),
    (((LIST, ((SKIP, 8),)),), pack_u64(4) + bytes(32)),
    (((LIST, ((TEXT, None), (SKIP, 8))),), pack_u64(2) + (text(b"x") + bytes(8)) * 2),
    (((CHOICE, {0: (), 1: ((TEXT, None),)}), (SKIP, 8)), pack_u64(1) + text(b"y") + bytes(8)),
    (((CHOICE, {0: (), None: ((SKIP, 8),)}),), pack_u64(77) + bytes(8)),
    ((), b""),
]


@pytest.mark.parametrize(("program", "data"), PROGRAMS)
@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_scan_ends_at_the_end_in_any_cut(program: Program, data: bytes, size: int) -> None:
    cursor = Cursor(base=500)
    scanner = scan(cursor, program)
    for piece in chunks(data + TRAILING, size):
        cursor.feed(piece)
        if next(scanner, "over") == "over":
            break
        cursor.settle()
    assert cursor.offset == 500 + len(data)


@pytest.mark.parametrize(
    ("program", "data"),
    [
        (((TEXT, None),), pack_u64(101)),
        (((TEXTS, 1),), pack_u64(11)),
        (((TEXTS, 1),), pack_u64(1) + pack_u64(101)),
        (((LIST, ((TEXT, None),)),), pack_u64(11)),
        (((CHOICE, {0: ()}),), pack_u64(1)),
    ],
)
def test_wild_words_are_refused_where_they_stand(program: Program, data: bytes) -> None:
    cursor = Cursor(limits=Limits(string=100, count=10))
    cursor.feed(data)
    with pytest.raises(DecodeError) as error:
        next(scan(cursor, program))
    assert error.value.offset == len(data) - 8


def test_string_is_skipped_without_being_kept() -> None:
    cursor = Cursor()
    scanner = scan(cursor, ((TEXT, None), (TEXT, None)))
    cursor.feed(pack_u64(1 << 20))
    next(scanner)
    cursor.settle()
    for _ in range(256):
        cursor.feed(bytes(4096))
        cursor.settle()
        assert len(cursor.buf) == 0
    cursor.feed(bytes(8))
    assert next(scanner, "over") == "over"
    assert cursor.offset == 8 + (1 << 20) + 8


def test_settle_keeps_a_copy_of_the_tail_only() -> None:
    buffer = bytearray(b"abcdefgh")
    cursor = Cursor()
    cursor.feed(memoryview(buffer))
    cursor.pos = 6
    cursor.settle()
    buffer[:] = b"\0" * 8
    assert bytes(cursor.buf) == b"gh"
    assert (cursor.base, cursor.pos, cursor.end) == (6, 0, 2)
    cursor.feed(b"ij")
    assert bytes(cursor.buf) == b"ghij"
    assert cursor.received == 10


def test_gap_is_taken_where_bytes_are_skipped() -> None:
    cursor = Cursor()
    cursor.feed(b"x" * 10)
    cursor.pos = 30
    assert cursor.gap(20)
    assert (cursor.offset, cursor.received) == (30, 30)
    assert not cursor.gap(1)
    assert cursor.received == 30


def test_payload_is_told_with_its_place() -> None:
    told: list[tuple[int, int]] = []
    cursor = Cursor(base=100)
    cursor.on_payload = lambda start, length: told.append((start, length))
    cursor.feed(b"12345678")
    cursor.pos = 4
    cursor.payload(1000)
    cursor.payload(0)
    assert told == [(104, 1000)]
    assert cursor.payload_bytes == 1000
    assert cursor.offset == 1104


def test_words_and_texts_wait_for_their_bytes() -> None:
    cursor = Cursor()
    word = cursor.word()
    for byte in pack_u64(0x123456789ABCDEF):
        assert next(word, "over") is None
        cursor.feed(bytes([byte]))
        cursor.settle()
    with pytest.raises(StopIteration) as stop:
        next(word)
    assert stop.value.value == 0x123456789ABCDEF
    five = cursor.text(5)
    for byte in text(b"hello"):
        assert next(five, "over") is None
        cursor.feed(bytes([byte]))
    with pytest.raises(StopIteration) as stop:
        next(five)
    assert stop.value.value == b"hello"
    cursor.feed(text(b"longer"))
    with pytest.raises(DecodeError, match="at most 5 bytes"):
        next(cursor.text(5))


def test_neighbouring_skips_are_merged() -> None:
    assert merged([(SKIP, 8), (SKIP, 16), (TEXT, None), (SKIP, 8)]) == (
        (SKIP, 24),
        (TEXT, None),
        (SKIP, 8),
    )


@pytest.mark.parametrize(
    ("program", "data", "at"),
    [
        (((TEXT, None),), text(b"hello"), 0),
        (((SKIP, 16), (TEXT, None)), bytes(16) + text(b"hello"), 16),
        (((SKIP, 8), (LIST, ((TEXT, None),))), bytes(8) + pack_u64(1) + text(b"a"), 16),
        (((LIST, ((TEXT, None),)),), pack_u64(2) + text(b"a") * 2, -1),
        (((LIST, ((TEXT, None),)),), pack_u64(0), -1),
        (((LIST, ((SKIP, 8),)), (TEXT, None)), pack_u64(0) + text(b"a"), 8),
        (((CHOICE, {0: (), 1: ((TEXT, None),)}),), pack_u64(1) + text(b"a"), 8),
        (((CHOICE, {0: (), 1: ((TEXT, None),)}),), pack_u64(0), -1),
        (((CHOICE, {0: (), 1: ((TEXT, None),)}), (TEXT, None)), pack_u64(1) + text(b"a") * 2, -1),
        (((TEXT, None), (SKIP, 8)), text(b"a") + bytes(8), -1),
        (((TEXT, None), (TEXT, None)), text(b"a") * 2, -1),
        (((TEXTS, 1),), pack_u64(1) + text(b"a"), -1),
        (((SKIP, 8),), bytes(8), -1),
    ],
)
def test_the_text_that_ends_a_value(program: Program, data: bytes, at: int) -> None:
    assert last_text(data, 0, program) == at


def test_a_failure_is_heard_of_once_and_takes_nothing() -> None:
    program: Program = ((LIST, ((CHOICE, {0: (), 1: ((FAILURE, "bad"),)}),)), (SKIP, 8))
    for statuses, failures in (((0, 0), {}), ((1, 0, 1), {"bad": 2})):
        data = pack_u64(len(statuses)) + b"".join(map(pack_u64, statuses)) + bytes(8)
        cursor = Cursor()
        cursor.feed(data)
        assert leap(cursor, program) == (not failures)
        if failures:
            assert cursor.pos == 0
            assert next(scan(cursor, program), "over") == "over"
        assert cursor.offset == len(data)
        assert cursor.failures == failures
