"""Rows: what stands stays until what is arranged anew is ready."""

from __future__ import annotations

import pytest

from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.rows import Rows
from tests.support.places import RECORDINGS


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(RECORDINGS / "two-clients.pcapng").read_all()


def entries(rows: Rows) -> list[int]:
    return [rows.entry(line) for line in range(len(rows))]


def test_the_lines_change_when_all_is_arranged(session: Session) -> None:
    rows = Rows(session)
    everything = list(range(len(session)))
    rows.sorted_by, rows.descending = "took", True
    rows.rearrange()
    assert not rows.settled
    assert not rows.has(3)
    assert entries(rows) == everything
    while not rows.advance(60):
        pass
    assert entries(rows) == everything
    rows.turn()
    assert rows.settled
    assert not rows.as_they_came
    took = session.column("took")
    assert entries(rows) == sorted(everything, key=took, reverse=True)
    assert rows.entry(rows.near(3)) == 3


def test_what_is_shown_bounds_the_rows(session: Session) -> None:
    rows = Rows(session)
    rows.shown = [2, 5, 9]
    rows.rearrange()
    assert rows.advance(60)
    rows.turn()
    assert entries(rows) == [2, 5, 9]
    assert (rows.has(5), rows.has(6), rows.has(len(session))) == (True, False, False)
    assert rows.near(6) == 2
    assert rows.chosen(1) == 5


def test_a_head_stands_for_the_handshake(session: Session) -> None:
    rows = Rows(session)
    rows.grouped = True
    rows.rearrange()
    while not rows.advance(60):
        pass
    rows.turn()
    groups = rows.groups
    assert groups is not None
    assert rows.entry(0) == -1
    assert rows.chosen(0) == session.connections[1].handshake
    groups.flip(1)
    assert rows.entry(1) == -2
    assert len(Rows(Session(RECORDINGS / "two-clients.pcapng"))) == 0
