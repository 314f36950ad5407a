"""The tap: what it keeps of payload, and what it tells a recording that is rotated."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from pix.codec.wire import pack_u64
from pix_inspect.capture.tap import WORTH_ELIDING, RecordingTap
from pix_inspect.recording.notes import Comment, Peer
from pix_inspect.recording.sinks import rotated
from pix_inspect.recording.writer import RecordingWriter, Resume
from pix_inspect.session.session import Row, Session
from tests.support import captures
from tests.support.captures import Connection, Run
from tests.support.recorded import Step, interleaved, record, shown, steps, take
from tests.support.relaying import until
from tests.support.rows import said

STORY = "2.34.8-2.34.8/build-multi"


@pytest.fixture
def connections(captured_runs: tuple[Run, ...]) -> tuple[Connection, ...]:
    run = captures.run(STORY)
    return (*run.connections, *captures.run("2.3.7-2.3.7/export-import").connections)


@pytest.mark.parametrize("limit", [None, 0, 1, 1000, 65536])
def test_so_many_bytes_of_each_payload_are_kept(
    limit: int | None, captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    for story in ("2.34.8-2.34.8/add-many", "2.3.7-2.3.7/export-import", "2.8.0-2.8.0/add-150k"):
        path = record(tmp_path / "x.pcapng", interleaved(captures.run(story).connections), limit)
        session = Session(path).read_all()
        payloads = [session.exchange(i).payload for i in range(len(session))]
        found = [payload for payload in payloads if payload is not None]
        assert found
        for payload in found:
            most = payload.bytes if limit is None else min(limit, payload.bytes)
            small = sum(min(length, WORTH_ELIDING) for _, _, length in payload.runs)
            assert most <= payload.kept <= most + small
            if payload.bytes > 100_000 and limit is not None:
                assert payload.kept < most + WORTH_ELIDING
        session.close()
        path.unlink()


def test_a_connection_stays_small_whatever_passed(tmp_path: Path) -> None:
    path = b"/nix/store/" + b"a" * 32 + b"-hello"
    asked = pack_u64(1) + pack_u64(len(path)) + path + bytes(-len(path) % 8)

    def exchanges(number: int) -> RecordingTap:
        tap = RecordingTap(writer.open(Peer(), {}))
        tap.chunk(0, pack_u64(0x6E697863), 1)
        tap.chunk(1, pack_u64(0x6478696F) + pack_u64(0x115), 1)
        tap.chunk(0, pack_u64(0x115) + pack_u64(0) * 2, 1)
        tap.chunk(1, pack_u64(0x616C7473), 1)
        for _ in range(number):
            tap.chunk(0, asked, 1)
            tap.chunk(1, pack_u64(0x616C7473) + pack_u64(1), 2)
        until(lambda: not writer.queued)  # nor is any of it in the hands of the writer's thread
        return tap

    def held() -> int:
        """Bytes held, but for the buffer of the writer's thread, which all connections share."""
        others = tracemalloc.Filter(inclusive=False, filename_pattern="*/writer_thread.py")
        snapshot = tracemalloc.take_snapshot().filter_traces((others,))
        return sum(each.size for each in snapshot.statistics("filename"))

    writer = RecordingWriter(tmp_path / "x.pcapng", about={})
    tracemalloc.start()
    exchanges(5000)  # what the interpreter keeps for later, it keeps once
    before = held()
    taps = [exchanges(5000) for _ in range(4)]
    grown = held() - before
    tracemalloc.stop()
    writer.close()
    assert grown < len(taps) * (70 << 10)


def test_payload_is_left_out_under_pressure(
    connections: tuple[Connection, ...], tmp_path: Path
) -> None:
    path = tmp_path / "x.pcapng"
    writer = RecordingWriter(path, about={})
    taps: dict[int, RecordingTap] = {}
    for step in interleaved(connections):
        if step.connection not in taps:
            log = writer.open(Peer(), {})
            taps[step.connection] = RecordingTap(log, None, pressed=lambda: True)
        take(taps[step.connection], step)
    writer.close()
    session = Session(path).read_all()
    payloads = [session.exchange(i).payload for i in range(len(session))]
    assert sum(payload.bytes for payload in payloads if payload is not None) > 0
    assert all(p.kept <= WORTH_ELIDING * len(p.runs) for p in payloads if p is not None)
    # and the recording says so, where it begins and how much it was in the end
    left_out = [n["note"]["payload left out"] for _, n in session.notes if "note" in n]
    assert "as fast as the traffic came" in left_out[0]["why"]
    assert left_out[-1]["bytes"] > 0
    assert len(left_out) <= 2 * len(taps)


