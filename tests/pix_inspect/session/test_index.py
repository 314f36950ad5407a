"""Rows with and without round trips at a glance, and as another thread sees them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.analysis.statistics import Statistics
from pix_inspect.session import index
from pix_inspect.session.connection_follower import Watcher
from pix_inspect.session.index import Index
from pix_inspect.session.session import Row, Session
from tests.fuzz.sessions import corpus, mutated
from tests.support import captures
from tests.support.playbook import said
from tests.support.recorded import START, Step, in_pieces, interleaved, record
from tests.support.recording import V38, Connection, growing
from tests.support.words import PATH

ASKED = 1
"""The exchange that ends: the first after the handshake."""


class Moment:
    """The packed records, with something that happens while the next one is written or read."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._real = index._RECORD
        self._happens: Callable[[], None] | None = happens

    def _now(self) -> None:
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()

    def pack_into(self, *args: Any) -> None:
        self._now()
        self._real.pack_into(*args)

    def unpack_from(self, *args: Any) -> tuple[Any, ...]:
        return self._real.unpack_from(*args)

    def iter_unpack(self, block: memoryview) -> Iterator[tuple[Any, ...]]:
        for packed in self._real.iter_unpack(block):
            if not packed[0]:  # it is not written yet
                self._now()
            yield packed


class Ending(dict[int, Any]):
    """What is open, where the exchange asked for ends just after it was found there."""

    def __init__(self, known: dict[int, Any], ends: Callable[[], None]) -> None:
        super().__init__(known)
        self._ends: Callable[[], None] | None = ends

    def get(self, number: int, default: Any = None) -> Any:
        found = super().get(number, default)
        ends, self._ends = self._ends, None
        if ends is not None:
            ends()
        return found


Asked = tuple[Session, Callable[[], None], Connection]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """A session in which one operation was asked and not answered, and what answers it."""
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.say(CLIENT, ops.IsValidPath(path=PATH)).save()
    session = Session(made.path).read_all()
    assert session.going_on(ASKED)

    def answer() -> None:
        talk.say(DAEMON, said(StderrLast(), V38) + (1).to_bytes(8, "little")).save()
        session.read_all()

    yield session, answer, talk
    session.close()


