"""Remarks that a side does not read, written and read back, and hostile ones."""

from __future__ import annotations

import pytest

from pix_inspect.recording.notes import Reading, Stuck, note_of
from pix_inspect.recording.stall_notes import MOST, Stall, take


def test_a_stall_from_its_remark_to_the_next() -> None:
    stalls: list[Stall] = []
    assert take(stalls, Stuck(0, 4096, since=5), 7)
    assert stalls == [Stall(0, 5, 4096)]
    assert take(stalls, Stuck(1, 10, since=6), 8)
    assert take(stalls, Reading(0), 9)
    assert stalls == [Stall(0, 5, 4096, until=9), Stall(1, 6, 10)]
    assert take(stalls, Reading(0), 10)
    assert stalls[0].until == 9


@pytest.mark.parametrize(
    "remark",
    [None, [], "does not read", {}, {"does not read": 3}, {"does not read": "both"}, {"x": 1}],
)
def test_other_remarks_are_left_to_others(remark: object) -> None:
    stalls: list[Stall] = []
    assert not take(stalls, note_of({"note": remark}), 1)
    assert stalls == []


def test_numbers_nobody_can_mean() -> None:
    stalls: list[Stall] = []
    assert take(stalls, Stuck.read({"does not read": "client", "held": -1, "since": 1 << 70}), 3)
    assert take(stalls, Stuck.read({"does not read": "client", "held": True, "since": "x"}), 4)
    assert stalls == [Stall(0, 3, 0), Stall(0, 4, 0)]


def test_only_so_many_are_remembered() -> None:
    stalls: list[Stall] = []
    for _ in range(MOST + 10):
        take(stalls, Stuck(0, 1, 1), 1)
    assert len(stalls) == MOST
