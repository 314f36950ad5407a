"""Sizes, rates and times on the command line: what they mean, and one line for what they do not."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from pix_inspect.options.quantities import rate_given, size_given, time_given


def test_units_are_understood() -> None:
    assert size_given("64K") == 64 << 10
    assert rate_given("20M") == 20 << 20
    assert time_given("50ms") == 50_000_000


@pytest.mark.parametrize(
    ("given", "text", "said"),
    [
        (size_given, "much", "'much'"),
        (rate_given, "0", "a rate of '0' lets nothing pass"),
        (rate_given, "-1", "'-1'"),
        (time_given, "5 parsecs", "'5 parsecs'"),
    ],
)
def test_what_is_none_is_quoted(given: Callable[[str], float], text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        given(text)