def test_until_its_record_is_whole_an_exchange_goes_on(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, answer, _ = asked
    seen: list[tuple[str, str | None, bool]] = []

    def look() -> None:
        row = session.row(ASKED)
        seen.append((row.state, row.operation, session.exchange(ASKED).row.took is not None))

    monkeypatch.setattr(index, "_RECORD", Moment(look))
    answer()
    assert seen == [("open", "IsValidPath", False)]
    assert session.row(ASKED).state == "ok"


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("look", [Session.row, lambda session, i: session.exchange(i).row])
def test_a_look_is_of_one_moment(
    asked: Asked, look: Callable[[Session, int], Row], *, closed: bool
) -> None:
    session, answer, talk = asked

    def end() -> None:
        if closed:
            talk.close()
        answer()

    session._index.open = Ending(session._index.open, end)
    row = look(session, ASKED)
    assert (row.operation, row.state, row.took) == ("IsValidPath", "open", None)
    assert look(session, ASKED).took is not None


def test_what_is_gone_through_is_never_half_a_record(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, answer, _ = asked
    monkeypatch.setattr(index, "_RECORD", Moment(answer))
    assert [row.operation for row in session.rows(0, 2)] == [None, "IsValidPath"]


def test_what_is_counted_is_never_half_a_record(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, answer, _ = asked
    monkeypatch.setattr(index, "_RECORD", Moment(answer))
    statistics = Statistics(session)
    statistics.update()
    assert set(statistics.operations) == {"handshake", "IsValidPath"}


def at_each_step(path: Path) -> Iterator[list[Any]]:
    """All that a session knows of its exchanges, item by item of its recording."""
    session = Session(path)
    while session.poll(0):
        numbers = range(len(session))
        yield [
            list(session.rows(0, len(session))),
            [(session.row(i), session.remarks(i), session.going_on(i)) for i in numbers[-3:]],
            [(line.exchanges, line.errors, line.last) for line in session.connections.values()],
            [session.under_way(), session.errors, session.last],
        ]
    session.close()


@pytest.mark.parametrize("size", [None, 8, 100])
def test_a_round_trip_at_a_glance_makes_the_same_rows_at_each_step(
    size: int | None,
    captured_runs: tuple[captures.Run, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pix_inspect.session.session.BATCH", 1)
    trips: list[int] = []
    answered = Index.answered

    def counted(self: Index, number: int, *what: Any) -> None:
        trips.append(number)
        answered(self, number, *what)

    monkeypatch.setattr(Index, "answered", counted)
    for i, run in enumerate(captured_runs[:: 16 if size is None else 64]):
        passed = interleaved(run.connections)
        path = record(tmp_path / f"{i}.pcapng", in_pieces(passed, size) if size else passed)
        fast = list(at_each_step(path))
        with monkeypatch.context() as patch:
            patch.delattr(Watcher, "round_trip")
            assert list(at_each_step(path)) == fast
    assert len(trips) > 100 or size


def all_of(path: Path) -> list[Any]:
    """What a session knows at the end of its recording."""
    session = Session(path).read_all()
    known: list[Any] = [
        list(session.rows(0, len(session))),
        [session.remarks(i) for i in range(len(session))],
        [session.column(name)(i) for name in ("took", "up", "down") for i in range(len(session))],
        [(line.exchanges, line.errors, line.spoke) for line in session.connections.values()],
        [session.errors, session.last, session.lost, session.under_way()],
    ]
    session.close()
    return known


@pytest.mark.parametrize("seed", range(6))
def test_many_round_trips_at_once_make_the_same_rows(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded and broken sessions, of which several share a recording, in any pieces."""
    random = Random(f"at once {seed}")
    sessions = corpus()
    trips: list[int] = []
    made = Index.round_trips

    def counted(self: Index, asked: list[Any], *what: Any) -> None:
        trips.append(len(asked))
        made(self, asked, *what)

    monkeypatch.setattr(Index, "round_trips", counted)
    for i in range(40):
        passed: list[Step] = []
        for number in range(1, random.randint(2, 5)):
            passed.append(Step(START, number, "open", CLIENT, b""))
            session = random.choice(sessions)
            if random.random() < 0.5:
                session = mutated(session, sessions, random)
            time = START
            for side, data in session:
                time += random.choice((0, 1, 1000, 50_000))
                passed.append(Step(time, number, "data", side, data))
        passed.sort(key=lambda step: step.time)
        pieces = random.choice((None, None, 8, 64, 1000))
        path = record(
            tmp_path / f"{i}.pcapng",
            in_pieces(passed, pieces) if pieces else passed,
            random.choice((None, None, 16)),
        )
        with monkeypatch.context() as patch:
            patch.setattr("pix_inspect.session.session.BATCH", 1)
            one_by_one = all_of(path)
        for batch in (500, random.randint(2, 20)):
            monkeypatch.setattr("pix_inspect.session.session.BATCH", batch)
            assert all_of(path) == one_by_one
    assert sum(trips) > 100


def test_what_does_not_fit_a_record_is_kept_aside(asked: Asked) -> None:
    session = asked[0]
    question = session._index.open[ASKED][0]
    assert isinstance(question, tuple)
    session._index.answered(ASKED, question, 8, 1 << 40, question[4] + (1 << 70))
    row = session.row(ASKED)
    assert (row.state, row.complete, row.took) == ("ok", True, (1 << 63) - 1)
    assert row.down == (1 << 40) - 8
    assert not session.going_on(ASKED)


def test_the_number_of_an_operation_is_kept_however_large() -> None:
    told = Index()
    exchange = Exchange(1, "operation", CLIENT, 0, 1, None)
    exchange.code = (1 << 64) - 16
    told.end(told.begin(exchange, 1, 0, lambda side: 0))
    assert told.row(0).code == exchange.code