def test_a_scanner_that_fails_costs_no_byte(
    connections: tuple[Connection, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.pcapng"
    writer = RecordingWriter(path, about={})
    tap = RecordingTap(writer.open(Peer(), {}), 0)
    passed = interleaved(connections[:1])
    for i, step in enumerate(passed):
        if i == len(passed) // 2:
            monkeypatch.setattr(tap.conversation, "feed", lambda *_: 1 / 0)
        take(tap, step)
    writer.close()
    session = Session(path).read_all()
    assert session.notes[0][1]["note"]["scanner failed"].startswith("ZeroDiv")
    assert len(session) > 0


def rotating(path: Path, passed: list[Step], *, lag: bool) -> tuple[list[Path], Session]:
    """Record into files of 8 KiB, the writer far behind or close up; read along from the start."""
    writer = RecordingWriter(path, about={}, interval=0.001, max_size=8192, keep=900)
    taps: dict[int, RecordingTap] = {}
    session = Session(path)
    for step in passed:
        tap = taps.get(step.connection)
        if tap is None:
            log = writer.open(Peer(), {}, time=step.time)
            tap = taps[step.connection] = RecordingTap(log, None)
        take(tap, step)
        if not lag:
            while writer.queued:
                time.sleep(0.0005)
            session.poll(60)
    writer.close()
    files = []
    for age in range(900):
        name = rotated(path, age) if age else path
        if not name.exists():
            break
        files.append(name)
    return files[::-1], session.read_all()


@pytest.mark.parametrize("lag", [False, True])
def test_each_file_of_a_rotated_recording_can_be_read_alone(
    lag: bool, connections: tuple[Connection, ...], tmp_path: Path
) -> None:
    passed = interleaved(connections)
    whole = rows(Session(record(tmp_path / "whole.pcapng", passed)).read_all())
    files, along = rotating(tmp_path / "rotated.pcapng", passed, lag=lag)
    assert len(files) > 3
    assert list(map(said, rows(along))) == list(map(said, whole))
    known = {(row.connection, row.started, row.code): row for row in whole}
    found = set()
    early = 0
    for file in files:
        session = Session(file).read_all()
        shown(session)
        for i, row in enumerate(rows(session)):
            if row.kind == "opaque":
                view = session.exchange(i)
                assert "began in the previous file" in view.notes[0]
                early += 1
                continue
            key = (row.connection, row.started, row.code)
            assert key in known
            if row.state in ("ok", "error"):
                assert said(row) == said(known[key])
                found.add(key)
        session.close()
    assert early > 0
    assert len(found) >= len(whole) - 2 * early - len(files)


def rows(session: Session) -> list[Row]:
    """The rows, all numbered alike."""
    return [Row((0, row[1])) for row in session.rows(0, len(session))]


def test_a_file_that_begins_in_mid_exchange_names_it(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    run = captures.run("2.34.8-2.34.8/build-longlog")
    files, _ = rotating(tmp_path / "rotated.pcapng", interleaved(run.connections[:1]), lag=False)
    notes = []
    for file in files[1:]:
        session = Session(file).read_all()
        notes += [note for i in range(len(session)) for note in session.exchange(i).notes]
    assert any("began in the previous file: BuildPaths" in note for note in notes), notes


class Noted:
    """A log that keeps what it is told, and stands where the tap stands."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.track = self
        self.offsets = [0, 0]
        self.resume: Resume | None = None

    def chunk(self, side: int, time: int, kept: bytes, length: int) -> None:
        self.calls.append((side, time, bytes(kept), length))
        self.offsets[side] += length

    def note(self, note: Comment, time: int) -> None:
        self.calls.append((time, note.json()))


@pytest.mark.parametrize("limit", [None, 0, 65536])
@pytest.mark.parametrize("longest", [None, 8, 40])
def test_what_is_plain_changes_nothing_in_the_recording(
    limit: int | None,
    longest: int | None,
    captured_runs: tuple[Run, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sessions in whole and in small chunks, with and without a look at plain round trips."""
    plain = 0
    for run in captured_runs[:: 3 if longest is None else 16]:
        for connection in run.connections:
            taps = []
            for glances in (True, False):
                log = Noted()
                if not glances:
                    monkeypatch.delattr(RecordingTap, "round_trip")
                tap = RecordingTap(log, limit)  # type: ignore[arg-type]
                for i, step in enumerate(steps(connection)):
                    if step.what != "data":
                        continue
                    size = longest or len(step.data)
                    for at in range(0, len(step.data), size):
                        tap.chunk(step.side, memoryview(step.data)[at : at + size], step.time)
                    plain += tap.conversation.asked is not None
                    if i % 5 == 0 and log.resume is not None:
                        log.calls.append((log.resume(),))
                monkeypatch.undo()
                taps.append(log.calls)
            assert taps[0] == taps[1]
    assert plain > 100 or longest
