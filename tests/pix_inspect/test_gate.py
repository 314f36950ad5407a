"""Expectations: what they mean, whether they hold, and what is said of nonsense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.gate import ExpectationError, check, expectation
from pix_inspect.session import Session

RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(RECORDINGS / "build-failure.pcapng").read_all()


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("count(op = BuildPaths) = 1", True),
        ("count(op = BuildPaths) > 1", False),
        ("count() > 10", True),
        ("no error", False),
        ("no opaque", True),
        ("any op = BuildPaths", True),
        ("any op = AddPermRoot", False),
        ("p95(took) < 1h", True),
        ("max(took, op = BuildPaths) < 1ns", False),
        ("min(bytes) > 0", True),
        ("sum(up) < 1G", True),
        ("mean(down) >= 1B", True),
        ("p50(took, op = AddPermRoot) < 1s", False),
        ("sum(bytes, op = AddPermRoot) = 0", True),
        ("max(frames) > 3", True),
    ],
)
def test_holds_or_not(session: Session, text: str, holds: bool) -> None:
    assert check(session, expectation(text)).holds is holds


def test_what_failed_is_named(session: Session) -> None:
    verdict = check(session, expectation("no error"))
    assert verdict.exchanges
    assert all(session.row(number - 1).state == "error" for number in verdict.exchanges)


@pytest.mark.parametrize(
    "text",
    [
        "", "error", "count(op = Quer) < 1", "p95(tok) < 1ms", "p95(took) < 5", "count() < 5ms",
        "p95(bytes) < 5ms", "count(op = QueryPathInfo < 3", "no", "p101(took) < 1s",
    ],
)  # fmt: skip
def test_nonsense_is_said_in_one_line(text: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        expectation(text)
    assert "\n" not in str(caught.value)


def test_the_command_ends_with_status_1_when_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "build-failure.pcapng")
    assert main(["check", path, "count() > 1"]) == 0
    assert main(["check", path, "count() > 1", "no error"]) == 1
    assert "✗ no error" in capsys.readouterr().out
    assert main(["check", path, "no eror", "--format", "json"]) in (0, 1)
    assert main(["check", path, "p95(x) < 1"]) == 2


def test_json_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "build-failure.pcapng")
    main(["check", path, "no error", "count() > 1", "--format", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["holds"] for line in lines] == [False, True]
