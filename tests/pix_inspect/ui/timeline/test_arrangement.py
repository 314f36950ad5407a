"""Which exchange stands on which line: sorted as Python sorts, grouped, and never jumping."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.session.session import Session
from pix_inspect.ui.timeline import arrangement
from pix_inspect.ui.timeline.arrangement import Arrangement, AsTheyCame, Everything, Grouped, Sorted
from pix_inspect.ui.timeline.columns import SORTABLE
from tests.support.places import RECORDINGS
from tests.support.recording import Connection, growing
from tests.support.words import PATH


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(RECORDINGS / "two-clients.pcapng").read_all()


def entries(arranged: Arrangement) -> list[int]:
    return [arranged.at(line) for line in range(len(arranged))]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", SORTABLE)
def test_sorted_as_python_sorts(
    session: Session, column: str, descending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrangement, "SPLITTERS", 4)
    monkeypatch.setattr(arrangement, "BATCH", 7)
    arranged = Sorted(session, Everything(session), column, descending=descending)
    steps = 1
    while not arranged.advance(0):
        steps += 1
    assert steps > 3
    key = session.column(column)
    sign = -1 if descending else 1
    assert entries(arranged) == sorted(range(len(session)), key=lambda i: sign * key(i))
    for line, entry in enumerate(entries(arranged)):
        assert arranged.find(entry) == line


def test_nothing_at_all_can_be_arranged(session: Session) -> None:
    nothing: array[int] = array("I")
    for arranged in (
        AsTheyCame(nothing), Sorted(session, nothing, "took", descending=True),
        Grouped(session, nothing),
    ):  # fmt: skip
        assert arranged.advance(60)
        assert len(arranged) == 0
        assert not arranged.update(moved=False)


def test_groups_have_heads_and_can_be_closed(session: Session) -> None:
    arranged = Grouped(session, Everything(session))
    while not arranged.advance(0):
        pass
    assert len(arranged) == len(session) + 2
    assert arranged.at(0) == -1
    second = arranged.head(2)
    assert second is not None
    assert arranged.at(second) == -2
    for line in range(len(arranged)):
        assert arranged.find(arranged.at(line)) == line
    in_first = arranged.at(3)
    arranged.flip(1)
    assert arranged.at(1) == -2
    assert arranged.find(in_first) == 0, "the head stands for what is in a closed group"
    arranged.flip(1)
    assert arranged.find(in_first) == 3


def ask(talk: Connection) -> None:
    reply = ops.IsValidPath.Reply(valid=True)
    talk.trip(ops.IsValidPath(path=PATH), StderrLast(), reply).save()


def test_what_arrives_stands_in_its_group_or_behind_what_is_sorted(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    one, two = made.connect(), made.connect()
    ask(one)
    ask(two)
    session = Session(made.path).read_all()
    grouped = Grouped(session, Everything(session))
    sorted_ = Sorted(session, Everything(session), "connection", descending=True)
    assert grouped.advance(60)
    assert sorted_.advance(60)
    before = entries(sorted_)
    ask(one)
    session.read_all()
    assert grouped.update(moved=False), "lines below the first group have moved"
    assert entries(grouped) == [-1, 0, 2, 4, -2, 1, 3]
    assert not sorted_.update(moved=False)
    assert entries(sorted_) == [*before, 4]
    assert sorted_.late == 1


def test_what_is_put_in_or_taken_out_in_the_middle_is_followed(session: Session) -> None:
    shown = array("I", [2, 5, 9, 12])
    came, grouped = AsTheyCame(shown), Grouped(session, shown)
    sorted_ = Sorted(session, shown, "took", descending=True)
    assert grouped.advance(60)
    assert sorted_.advance(60)
    shown.insert(2, 7)
    shown.remove(5)
    for arranged in (came, grouped, sorted_):
        assert arranged.update(moved=True)
        found = sorted(entry for entry in entries(arranged) if entry >= 0)
        assert found == [2, 7, 9, 12]
    assert came.near(5) == 1
    assert came.find(5) is None
