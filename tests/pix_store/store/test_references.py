from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pix.protocol.nix32 import ALPHABET
from pix_store.store.references import Search, rewritten

DIGITS = st.text(ALPHABET, min_size=32, max_size=32)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(
    st.lists(DIGITS, min_size=1, max_size=4, unique=True),
    st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 3)), max_size=8),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_hash_parts_are_found_however_the_bytes_are_cut(
    digits: list[str], parts: list[bytes | int], cuts: list[int]
) -> None:
    bases = [f"{d}-name" for d in digits]
    data = b"".join(
        p if isinstance(p, bytes) else bases[p % len(bases)][:32].encode() for p in parts
    )
    expected = {base for base in bases if base[:32].encode() in data}
    search = Search(bases)
    for piece in cut(data, cuts):
        search.feed(piece)
    assert search.found == expected


WORDS = {b"/nix/store": b"/tmp/abcde", b"/tmp/abcde": b"/nix/store"}


@given(
    st.lists(st.sampled_from([b"/nix/store", b"/tmp/abcde", b"/nix/st", b"/", b"x"]), max_size=12),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_words_are_exchanged_however_the_bytes_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    whole = b"".join(rewritten([data], WORDS))
    assert b"".join(rewritten(cut(data, cuts), WORDS)) == whole
    assert b"".join(rewritten([whole], WORDS)) == data
    assert len(whole) == len(data)


def test_nothing_to_exchange_changes_nothing() -> None:
    assert list(rewritten([b"a", b"b"], {b"a": b"a"})) == [b"a", b"b"]
