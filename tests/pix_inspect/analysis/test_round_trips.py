"""The round-trip report: splits add up, runs are found, distance costs what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.conversation.exchange import DAEMON
from pix.protocol import operations as ops
from pix.protocol.handshake import CLIENT_MAGIC
from pix.protocol.logging import StderrLast
from pix_inspect.analysis import round_trips as analysis
from pix_inspect.analysis.round_trips import HELD, Analyst, Distance
from pix_inspect.analysis.runs import advice
from pix_inspect.recording.notes import Peer, Reading, Refused, Stuck
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.session import Session
from tests.support.places import EVERY_RECORDING
from tests.support.playbook import said
from tests.support.recording import V38, Recording, growing
from tests.support.words import PATH

MS = 1_000_000


@pytest.mark.parametrize("path", EVERY_RECORDING, ids=lambda path: path.stem)
def test_it_counts_what_the_session_counts(path: Path) -> None:
    found = Analyst(path).read()
    session = Session(path).read_all()
    rows = [session.row(i) for i in range(len(session))]
    assert found.exchanges == len(rows)
    assert found.connections == len(session.connections)
    assert found.elapsed == session.last - session.started
    assert sum(split.up for split in found.operations.values()) == sum(row.up for row in rows)
    assert sum(split.errors for split in found.operations.values()) == session.errors
    for split in found.operations.values():
        assert split.requesting + split.waiting + split.answering <= split.total
        assert split.errors <= split.count


@pytest.mark.parametrize("path", EVERY_RECORDING, ids=lambda path: path.stem)
def test_round_trips_at_a_glance_come_to_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = path.read_bytes()
    trips: list[int] = []
    told = analysis._Watched._round_trips

    def counted(watched: analysis._Watched, *what: Any) -> None:
        trips.append(watched.number)
        told(watched, *what)

    monkeypatch.setattr(analysis._Watched, "_round_trips", counted)
    for size in (len(data), *range(len(data) // 7, len(data), len(data) // 7)):
        cut = tmp_path / "cut.pcapng"
        cut.write_bytes(data[:size])
        found = Analyst(cut, Distance(50 * MS)).read()
        with monkeypatch.context() as patch:
            patch.delattr(analysis._Watched, "round_trip")
            assert Analyst(cut, Distance(50 * MS)).read() == found
        with monkeypatch.context() as patch:
            patch.setattr(analysis, "BATCH", 1)
            assert Analyst(cut, Distance(50 * MS)).read() == found
    assert trips


@pytest.mark.parametrize("path", EVERY_RECORDING, ids=lambda path: path.stem)
def test_distance_costs_a_round_trip_for_each_turn(path: Path) -> None:
    near = Analyst(path, Distance(0))
    near.read()
    assert near.predicted == near.found.elapsed
    far = Analyst(path, Distance(50 * MS))
    found = far.read()
    longest = max(found.connections, 1) * 50 * MS
    assert far.predicted > found.elapsed
    if found.connections == 1:  # whatever comes behind its last word is as late
        assert far.predicted >= found.elapsed + found.round_trips * 50 * MS
    assert far.predicted <= found.elapsed + (found.round_trips + 1) * 50 * MS + longest


def test_a_slow_line_costs_by_the_byte() -> None:
    path = next(path for path in EVERY_RECORDING if path.stem == "add-tree")
    slow = Analyst(path, Distance(0, rate=1000.0))
    found = slow.read()
    assert slow.predicted == pytest.approx(
        found.elapsed + (found.up + found.down) / 1000 * 1e9, rel=0.05
    )


def test_the_same_question_again_is_counted() -> None:
    path = next(path for path in EVERY_RECORDING if path.stem == "queries")
    assert Analyst(path).read().repeated > 0


@pytest.mark.parametrize("size", [1000, HELD - 100, HELD + 100, 3 * HELD])
def test_requests_are_compared_whole_in_whatever_packets_they_come(
    tmp_path: Path, size: int
) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()

    def ask(text: str, *pieces: int) -> None:
        made.wait()
        request = said(ops.AddTextToStore(name="a", text=text, references=frozenset()), V38)
        at = 0
        for end in (*pieces, len(request)):
            talk >> request[at:end]
            at = end
        talk.say(
            DAEMON,
            said(StderrLast(), V38) + said(ops.AddTextToStore.Reply(path=PATH), V38),
        )

    text = "x" * size
    ask(text)
    ask(text, 9, 100)
    ask(text, 50, 51, size // 2)
    ask("y" + text[1:], 50)
    ask(text[:-1] + "y")
    ask(text, size - 1)
    found = Analyst(talk.close().save()).read()
    assert found.operations["AddTextToStore"].count == 6
    assert found.repeated == 3
    assert [(again.operation, again.count) for again in found.again] == [("AddTextToStore", 4)]


def test_stalls_that_the_relay_remarked_are_summed_up(tmp_path: Path) -> None:
    recording = tmp_path / "r.pcapng"
    writer = RecordingWriter(recording, about={})
    log = writer.open(Peer(), {}, time=MS)
    for note, ms in (
        (Stuck(0, 100, since=2 * MS), 3),
        (Reading(0), 7),
        (Stuck(1, 100, since=8 * MS), 9),
    ):
        log.note(note, ms * MS, at_once=True)
    log.chunk(0, 10 * MS, b"nope", 4)
    log.close(11 * MS)
    writer.close()
    client, daemon = Analyst(recording).read().stalls
    assert (client.count, client.time) == (1, 5 * MS)
    assert (daemon.count, daemon.time, daemon.lasting) == (1, 3 * MS, 0)


def test_a_stall_that_is_not_over_lasts_as_long_as_is_known(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.wait(5).remark({"note": Stuck(0, 100, since=made.time - 4 * MS).json()})
    client, _ = Analyst(made.save()).read().stalls
    assert (client.count, client.lasting) == (1, 1)
    assert 4 * MS <= client.time <= 5 * MS


def test_more_requests_than_are_remembered_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "MOST_REMEMBERED", 5)
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    for i in [*range(12), 0, 11]:
        request = ops.IsValidPath(path=f"{PATH}{i:02}")
        talk.trip(request, StderrLast(), bytes(8))
    found = Analyst(talk.close().save()).read()
    assert found.forgotten
    assert found.repeated == 1
    assert [(again.path, again.count) for again in found.again] == [(f"{PATH}00", 2)]
    (run,) = found.runs
    assert (run.count, run.distinct) == (14, 13)


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


def test_a_connection_that_came_to_nothing_counts_as_in_the_session(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.pcapng")
    refused = recording.open()
    refused.note({"note": Refused("nobody listens").json()})
    refused.wait(3).close()
    answered = recording.open()
    answered.chunk(0, pack_u64(CLIENT_MAGIC) + pack_u64(0x126))
    answered.half_close(DAEMON)
    session = answered.session()
    found = Analyst(recording.path).read()
    split = found.operations["handshake"]
    assert found.exchanges == split.count == len(session) == 2
    assert split.errors == session.errors == 2
    assert split.slowest == (session.row(0).took or 0) > 3 * MS
