"""Regular expressions: the same answers by both engines, an end on any text."""

from __future__ import annotations

import random
import re

import pytest

from pix.problem import Problem
from pix_inspect.filter import patterns
from pix_inspect.filter.patterns import Pattern, PatternError

HOSTILE = [
    "(a+)+$", "(a*)*b", "(a|a)*b", "(a|aa)+$", "((a?){3,})*c", "(.*a){20}", "(?:a+)+$",
    "(?P<x>a+)*b", "([a-z]+)*\\d", "(a?b?)*c", "(x(a+))+$",
]  # fmt: skip
MANY = ["a*" * 12 + "b", "a?" * 40 + "a" * 40, "(a|b|ab)(a|b|ab)" * 20 + "c", ".*" * 20 + "x"]


@pytest.fixture(params=["re2", "python"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(patterns, "_by_re2", lambda text: None)
    else:
        pytest.importorskip("re2")
    return str(request.param)


def test_what_is_found(engine: str) -> None:
    for expression, text, found in [
        ("glibc-2", "/nix/store/x-glibc-2.39", True), ("GLIBC", "glibc", True), ("^a", "ba", False),
        (r"\.drv$", "x.drv", True), ("a{2,3}b", "aab", True), ("[^/]+$", "/", False),
        ("ä", "Ä", True), ("x|y", "y", True), ("(foo|bar)-1", "bar-1", True), ("", "x", True),
        (r"a\*b", "a*b", True), ("[*+]", "+", True), (r"\(", "(", True), ("é", "\udce9", False),
    ]:  # fmt: skip
        assert Pattern(expression).matches(text) is found, expression


@pytest.mark.parametrize(
    "expression",
    ["(", "a{99999999999999999999}", "*", "[a", "\\", "(?P<a", "(" * 300, "a" * 2000, "(?a)(?u)x"],
)
def test_what_is_not_an_expression_is_one_line(engine: str, expression: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(expression)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("expression", HOSTILE + MANY)
def test_hostile_text_ends(engine: str, expression: str) -> None:
    text = "a" * 5000 + "!"
    if engine == "re2":
        Pattern(expression).matches(text)
        return
    with pytest.raises((PatternError, Problem), match="re2"):
        Pattern(expression).matches(text)


def test_any_expression_that_python_takes_is_answered_alike_or_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patterns, "_by_re2", lambda text: None)
    dice = random.Random(9)
    refused = 0
    for _ in range(3000):
        expression = "".join(dice.choices("ab()|*+?[]^$.{}12,\\-", k=dice.randrange(1, 12)))
        text = "".join(dice.choices("ab12-", k=dice.randrange(12)))
        try:
            expected = re.search(expression, text, re.IGNORECASE) is not None
        except (re.error, OverflowError, FutureWarning):
            continue
        try:
            assert Pattern(expression).matches(text) is expected, (expression, text)
        except PatternError:
            refused += 1
    assert refused < 300
