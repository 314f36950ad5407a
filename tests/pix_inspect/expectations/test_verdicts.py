"""The gate: whether expectations hold, what is named, and how the command ends."""

from __future__ import annotations

import json
from array import array

import pytest

from pix_inspect.cli import main
from pix_inspect.expectations import verdicts as gate
from pix_inspect.expectations.expectation import expectation
from pix_inspect.expectations.verdicts import Verdict, verdicts
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


def check(session: Session, text: str) -> Verdict:
    return verdicts(session, [expectation(text)])[0]


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
    assert check(session, text).holds is holds


def test_what_failed_is_named(session: Session) -> None:
    verdict = check(session, "no error")
    assert verdict.exchanges
    assert all(session.row(number - 1).state == "error" for number in verdict.exchanges)


def test_the_exchanges_named_tell_most(session: Session) -> None:
    slow = check(session, "max(took, operation) < 1ns")
    took = [session.row(number - 1).took or 0 for number in slow.exchanges]
    assert took == sorted(took, reverse=True)
    assert max(took) == slow.value
    small = check(session, "min(bytes, operation) > 1G")
    sizes = [session.row(n - 1).bytes
             for n in small.exchanges]  # fmt: skip
    assert sizes == sorted(sizes)
    assert min(sizes) == small.value


def test_nothing_to_measure(session: Session) -> None:
    verdict = check(session, "p95(took, op = AddPermRoot) < 1s")
    assert (verdict.holds, verdict.value, verdict.exchanges) == (False, None, ())
    assert verdict.found == "no exchange to measure"


def test_all_are_looked_at_in_one_pass(session: Session) -> None:
    texts = ["no error", "count() > 1", 'any "builder"', "p50(took) < 1h"]
    far: list[tuple[int, int]] = []
    together = verdicts(session, map(expectation, texts), lambda *at: far.append(at))
    assert together == [check(session, text) for text in texts]
    assert far == [(0, len(session))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("count() > 0", "1,234,567"), ("sum(frames) > 0", "1,234,567"), ("mean(frames) > 0", "1")],
)
def test_large_counts_are_shown_whole(text: str, shown: str) -> None:
    measured = gate._Measured(expectation(text))
    measured.values = array("q", [1]) * 1_234_567
    assert measured.verdict().found == shown


def test_the_command_ends_with_status_1_when_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(RECORDINGS / "build-with-log.pcapng"), "count() > 1"]) == 0
    path = str(RECORDINGS / "build-failure.pcapng")
    assert main(["check", path, "count() > 1"]) == 1  # for the finding
    assert main(["check", path, "count() > 1", "no error"]) == 1
    assert "✗ no error" in capsys.readouterr().out
    assert main(["check", path, "no eror", "--format", "json"]) == 2
    assert main(["check", path, "p95(x) < 1"]) == 2


def test_json_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "build-failure.pcapng")
    main(["check", path, "no error", "count() > 1", "--format", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["holds"] for line in lines if "holds" in line] == [False, True]
    assert lines[0]["value"] == 1
    assert lines[0]["wanted"] == 0
    assert lines[-1]["exchanges"] == lines[1]["value"]
    assert lines[-1]["cut"] is None
