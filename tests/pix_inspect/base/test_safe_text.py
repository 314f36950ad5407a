"""Text of strangers comes out without anything a terminal could obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pix_inspect.base.safe_text import inert, inert_lines, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("/nix/store/x-hello", "/nix/store/x-hello"),
        ("grüße 日本 😀", "grüße 日本 😀"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\u{d800}"),
        ("a\u202eb", "a\\u{202e}b"),
        ("a\u200bb\ufeff", "a\\u{200b}b\\u{feff}"),
        ("e\u0301", "e\\u{301}"),
        ("\U00011315\U0001134d", "\U00011315\\u{1134d}"),
        ("\u1112\u1161", "\u1112\\u{1161}"),
        ("👍\U0001f3fd", "👍\\u{1f3fd}"),
        ("\u0489\u05f5\ue000", "\\u{489}\\u{5f5}\\u{e000}"),
        ("\u2028\u3000\xa0", "\\u{2028}\\u{3000}\\xa0"),
        ("\u3164\u2800", "\\u{3164}\\u{2800}"),
    ],
)
def test_inert(text: str, shown: str) -> None:
    assert inert(text) == shown


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [("abcd", 4, "abcd"), ("abcde", 4, "abc…"), ("abc", 1, "…"), ("\x1b" * 9, 3, "␛␛…")],
)
def test_long_text_is_cut(text: str, longest: int, shown: str) -> None:
    assert inert(text, longest) == shown


@given(st.text(st.characters()))
def test_what_comes_out_is_printable_and_stays_as_it_is(text: str) -> None:
    shown = inert(text)
    assert shown.isprintable()
    assert all(cell_len(char) in (1, 2) for char in shown)
    assert inert(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31;1merror:\x1b[0m no", "error: no"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b[?25l\x1bMx", "x"),
        ("\x1b[31", "\x1b[31"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_lines() -> None:
    assert inert_lines("\x1b[1ma\x1b[0m\n\tb\n\n") == ["a", "\\tb"]
