"""The round-trip report: splits add up, runs are found, distance costs what it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix.gates import Protocol
from pix_inspect.analysis import Analyst, Distance, advice
from pix_inspect.cli import main
from pix_inspect.session import Session

RECORDINGS = sorted((Path(__file__).parents[2] / "recordings").glob("*.pcapng"))
MS = 1_000_000


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_it_counts_what_the_session_counts(path: Path) -> None:
    found = Analyst(path).read()
    session = Session(path).read_all()
    rows = [session.row(i) for i in range(len(session))]
    assert found.exchanges == len(rows)
    assert found.connections == len(session.connections)
    assert found.elapsed == session.last - session.started
    assert sum(split.up for split in found.operations.values()) == sum(
        row.request_bytes for row in rows
    )
    for split in found.operations.values():
        assert split.requesting + split.waiting + split.answering <= split.total
        assert split.errors <= split.count


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_distance_costs_a_round_trip_for_each_turn(path: Path) -> None:
    near = Analyst(path, Distance(0))
    near.read()
    assert near.predicted == near.found.elapsed
    far = Analyst(path, Distance(50 * MS))
    found = far.read()
    longest = max(found.connections, 1) * 50 * MS
    assert far.predicted > found.elapsed
    assert far.predicted <= found.elapsed + (found.round_trips + 1) * 50 * MS + longest


def test_a_slow_line_costs_by_the_byte() -> None:
    path = next(path for path in RECORDINGS if path.stem == "add-tree")
    slow = Analyst(path, Distance(0, rate=1000.0))
    found = slow.read()
    assert slow.predicted == pytest.approx(
        found.elapsed + (found.up + found.down) / 1000 * 1e9, rel=0.05
    )


def test_the_same_question_again_is_counted() -> None:
    path = next(path for path in RECORDINGS if path.stem == "queries")
    assert Analyst(path).read().repeated > 0


@pytest.mark.parametrize(
    ("operation", "protocol", "says"),
    [
        ("IsValidPath", Protocol(38), "one QueryValidPaths (operation 31) does it"),
        ("IsValidPath", Protocol(11), "from 1.12 on"),
        ("QueryPathInfo", Protocol(38), "is not in force here"),
        ("QueryPathInfo", Protocol(38, frozenset({"queryPathInfos"})), "does it"),
        ("AddToStoreNar", Protocol(21), "AddMultipleToStore (operation 44) would do it from 1.32"),
        ("VerifyStore", Protocol(38), ""),
    ],
)
def test_advice_fits_the_version(operation: str, protocol: Protocol, says: str) -> None:
    assert says in advice(operation, protocol)
    assert bool(says) == bool(advice(operation, protocol))


def test_json_and_text_agree(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS[0])
    assert main(["analyse", path, "--format", "json", "--at-rtt", "5ms"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["analyse", path, "--at-rtt", "5ms"]) == 0
    text = capsys.readouterr().out
    assert f"{said['exchanges']:,} exchange" in text
    for split in said["operations"]:
        assert split["operation"] in text
    assert said["at_distance"]["elapsed"] > said["elapsed"]


@pytest.mark.parametrize("wrong", ["ms", "-5ms", "5 parsecs"])
def test_a_time_that_is_none_is_said_in_one_line(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyse", str(RECORDINGS[0]), f"--at-rtt={wrong}"]) == 2
    assert "is no time" in capsys.readouterr().err
