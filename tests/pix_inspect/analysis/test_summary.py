"""The table that `run` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.analysis.statistics import Statistics
from pix_inspect.analysis.summary import summary
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


def test_each_operation_has_one_line_and_nothing_is_left_out() -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    statistics = Statistics(session)
    statistics.finish()
    found = sorted(statistics.operations.values(), key=lambda tally: -tally.total)
    assert sum(tally.count for tally in found) == len(session)
    assert sum(tally.up for tally in found) == sum(session.row(i).up for i in range(len(session)))
    lines = list(summary(RECORDINGS / "queries.pcapng"))
    assert [line.split()[0] for line in lines[1:-1]] == [tally.name for tally in found]
    assert lines[-1].startswith(f"{len(session.connections)} connection")
    session.close()


def test_errors_are_counted() -> None:
    session = Session(RECORDINGS / "build-failure.pcapng").read_all()
    head, *rows = list(summary(RECORDINGS / "build-failure.pcapng"))
    at = head.index("errors") + len("errors") - 1
    assert sum(int(row[at]) for row in rows if row[at : at + 1].isdigit()) == session.errors > 0
    session.close()


def test_every_line_has_its_columns_under_each_other() -> None:
    for recording in RECORDINGS.glob("*.pcapng"):
        said = (line for line in summary(recording) if not line.startswith("found: "))
        head, *rows, _ = said
        end = head.index(" up") + len(" up")
        assert all(row[end : end + 1] in ("", " ") for row in rows), recording


def test_no_recording_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem):
        list(summary(tmp_path / "none"))


def test_what_was_found_is_named_when_it_is_more_than_a_note() -> None:
    said = list(summary(RECORDINGS / "untrusted.pcapng"))
    assert "warning unsigned" in said[-2]
    assert "restricted-setting" not in said[-2]
    assert not any(line.startswith("found") for line in summary(RECORDINGS / "copy.pcapng"))
