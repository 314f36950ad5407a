from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.cursor import Cursor
from pix.codec.errors import DecodeError
from pix.codec.nar import Entry, check, scan_nar
from tests.support.golden import Golden
from tests.support.nars import Tree, nar, node, tokens
from tests.support.readings import TRAILING, chunks, golden_names
from tests.support.words import text

TREE: Tree = {
    b"bin": {b"hello": ("executable", b"#!/bin/sh\n"), b"link": ("symlink", b"hello")},
    b"empty": {},
    b"zero": b"",
}


def ends(data: bytes, pieces: list[bytes], *, strict: bool = False) -> tuple[list[Entry], int]:
    """Return the entries and where the scanner finds the end, fed piece by piece."""
    cursor = Cursor()
    entries: list[Entry] = []
    scanner = scan_nar(cursor, entries.append, strict=strict)
    for piece in pieces:
        cursor.feed(piece)
        try:
            next(scanner)
        except StopIteration as stop:
            return entries, cursor.offset if stop.value else -1
        cursor.settle()
    raise AssertionError("starved")


@pytest.mark.parametrize("name", golden_names(nar=True))
@pytest.mark.parametrize("strict", [True, False])
def test_golden_verdicts_hold(golden_values: tuple[Golden, ...], name: str, strict: bool) -> None:
    (case,) = (file for file in golden_values if file.name == name)
    verdict = case.entry["value"]["strict" if strict else "endScan"]
    if verdict["ok"]:
        assert check(case.data, strict=strict)[1] == verdict["end"]
        for pieces in ([case.data], chunks(case.data, 1), [case.data + TRAILING]):
            assert ends(case.data, pieces, strict=strict)[1] == verdict["end"]
    else:
        with pytest.raises(DecodeError):
            check(case.data, strict=strict)


def test_entries_say_type_size_target_and_offset() -> None:
    data = nar(TREE)
    entries, end = check(data)
    assert end == len(data)
    assert [(e.path, e.kind, e.size, e.target) for e in entries] == [
        ("", "directory", 0, None),
        ("bin", "directory", 0, None),
        ("bin/hello", "executable", 10, None),
        ("bin/link", "symlink", 0, "hello"),
        ("empty", "directory", 0, None),
        ("zero", "regular", 0, None),
    ]
    hello = entries[2]
    assert data[hello.offset : hello.offset + hello.size] == b"#!/bin/sh\n"
    assert entries[5].offset > 0
    assert entries[3].offset == -1


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 64])
def test_every_chunking_gives_the_same_entries(size: int) -> None:
    data = nar(TREE)
    assert ends(data, chunks(data + TRAILING, size)) == check(data)


def test_names_targets_and_contents_may_be_parentheses() -> None:
    data = nar({b"(": b")", b")": ("symlink", b"("), b"entry": b"type"})
    assert ends(data, chunks(data, 1))[1] == len(data)
    assert [e.path for e in check(data)[0]] == ["", "(", ")", "entry"]


def test_contents_are_skipped_unseen() -> None:
    data = nar(b"x" * 1000)
    start = data.index(b"x" * 1000)
    cursor = Cursor()
    told: list[tuple[int, int]] = []
    cursor.on_payload = lambda at, length: told.append((at, length))
    scanner = scan_nar(cursor)
    cursor.feed(data[:start])
    next(scanner)
    cursor.settle()
    assert told == [(start, 1000)]
    assert cursor.gap(1000)
    cursor.feed(data[start + 1000 :])
    with pytest.raises(StopIteration):
        next(scanner)
    assert cursor.offset == len(data)


