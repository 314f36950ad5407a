"""The findings of one exchange, as filters ask for them."""

from __future__ import annotations

import pytest

from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.syntax import FilterError
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("finding = unsigned", [4]),
        ("finding = warning", [4, 6]),
        ("finding ~ sandbox", [6]),
        ("finding", [4, 6]),
        ("finding != warning and conn = 1", [1, 2, 3]),
    ],
)
def test_findings_in_filters(text: str, numbers: list[int]) -> None:
    session = Session(RECORDINGS / "untrusted.pcapng").read_all()
    chosen = compile_filter(text)
    assert [i + 1 for i in range(len(session)) if chosen.matches(session, i)] == numbers


@pytest.mark.parametrize("text", ["finding = obsolet", "finding > 3", "finding = nonsense"])
def test_a_kind_that_is_none(text: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(text)
