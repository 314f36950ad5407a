"""The sieve: what it lets through is what the filter says, however the work is divided."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrError, StderrLast, StderrNext
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.progressive import Sieve
from pix_inspect.session.session import Row, Session
from tests.support.places import RECORDINGS
from tests.support.recording import growing
from tests.support.words import PATH

FILTERS = [
    "op = QueryPathInfo", "not handshake", "error", "took > 100us and (conn = 1 or bytes > 1k)",
    "frames > 0", "request.path ~ stor", "greeting", "log ~ build or reply.valid = true",
]  # fmt: skip


@pytest.mark.parametrize("text", FILTERS)
def test_it_lets_through_what_the_filter_says(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pix_inspect.filter.progressive.BATCH", 10)
    session = Session(RECORDINGS / "build-with-log.pcapng").read_all()
    chosen = compile_filter(text)
    expected = [i for i in range(len(session)) if chosen.matches(session, i)]
    pieces = Sieve(session, chosen)
    steps = 0
    while not pieces.done:
        pieces.advance(0)
        steps += 1
    assert steps > 1
    assert list(pieces.hits) == expected


def test_what_takes_long_is_left_to_others() -> None:
    session = Session(RECORDINGS / "build-with-log.pcapng").read_all()
    chosen = compile_filter("greeting")
    expected = [i for i in range(len(session)) if chosen.matches(session, i)]

    def every_third(session: Session, row: Row) -> bool:
        return row.number % 3 == 0

    sieve = Sieve(session, chosen, every_third)
    sieve.advance(60)
    assert sieve.looked == len(session)
    assert not sieve.done
    waiting = []
    while (i := sieve.take_slow()) is not None:
        waiting.append(i)
    assert waiting == [i for i in range(len(session)) if (i + 1) % 3 == 0]
    for i in reversed(waiting):
        sieve.settle(i, chosen.matches(session, i))
    assert sieve.done
    assert sieve.moved
    assert list(sieve.hits) == expected


def test_what_goes_on_is_decided_anew(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.trip(ops.BuildPaths(paths=(PATH,), mode=0), StderrNext(text="one\n")).save()
    session = Session(made.path).read_all()
    going, said, failed = (
        Sieve(session, compile_filter(text)) for text in ("open", "log ~ two", "error")
    )
    for sieve in (going, said, failed):
        sieve.advance(60)
    assert [list(s.hits) for s in (going, said, failed)] == [[1], [], []]
    talk.say(DAEMON, StderrNext(text="two\n")).save()
    session.read_all()
    assert said.advance(60)
    assert not going.advance(60)
    assert [list(s.hits) for s in (going, said, failed)] == [[1], [1], []]
    talk.say(DAEMON, StderrError(message="no")).save()
    talk.trip(ops.SyncWithGC(), StderrLast()).save()
    session.read_all()
    for sieve in (going, said, failed):
        sieve.advance(60)
    assert [list(s.hits) for s in (going, said, failed)] == [[2], [1], [1]]
    assert going.moved


def test_a_scan_says_what_rows_say() -> None:
    session = Session(RECORDINGS / "two-clients.pcapng").read_all()
    for row in session.rows(0, len(session)):
        assert row == session.row(row.number - 1)


def test_columns_say_what_rows_say(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.trip(ops.BuildPaths(paths=(PATH,), mode=0), StderrNext(text="one\n")).save()
    for session in (
        Session(made.path).read_all(),
        Session(RECORDINGS / "two-clients.pcapng").read_all(),
    ):
        rows = [session.row(i) for i in range(len(session))]
        up, down, frames = (session.column(name) for name in ("up", "down", "frames"))
        took, operation = session.column("took"), session.column("operation")
        assert [up(i) for i in range(len(rows))] == [row.up for row in rows]
        assert [down(i) for i in range(len(rows))] == [row.down for row in rows]
        assert [frames(i) for i in range(len(rows))] == [row.frames for row in rows]
        longest = max(took(i) for i in range(len(rows)))
        assert all(
            took(i) == (row.took if row.took is not None else longest) for i, row in enumerate(rows)
        )
        named = sorted(range(len(rows)), key=operation)
        names = [rows[i].operation or "" for i in named]
        assert names == sorted(names)
        assert {session.column("connection")(i) for i in range(len(rows))} == set(
            session.connections
        )
    with pytest.raises(KeyError):
        session.column("about")
