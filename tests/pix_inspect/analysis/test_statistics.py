"""Statistics: tallies agree with the rows they are taken from."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pix_inspect.analysis.statistics import BUCKETS, MOST_STRETCHES, Statistics, Tally
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import connected


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda p: p.stem)
def test_tallies_add_up(path: Path) -> None:
    session = Session(path).read_all()
    statistics = Statistics(session)
    assert statistics.update()
    assert not statistics.update()
    assert statistics.taken == statistics.wanted == len(session)
    rows = [session.row(i) for i in range(len(session))]
    for tallies in (statistics.operations, statistics.connections):
        assert sum(tally.count for tally in tallies.values()) == len(rows)
        assert sum(tally.up for tally in tallies.values()) == sum(r.up for r in rows)
        assert sum(tally.down for tally in tallies.values()) == sum(r.down for r in rows)
        assert sum(tally.errors for tally in tallies.values()) == session.errors
    whole = statistics.all
    assert whole.total == sum(row.took or 0 for row in rows)
    assert whole.slowest == max(row.took or 0 for row in rows)
    assert sum(whole.histogram) == len(rows)
    seconds, counts = statistics.rate(10)
    assert sum(counts) == len(rows)
    assert len(counts) <= 10
    assert seconds * len(counts) >= (session.last - session.started) / 1e9
    name = next(iter(statistics.operations))
    assert sum(statistics.rate(7, statistics.operations[name])[1]) == (
        statistics.operations[name].count
    )


def test_percentiles_are_by_nearest_rank() -> None:
    tally = Tally("x")
    tally.spend(list(range(1, 101)))
    assert [tally.percentile(p) for p in (0, 1, 50, 95, 99, 100)] == [1, 1, 50, 95, 99, 100]
    assert tally.percentiles(0, 1, 50, 95, 99, 100) == [1, 1, 50, 95, 99, 100]


def test_percentiles_are_true_to_a_thousandth_however_many_there_are() -> None:
    dice = random.Random(1)
    times = [int(10 ** dice.uniform(0, 12)) for _ in range(20_000)]
    tally = Tally("x")
    tally.spend(times)
    times.sort()
    for percent in (0.1, 5, 50, 95, 99, 99.99):
        exact = times[max(int(-(-len(times) * percent // 100)) - 1, 0)]
        found = tally.percentile(percent)
        assert found is not None
        assert exact * 0.999 <= found <= exact
    assert tally.slowest == times[-1] == tally.percentile(100)
    assert len(tally.durations) < len(times)


def test_percentiles_of_nothing_are_unknown() -> None:
    assert Tally("x").percentile(50) is None
    assert Tally("x").slowest is None


def test_chosen_exchanges_alone_are_counted() -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    chosen = [i for i in range(len(session)) if session.row(i).operation == "QueryPathInfo"]
    statistics = Statistics(session, chosen)
    statistics.update()
    assert set(statistics.operations) == {"QueryPathInfo"}
    assert statistics.all.count == len(chosen) == statistics.wanted


def test_what_comes_in_between_the_chosen_ones_is_counted_too() -> None:
    session = Session(RECORDINGS / "two-clients.pcapng").read_all()
    chosen = [3, 9]
    statistics = Statistics(session, chosen)
    assert statistics.update()
    assert not statistics.update()
    chosen.append(12)
    assert statistics.update()
    assert statistics.all.count == 3
    chosen.insert(1, 5)
    assert statistics.update()
    assert statistics.all.count == 4
    chosen.clear()
    assert statistics.update()
    assert statistics.all.count == 0


def test_the_histogram_has_a_bar_for_what_exceeds_all_bounds() -> None:
    tally = Tally("x")
    tally.spend([0, BUCKETS[0], BUCKETS[-1]])
    bars = tally.histogram
    assert bars[0] == bars[1] == bars[-1] == 1


def test_slices_come_to_the_same_as_one_go() -> None:
    session = Session(RECORDINGS / "two-clients.pcapng").read_all()
    whole, sliced = Statistics(session), Statistics(session)
    whole.update()
    for _ in range(len(session)):
        assert sliced.update(1)
    assert not sliced.update(1)
    assert sliced.operations == whole.operations
    assert sliced.connections == whole.connections


def test_an_exchange_is_counted_once_it_is_over(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("IsValidPath", path="/nix/store/x")
    session = talk.session(closed=False)
    statistics = Statistics(session)
    assert statistics.update()
    assert statistics.open_rows == [1]
    assert set(statistics.operations) == {"handshake"}
    talk.answer("IsValidPath", valid=True).save()
    session.read_all()
    assert statistics.update()
    assert statistics.open_rows == []
    assert statistics.operations["IsValidPath"].count == 1


def test_stretches_of_time_widen_as_the_session_grows(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    for _ in range(40):
        talk.recording.time += 3_000_000_000
        talk.ask("IsValidPath", path="/nix/store/x")
        talk.answer("IsValidPath", valid=True)
    session = talk.session()
    statistics = Statistics(session)
    for _ in range(100):
        statistics.update(1)
    assert len(statistics.all.starts) <= 41
    assert max(statistics.all.starts) < MOST_STRETCHES
    seconds, counts = statistics.rate(40)
    assert sum(counts) == 41
    assert 3 <= seconds <= 6