def test_loose_order_of_old_parsers_is_taken_unless_strict() -> None:
    """Nix up to 2.24 took any order of keys, names after nodes, and entries without a node."""
    body = tokens(b"(", b"type", b"directory")
    body += tokens(b"entry", b"(", b"node") + node(b"one") + tokens(b"name", b"a", b")")
    body += tokens(b"entry", b"(", b"name", b"b", b")")
    body += tokens(b"entry", b"(", b"name", b"c", b"node") + node(b"x")
    body += tokens(b"name", b"d", b"node") + node(b"y") + text(b")")
    body += tokens(b"entry", b"(", b"name", b"e", b"node")
    body += tokens(b"(", b"contents", b"z", b"type", b"regular", b"executable", b"", b")")
    body += tokens(b")", b")")
    data = text(b"nix-archive-1") + body
    assert ends(data, chunks(data + TRAILING, 1))[1] == len(data)
    with pytest.raises(DecodeError):
        check(data)


def test_error_in_place_of_a_token_breaks_off() -> None:
    data = nar(TREE)
    word = (0x63787470).to_bytes(8, "little")
    for at in (0, 24, data.index(b"entry") - 8):
        cursor = Cursor()
        cursor.feed(data[:at] + word)
        with pytest.raises(StopIteration) as stop:
            next(scan_nar(cursor))
        assert stop.value.value is False
        assert cursor.offset == at


DEEP = 5000


def nested(levels: int) -> bytes:
    opened = tokens(b"(", b"type", b"directory", b"entry", b"(", b"name", b"d", b"node")
    inside = tokens(b"(", b"type", b"directory", b")")
    return text(b"nix-archive-1") + opened * levels + inside + tokens(b")", b")") * levels


def test_depth_is_data_not_recursion() -> None:
    data = nested(DEEP)
    assert ends(data, [data])[1] == len(data)
    entries, _ = ends(data, chunks(data, 4096))
    assert len(entries) == DEEP + 1


def test_strict_limits_are_those_of_the_newest_nix() -> None:
    assert check(nested(63))[1] == len(nested(63))
    with pytest.raises(DecodeError, match="64 levels"):
        check(nested(64))
    assert check(nar({b"n" * 255: b""}))
    with pytest.raises(DecodeError):
        check(nar({b"n" * 256: b""}))
    assert check(nar(("symlink", b"t" * 4095)))
    for target in (b"", b"t" * 4096, b"a\0b"):
        with pytest.raises(DecodeError):
            check(nar(("symlink", target)))
        assert check(nar(("symlink", target)), strict=False)


@pytest.mark.parametrize(
    "bad",
    [
        tokens(b"nix-archive-2"),
        tokens(b"nix-archive-1", b")"),
        tokens(b"nix-archive-1", b"(", b"type", b"socket"),
        tokens(b"nix-archive-1", b"(", b"type", b"regular", b"executable", b"yes"),
        tokens(b"nix-archive-1", b"(", b"entry", b"name"),
        tokens(b"nix-archive-1", b"(") + (1 << 40).to_bytes(8, "little"),
        tokens(b"nix-archive-1", b"(", b"type", b"regular", b"contents") + b"\xff" * 8,
    ],
)
def test_what_is_no_nar_is_refused(bad: bytes) -> None:
    with pytest.raises(DecodeError):
        check(bad, strict=False)


TREES: st.SearchStrategy[Tree] = st.recursive(
    st.one_of(
        st.binary(max_size=40),
        st.tuples(st.just("executable"), st.binary(max_size=20)),
        st.tuples(
            st.just("symlink"), st.binary(min_size=1, max_size=20).filter(lambda b: 0 not in b)
        ),
    ),
    lambda inner: st.dictionaries(
        st.binary(min_size=1, max_size=12).filter(
            lambda b: b not in (b".", b"..") and 0 not in b and b"/" not in b
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)


@given(TREES, st.integers(1, 40), st.booleans())
def test_any_archive_ends_where_its_grammar_ends(tree: Tree, size: int, strict: bool) -> None:
    data = nar(tree)
    whole = check(data, strict=strict)
    assert whole[1] == len(data)
    assert ends(data, chunks(data + TRAILING, size), strict=strict) == whole
