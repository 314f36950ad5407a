"""Text in cells: hostile strings come out harmless and of the width they say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from pix_inspect.ui.widgets.text import fit, fit_end, fit_middle, fit_right, safe, wrapped
from tests.support.hostile import HOSTILE

FITTED = [fit, fit_right]
AT_MOST = [fit_end, fit_middle]
TEXTS = st.one_of(st.text(), st.sampled_from(HOSTILE))
WIDTHS = st.integers(0, 60)


def harmless(text: str) -> bool:
    return all(
        get_character_cell_size(char) in (1, 2)
        and unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Mn", "Me")
        and unicodedata.bidirectional(char) not in ("R", "AL", "AN", "RLO", "LRO", "RLE", "LRE")
        for char in text
    )


@given(st.text())
def test_safe_text_has_only_characters_of_one_or_two_cells_that_stay_where_they_are(
    text: str,
) -> None:
    assert harmless(safe(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_not_obeyed(text: str) -> None:
    shown = safe(text)
    assert harmless(shown)
    assert cell_len(shown) == sum(map(get_character_cell_size, shown)), "no two characters join"


def test_what_was_there_can_still_be_seen() -> None:
    assert safe("\x1b[31m") == "␛[31m"
    assert safe("a\u202eb") == "a\\u{202e}b"
    assert safe("\u1161") == "\\u{1161}"
    assert safe("[b]") == "[b]"


@given(TEXTS, WIDTHS)
def test_fitted_text_takes_exactly_its_cells(text: str, width: int) -> None:
    for fitted in FITTED:
        assert cell_len(fitted(safe(text), width)) == width


@given(TEXTS, WIDTHS)
def test_shortened_text_takes_no_more_than_its_cells(text: str, width: int) -> None:
    for shortened in AT_MOST:
        assert cell_len(shortened(safe(text), width)) <= width


def test_texts_are_cut_where_they_say_least() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit_right("12", 4) == "  12"
    assert fit_end("abcdef", 4) == "…def"
    assert fit_middle("/nix/store/0123456789-name", 12) == "/nix…89-name"


@given(TEXTS, st.integers(2, 40))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrapped(safe(text), width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == safe(text).replace(" ", "")
