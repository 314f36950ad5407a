"""Expectations as text: what they mean; of nonsense, what is wrong and where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.cli import main
from pix_inspect.expectations.expectation import ExpectationError, expectation


@pytest.mark.parametrize(
    ("text", "what", "measure", "operator", "number"),
    [
        ("count(op = QueryPathInfo) < 100", "count", "", "<", 100),
        ("count()<=1e5", "count", "", "<=", 100_000),
        ("count(about ~ /a(b|c) < 3/) >= 1_000", "count", "", ">=", 1000),
        (" p95( took , op = BuildPaths ) < 1.5 s ", "p95", "took", "<", 1.5e9),
        ("p05(took) < 5us", "p5", "took", "<", 5000),
        ("max(took) != 5µs", "max", "took", "!=", 5000),
        ("sum(bytes) == 1.5KiB", "sum", "bytes", "==", 1536),
        ("mean(up, not error) > 7", "mean", "up", ">", 7),
        ("no error", "count", "", "=", 0),
        ("any op = AddMultipleToStore", "count", "", ">", 0),
        ('no "eror"', "count", "", "=", 0),
        ('any "glibc"', "count", "", ">", 0),
        ("no request.path ~ glibc", "count", "", "=", 0),
    ],
)
def test_what_is_meant(text: str, what: str, measure: str, operator: str, number: float) -> None:
    found = expectation(text)
    term = found.measure.term if found.measure is not None else ""
    assert (found.what, term, found.operator) == (what, measure, operator)
    assert found.number == number


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("", "this is not an expectation", None),
        ("error", "this is not an expectation", None),
        ("no", "no what?", None),
        ("any  ", "any what?", None),
        ("no eror", "did you mean error?", "eror"),
        ("no desync", "did you mean finding = desync?", "desync"),
        ("no warning", "did you mean finding = warning?", "warning"),
        ("no op", "did you mean op = …?", "op"),
        ("any QueryPathInof", "did you mean QueryPathInfo?", "QueryPathInof"),
        ("no (ok and not eror)", "did you mean error?", "eror"),
        ("no finding = obsolte", "did you mean obsolete?", "finding"),
        ("count(op = QueryPathInfoo) < 3", "did you mean QueryPathInfo?", "QueryPathInfoo"),
        ("p95(took, op = Quer) < 1s", "no operation", "Quer"),
        ("p95(took, conn = ) < 1s", "a value is missing", ") <"),
        ("count(op = QueryPathInfo < 3", "with what is count compared?", ""),
        ("count(op = QueryPathInfo)", "with what is count compared?", ""),
        ("median(took) < 5ms", "did you mean p50?", "median"),
        ("cuont() < 5", "did you mean count?", "cuont"),
        ("frobnicate(took) < 5ms", "one of count, max", "frobnicate"),
        ("p101(took) < 1s", "p1 to p100", "p101"),
        ("p0(took) < 1s", "p1 to p100", "p0"),
        ("p95(tok) < 1ms", "p95 of what? took, bytes", "tok"),
        ("p95() < 1ms", "p95 of what? took, bytes", ") < 1ms"),
        ("p95(took) < 5", "a time needs a unit, such as 5ms", "5"),
        ("p95(took) < 5parsec", "not a unit of took", "5parsec"),
        ("count() < 5ms", "not a unit of a count", "5ms"),
        ("count() < 100k", "not a unit of a count", "100k"),
        ("p95(bytes) < 5ms", "not a unit of bytes", "5ms"),
        ("count() < -3", "a count is never negative", "-3"),
        ("max(took) > -1s", "took is never negative", "-1s"),
        ("count(error) >= 0", "a count is never less than 0: this always holds", "0"),
        ("max(took) >= 0ms", "took is never less than 0: this always holds", "0ms"),
        ("count(error) != 1.5", "a count is a whole number", "1.5"),
        ("no code", "'code' by itself is nothing", "code"),
        ("count() < many", "'many' is not a number", "many"),
        ("count() < 1e999", "beyond all measure", "1e999"),
        ("count() < " + "9" * 500, "beyond all measure", "999"),
    ],
)
def test_nonsense_is_told_with_its_place(text: str, said: str, place: str | None) -> None:
    with pytest.raises(ExpectationError) as caught:
        expectation(text)
    told = str(caught.value)
    assert said in told
    assert "\n" not in told
    if place is not None:
        at = text.index(place) if place else len(text)
        if place == "5":
            at = text.rindex("5")
        assert told.endswith(f"(at character {at + 1})")


@given(st.text(max_size=60))
def test_any_text_is_an_expectation_or_none(text: str) -> None:
    for tried in (text, f"no {text}", f"count({text}) < 3", f"p9{text}", f"max({text}"):
        with suppress(ExpectationError):
            expectation(tried)


def test_hostile_expectations_are_shown_inert(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("no \x1b[31mfoo = 3", "count(\n op = \u202eX) < 3", "p95(\x00) < 3"):
        assert main(["check", "recording.pcapng", text]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 3
    assert not {"\x1b", "\u202e", "\x00"} & set(said)
