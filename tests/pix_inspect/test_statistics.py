"""Statistics: tallies agree with the rows they are taken from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.session import Session
from pix_inspect.statistics import BUCKETS, Statistics, Tally

RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda p: p.stem)
def test_tallies_add_up(path: Path) -> None:
    session = Session(path).read_all()
    statistics = Statistics(session)
    assert statistics.update()
    assert not statistics.update()
    rows = [session.row(i) for i in range(len(session))]
    for tallies in (statistics.operations, statistics.connections):
        assert sum(tally.count for tally in tallies.values()) == len(rows)
        assert sum(tally.up for tally in tallies.values()) == sum(r.request_bytes for r in rows)
        assert sum(tally.errors for tally in tallies.values()) == session.errors
    assert statistics.all.total == sum(row.took or 0 for row in rows)
    assert sum(statistics.all.histogram()) == len(statistics.all.times)
    _, counts = statistics.rate(10)
    assert sum(counts) == len(rows)


def test_percentiles_are_by_nearest_rank() -> None:
    tally = Tally("x")
    tally.times.extend(range(1, 101))
    assert [tally.percentile(p) for p in (0, 1, 50, 95, 99, 100)] == [1, 1, 50, 95, 99, 100]


def test_percentiles_of_nothing_are_unknown() -> None:
    assert Tally("x").percentile(50) is None
    assert Tally("x").slowest is None


def test_a_filter_chooses_what_is_counted() -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    statistics = Statistics(session, lambda i: session.row(i).operation == "QueryPathInfo")
    statistics.update()
    assert set(statistics.operations) == {"QueryPathInfo"}


def test_the_histogram_has_a_bar_for_what_exceeds_all_bounds() -> None:
    tally = Tally("x")
    tally.times.extend([0, BUCKETS[0], BUCKETS[-1]])
    bars = tally.histogram()
    assert bars[0] == bars[1] == bars[-1] == 1
