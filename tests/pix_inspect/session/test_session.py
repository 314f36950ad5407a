"""Recordings of real sessions, read as rows: the same exchanges as the streams hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.describe.about import about
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.session import Row, Session
from tests.support import captures, rows
from tests.support.captures import Run
from tests.support.recorded import (
    by_connection,
    direct,
    in_pieces,
    interleaved,
    pairs,
    record,
    shown,
    take,
)
from tests.support.recording import Recording
from tests.support.surroundings import one_in
from tests.support.words import text

LIMITS = (None, 0, 1024)
"""Bytes of payload that are kept."""


def state_of(exchange: Exchange) -> str:
    if exchange.kind == "opaque":
        return "opaque"
    if exchange.ended is None:
        return "open"
    if exchange.failed:
        return "error"
    return "ok" if exchange.complete else "cut"


def sizes_of(exchange: Exchange) -> tuple[int, int]:
    request = reply = 0
    if exchange.request_end is not None and exchange.side == CLIENT:
        request = exchange.request_end - exchange.start
    if exchange.daemon_start is not None and exchange.daemon_end is not None:
        reply = exchange.daemon_end - exchange.daemon_start
    return request, reply


def row_of(exchange: Exchange, number: int, connection: int) -> dict[str, Any]:
    up, down = sizes_of(exchange)
    return {
        "number": number,
        "connection": connection,
        "kind": exchange.kind,
        "operation": exchange.operation.name if exchange.operation is not None else None,
        "code": exchange.code,
        "started": exchange.started,
        "took": exchange.took,
        "up": up,
        "down": down,
        "state": state_of(exchange),
        "frames": exchange.frames,
        "complete": exchange.complete,
    }


NAMES = [
    "kind",
    "side",
    "start",
    "started",
    "protocol",
    "code",
    "operation",
    "request_done",
    "answered",
    "ended",
    "payload_start",
    "request_end",
    "daemon_start",
    "daemon_end",
    "reply",
    "reply_payload_start",
    "error",
    "frames",
    "payload_side",
    "payload_bytes",
    "payload_runs",
    "reads",
    "answers",
    "complete",
    "notes",
]


def said_of(exchange: Exchange, numbers: list[int] | None = None) -> dict[str, Any]:
    """Everything about an exchange; remarks name others by their numbers in the recording."""
    log = [(f.frame.name, f.start, f.end, f.time, f.answer) for f in exchange.log or ()]
    said = {"log": log, **{name: getattr(exchange, name) for name in NAMES}}
    if numbers is not None:
        said["notes"] = tuple(
            note
            if note.exchange is None
            else replace(note, exchange=numbers[note.exchange - 1] + 1)
            for note in exchange.notes
        )
    return said


def rows_of(session: Session) -> list[Row]:
    return [session.row(i) for i in range(len(session))]


def exchanges_of(session: Session) -> list[dict[str, Any] | tuple[str, ...]]:
    """What looking at each exchange gives."""
    views = [session.exchange(i) for i in range(len(session))]
    return [view.notes if view.exchange is None else said_of(view.exchange) for view in views]


@pytest.mark.slow
def test_recorded_sessions_have_the_rows_and_exchanges_of_their_streams(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    # the same things happen with every pair of versions: each has another limit of payload
    for limit, (pair, connections) in zip(cycle(LIMITS), pairs(captured_runs).items()):
        connections = connections[:: one_in(2)]
        path = record(tmp_path / f"{pair}.pcapng", interleaved(connections), limit)
        session = Session(path).read_all()
        numbers = by_connection(session)
        assert session.truncated is None
        assert not session.reader.warnings
        assert len(session.connections) == len(connections)
        for number, connection in enumerate(connections, 1):
            expected = direct(connection)
            indexes = numbers.get(number, [])
            found = [rows.said(session.row(i)) for i in indexes]
            assert found == [
                row_of(e, i + 1, number) for e, i in zip(expected, indexes, strict=True)
            ], (pair, number)
            for i, exchange in zip(indexes, expected, strict=True):
                view = session.exchange(i)
                assert view.row.complete == exchange.complete
                if exchange.kind == "opaque":
                    assert view.place.notes == exchange.notes
                    continue
                assert view.exchange is not None
                assert said_of(view.exchange) == said_of(exchange, indexes), (pair, number, i)
        session.close()
        path.unlink()


STORIES = (
    "2.34.8-2.34.8/add-many",
    "2.3.7-2.8.0/build-fail",
    "2.26.3-2.34.8/export-import",
    "2.34.8-2.34.8/raw-bad-magic",
    "2.8.0-2.8.0/build-interrupt",
)


@pytest.fixture(params=STORIES)
def story(request: pytest.FixtureRequest, captured_runs: tuple[Run, ...]) -> Run:
    return captures.run(request.param)


def test_rows_and_exchanges_do_not_depend_on_the_cut_into_packets(
    story: Run, tmp_path: Path
) -> None:
    passed = interleaved(story.connections)
    whole = Session(record(tmp_path / "whole.pcapng", passed)).read_all()
    for size in (1, 3, 8, 1000):
        pieces = in_pieces(passed, size)
        cut = Session(record(tmp_path / f"{size}.pcapng", pieces)).read_all()
        assert list(map(rows.said, rows_of(cut))) == list(map(rows.said, rows_of(whole)))
        assert exchanges_of(cut) == exchanges_of(whole)


def test_following_a_growing_recording_ends_as_reading_it_whole(story: Run, tmp_path: Path) -> None:
    path = record(tmp_path / "whole.pcapng", in_pieces(interleaved(story.connections), 512), 1024)
    data = path.read_bytes()
    whole = Session(path).read_all()
    growing = tmp_path / "growing.pcapng"
    first = int.from_bytes(data[4:8], "little")
    growing.write_bytes(data[:first])
    session = Session(growing)
    assert len(session) == 0
    steps = range(first, len(data), max(len(data) // 60, 1))
    with growing.open("ab") as file:
        for at, after in zip(steps, [*steps[1:], len(data)], strict=True):
            file.write(data[at:after])
            file.flush()
            session.poll(60)
            before = rows_of(session)
            shown(session)
            assert rows_of(session) == before
    assert session.truncated is None
    assert rows_of(session) == rows_of(whole)
    assert exchanges_of(session) == exchanges_of(whole)
    assert shown(session) == shown(whole)
    assert session.connections == whole.connections
    assert (session.started, session.last) == (whole.started, whole.last)


def test_an_open_exchange_is_shown_as_far_as_it_has_come(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    run = captures.run("2.34.8-2.34.8/build-log")
    passed = interleaved(run.connections[:1])
    (build,) = (e for e in direct(run.connections[0]) if e.frames > 3)
    writer = RecordingWriter(tmp_path / "open.pcapng", about={})
    tap = RecordingTap(writer.open(Peer(), {}), None)
    for step in passed:
        if build.ended is not None and step.time < build.ended:
            take(tap, step)
    writer.close()
    session = Session(tmp_path / "open.pcapng").read_all()
    row = session.row(len(session) - 1)
    assert (row.state, row.took, session.open_connections) == ("open", None, 1)
    assert row.code == build.code
    assert row.up > 0
    assert row.down > 0
    view = session.exchange(len(session) - 1)
    assert len(view.log) >= row.frames > 0
    assert view.part("reply") is None
    assert not view.row.complete
    assert '"took": null' in shown(session)[-1]


def test_a_recording_cut_anywhere_reads_up_to_there(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    run = captures.run("2.34.8-2.34.8/build-fail")
    path = record(tmp_path / "whole.pcapng", interleaved(run.connections[:1]), 1024)
    data = path.read_bytes()
    whole = rows_of(Session(path).read_all())
    cut = tmp_path / "cut.pcapng"
    ends = list(block_ends(data))
    inside = [end + offset for end in ends[:-1] for offset in (1, 9, 40)]
    finished = 0
    for at in sorted({*ends, *inside}):
        cut.write_bytes(data[:at])
        session = Session(cut).read_all()
        assert (session.truncated is None) == (at in ends)
        known = rows_of(session)
        for row, full in zip(known, whole, strict=False):
            if row.took is not None:
                assert row == full
            assert (row.started, row.code) == (full.started, full.code)
        done = sum(row.took is not None for row in known)
        assert done >= finished
        finished = done
        shown(session)
        session.close()
    assert finished == len(whole)


def block_ends(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        at += int.from_bytes(data[at + 4 : at + 8], "little")
        yield at


hostile_words = st.sampled_from(
    [0, 1, 2, 5, 7, 26, 39, 41, 44, 0x6E697863, 0x6478696F, 0x126, 0x115, 0x616C7473, 0x63787470,
     0x6F6C6D67, 0x52534C54, 0x64617461, 0x64617416, (1 << 64) - 1, 1 << 40]
).map(lambda n: n.to_bytes(8, "little"))  # fmt: skip
hostile = st.tuples(
    st.integers(0, 1),
    st.lists(hostile_words | st.binary(max_size=24), max_size=12).map(b"".join),
    st.integers(0, 3),
)


@given(st.lists(hostile, max_size=12), st.sampled_from([None, 10, 21, 37, 38]), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fuzzed_bytes_never_raise(
    tmp_path: Path, passed: list[tuple[int, bytes, int]], minor: int | None, closed: bool
) -> None:
    made = Recording()
    talk = made.open(peer={"pid": 1})
    if minor is not None:
        for side, data in greeting(minor):
            talk.chunk(side, data)
    for side, data, elided in passed:
        talk.chunk(side, data, len(data) + elided * 8)
    if closed:
        talk.close()
    session = Session(made.save(tmp_path / "fuzzed.pcapng")).read_all()
    for line in shown(session):
        assert line.isprintable()
    for i in range(len(session)):
        assert about(session.exchange(i)).isprintable()
        assert closed == (session.row(i).took is not None) or not closed
    session.close()


def greeting(minor: int) -> list[tuple[int, bytes]]:
    def words(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(8, "little") for number in numbers)

    client = words(0x6E697863, 0x100 + minor)
    daemon = words(0x6478696F, 0x100 + minor)
    more = words(*[0] * ((minor >= 38) + (minor >= 14) + (minor >= 11)))
    reply = words(*[0] * (minor >= 38))
    if minor >= 33:
        reply += words(0)
    if minor >= 35:
        reply += words(1)
    return [(CLIENT, client), (DAEMON, daemon), (CLIENT, more), (DAEMON, reply + words(0x616C7473))]


def test_sizes_beyond_a_record_and_odd_numbers(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    for side, data in greeting(37):
        talk.chunk(side, data)
    path = b"/nix/store/" + b"a" * 32 + b"-x"
    add = (7).to_bytes(8, "little") + text(b"x") + text(b"fixed:r:sha256") + bytes(16)
    talk.chunk(CLIENT, add)
    for _ in range(3):  # frames of 2 GiB each
        talk.chunk(CLIENT, (1 << 31).to_bytes(8, "little"))
        talk.chunk(CLIENT, b"", 1 << 31)
    talk.chunk(CLIENT, bytes(8))
    talk.chunk(CLIENT, (1 << 50).to_bytes(8, "little") + text(path))
    talk.close()
    session = Session(made.save(tmp_path / "huge.pcapng")).read_all()
    _, added, unknown, opaque = rows_of(session)
    assert added.up == len(add) + 3 * ((1 << 31) + 8) + 8
    payload = session.exchange(1).payload
    assert payload is not None
    assert (payload.bytes, payload.kept) == (3 << 31, 0)
    assert (unknown.code, unknown.operation) == (1 << 50, None)
    assert opaque.kind == "opaque"
    assert "1125899906842624" in " ".join(shown(session)) or "0x4000000000000" in " ".join(
        shown(session)
    )
