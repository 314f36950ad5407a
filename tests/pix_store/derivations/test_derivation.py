from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_store.derivations.derivation import Derivation, Output, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLAIN = st.text("abc/-.", max_size=12)

DERIVATIONS = st.builds(
    Derivation,
    outputs=st.dictionaries(PLAIN, st.builds(Output, PLAIN, PLAIN, PLAIN), max_size=3),
    inputs=st.dictionaries(PLAIN, st.lists(PLAIN, max_size=3, unique=True).map(sorted).map(tuple)),
    sources=st.frozensets(PLAIN, max_size=3),
    system=PLAIN,
    builder=TEXT,
    args=st.lists(TEXT, max_size=4).map(tuple),
    env=st.dictionaries(TEXT, TEXT, max_size=4),
)


@given(DERIVATIONS)
def test_what_is_written_is_read(derivation: Derivation) -> None:
    assert parse(derivation.text()) == derivation


SMALL = 'Derive([("out","/o","","")],[],["/s"],"x","/bin/sh",["-c","a\\"b\\\\c\\nd"],[("k","v")])'


def test_a_small_derivation() -> None:
    found = parse(SMALL)
    assert found.outputs == {"out": Output("/o")}
    assert found.args == ("-c", 'a"b\\c\nd')
    assert found.env == {"k": "v"}
    assert found.text() == SMALL


@pytest.mark.parametrize("cut", range(0, len(SMALL), 3))
def test_a_derivation_that_was_cut_is_none(cut: int) -> None:
    with pytest.raises(ValueError, match=r"expected|does not end"):
        parse(SMALL[:cut])


@pytest.mark.parametrize(
    "text", ["", "Derive", SMALL + "x", "DrvWithVersion(" + SMALL[7:], "[" * 100_000, '"' * 5]
)
def test_what_is_no_derivation(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|behind"):
        parse(text)
