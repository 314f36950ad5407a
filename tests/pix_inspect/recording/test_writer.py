"""Writing recordings: what the relay says comes back, and a full queue is told of."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix.conversation import CLIENT, DAEMON
from pix_inspect.recording import pcapng
from pix_inspect.recording.notes import HungUp, Peer
from pix_inspect.recording.tcp_headers import CLIENT_PORTS, LARGEST_SEGMENT
from pix_inspect.recording.writer import RecordingWriter
from tests.support.packets import chunks, events, items_of, kinds, stream, wait_until
from tests.support.recording import START

ASLEEP = 1000.0
"""An interval after which the writer looks at its queue only when it is closed."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.pcapng"


# What is written


def test_what_the_relay_says_comes_back(path: Path) -> None:
    writer = RecordingWriter(path, about={"listen": "/tmp/sock"}, interval=0.002)
    first = writer.open(Peer(12, 1000, 100, "nix build"), {"upstream": "/d"}, time=START)
    second = writer.open(Peer(), {}, time=START + 1)
    first.chunk(CLIENT, START + 2, b"cxin", 4)
    second.chunk(DAEMON, START + 3, b"head", 100_000)
    first.chunk(DAEMON, START + 4, b"o" * 200_000, 200_000)
    first.note(HungUp("tired"), START + 5)
    first.half_close(CLIENT, START + 6)
    second.reset(CLIENT, START + 7)
    second.close(START + 8)
    first.half_close(DAEMON, START + 9)
    first.close(START + 10)
    writer.close()
    assert (writer.lost, writer.failure, writer.queued, writer.pressed) == (0, None, 0, False)
    items = items_of(path)
    assert stream(items, 1, CLIENT) == (b"cxin", 4)
    assert stream(items, 1, DAEMON) == (b"o" * 200_000, 200_000)
    assert stream(items, 2, DAEMON) == (b"head" + b"." * 99_996, 100_000)
    assert kinds(items, 1) == [
        ("open", None),
        ("note", None),
        ("half-close", CLIENT),
        ("half-close", DAEMON),
        ("close", None),
    ]
    assert kinds(items, 2) == [("open", None), ("reset", CLIENT), ("close", None)]
    opened = events(items)[0].note
    assert opened == {
        "event": "open",
        "connection": 1,
        "peer": {"pid": 12, "uid": 1000, "gid": 100, "command": "nix build"},
        "about": {"upstream": "/d"},
    }
    assert [event.time for event in events(items) if event.kind == "close"] == [
        START + 8,
        START + 10,
    ]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("chunk"),
            st.integers(0, 2),
            st.integers(0, 1),
            st.binary(max_size=30),
            st.sampled_from([0, 0, 0, 1, 40_000, LARGEST_SEGMENT - 30, 140_000]),
        ),
        st.tuples(
            st.sampled_from(["half_close", "reset", "note", "close"]),
            st.integers(0, 2),
            st.integers(0, 1),
            st.just(b""),
            st.just(0),
        ),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(ACTIONS)
def test_any_course_of_events_keeps_streams_true(
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[tuple[str, int, int, bytes, int]],
) -> None:
    path = tmp_path_factory.mktemp("any") / "s.pcapng"
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    logs = [writer.open(Peer(), {}) for _ in range(3)]
    expected: dict[tuple[int, int], bytes] = {}
    over: set[int] = set()
    for action, which, side, kept, elided in actions:
        if which in over:
            continue
        log = logs[which]
        if action == "chunk":
            log.chunk(side, START, kept, len(kept) + elided)
            key = (which + 1, side)
            expected[key] = expected.get(key, b"") + kept + b"." * elided
        elif action == "note":
            log.note(HungUp("1"), START)
        elif action == "close":
            log.close(START)
            over.add(which)
        else:
            getattr(log, action)(side, START)
    writer.close()
    items = items_of(path)
    for key, data in expected.items():
        assert stream(items, *key)[0] == data
    assert {event.connection for event in events(items) if event.kind == "close"} == {
        which + 1 for which in over
    }


def test_two_threads_of_a_connection(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=0.001)
    log = writer.open(Peer(), {})

    def speak(side: int) -> None:
        for number in range(5000):
            log.chunk(side, START + number, b"%06d" % number, 6)

    threads = [threading.Thread(target=speak, args=(side,)) for side in (CLIENT, DAEMON)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    items = items_of(path)
    whole = b"".join(b"%06d" % number for number in range(5000))
    assert stream(items, 1, CLIENT) == stream(items, 1, DAEMON) == (whole, 30_000)


def test_a_recording_can_be_read_while_it_is_written(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=0.002)
    assert items_of(path) == []
    log = writer.open(Peer(), {})
    log.chunk(CLIENT, START, b"cxin", 4)
    wait_until("the chunk", lambda: len(items_of(path)) == 2)
    writer.close()


def test_many_connections_use_the_ports_again(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=1 << 30)
    stays = writer.open(Peer(), {})
    for _ in range(len(CLIENT_PORTS) + 5):
        writer.open(Peer(), {}).close(START)
        if writer.queued > 10_000_000:
            writer._scribe.turn()
    stays.chunk(CLIENT, START, b"still here", 10)
    writer.close()
    items = items_of(path)
    assert len({item.connection for item in items}) == len(CLIENT_PORTS) + 6
    assert stream(items, 1, CLIENT) == (b"still here", 10)


def test_more_connections_than_ports(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pix_inspect.recording.writer_thread.CLIENT_PORTS", CLIENT_PORTS[:2])
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    logs = [writer.open(Peer(), {}) for _ in range(3)]
    for log in logs:
        log.chunk(CLIENT, START, b"data", 4)
    writer.close()
    items = items_of(path)
    assert {chunk.connection for chunk in chunks(items)} == {1, 2}
    assert writer.lost == 4
    assert {"recorder": {"connections not recorded": 1}} in [event.note for event in events(items)]


def test_notes_of_no_connection(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    writer.note("before anything")
    log = writer.open(Peer(), {})
    log.chunk(CLIENT, START, b"x", 1)
    writer.close()
    notes = [event for event in events(items_of(path)) if event.connection == 0]
    assert [event.note for event in notes] == [{"recorder": "before anything"}]


def test_notes_that_no_packet_follows_are_kept(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    writer.note({"no": "connection"})
    writer.close()
    assert [event.note for event in events(items_of(path))] == [{"recorder": {"no": "connection"}}]


def test_notes_of_a_connection_before_its_end(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    log = writer.open(Peer(), {})
    for number in range(100):
        log.note(HungUp(str(number)), START)
    log.close(START)
    writer.close()
    notes = [event.note for event in events(items_of(path)) if event.kind == "note"]
    assert notes == [{"note": {"hung up": str(number)}} for number in range(100)]


def test_a_peer_with_a_hostile_command_line(path: Path) -> None:
    command = "nix \x1b[2J\n\udcff é " + "x" * 200_000
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    peer = Peer(1, 0, command=command, parents=("a" * 5000,) * 50)
    writer.open(peer, {"x": "y" * 100}, time=START).close(START)
    writer.close()
    data = path.read_bytes()
    assert b"\x1b" not in data
    assert b"nix \\x1b[2J" in data
    opened = events(items_of(path))[0].note
    assert opened is not None
    assert opened["peer"]["command"] == command[:4096]
    assert len(opened["peer"]["parents"]) == 16


def test_nothing_is_lost_that_was_said_after_the_end(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    log = writer.open(Peer(), {})
    log.half_close(CLIENT, START)
    log.chunk(CLIENT, START, b"after all", 9)
    log.close(START)
    log.close(START)
    writer.close()
    log.chunk(CLIENT, START, b"too late", 8)
    assert stream(items_of(path), 1, CLIENT) == (b"after all", 9)


def test_a_side_that_hangs_up_after_it_had_finished(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    log = writer.open(Peer(), {})
    log.half_close(CLIENT, START)
    log.chunk(DAEMON, START, b"reply", 5)
    log.reset(CLIENT, START)
    log.half_close(CLIENT, START)
    log.close(START)
    writer.close()
    assert kinds(items_of(path), 1) == [
        ("open", None),
        ("half-close", CLIENT),
        ("reset", CLIENT),
        ("close", None),
    ]


# A queue that is full


def test_pressed_tells_to_elide(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=100_000)
    log = writer.open(Peer(), {})
    assert not writer.pressed
    log.chunk(CLIENT, START, b"x" * 60_000, 60_000)
    assert writer.pressed
    writer.close()
    assert not writer.pressed


def test_over_the_bound_bytes_are_counted_and_offsets_stay_true(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=100_000)
    log, other = writer.open(Peer(), {}), writer.open(Peer(), {})
    for number in range(200):
        log.chunk(number % 2, START + number, b"x" * 1000, 1500)
        other.chunk(CLIENT, START + number, b"y" * 10, 10)
    log.half_close(CLIENT, START + 999)
    kept = sum(len(chunk.data) for chunk in chunks(_closed(writer, path)))
    items = items_of(path)
    assert writer.lost == 200 * 1010 - kept > 0
    assert stream(items, 1, CLIENT)[1] == stream(items, 1, DAEMON)[1] == 150_000
    assert stream(items, 2, CLIENT)[1] == 2000
    losses = [event for event in events(items) if event.note and "lost" in event.note]
    assert {(event.connection, event.side) for event in losses} == {(1, 0), (1, 1), (2, 0)}
    lost = [event.note["lost"] for event in losses if event.note]
    assert sum(each["bytes"] for each in lost) == writer.lost
    assert all("as fast as the traffic" in each["why"] for each in lost)
    assert kinds(items, 1)[-1] == ("half-close", CLIENT)


def _closed(writer: RecordingWriter, path: Path) -> list[Any]:
    writer.close()
    return items_of(path)


def test_what_comes_after_a_loss_stands_after_it(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=5_000)
    log = writer.open(Peer(), {})
    for word in (b"one", b"two" * 2000, b"three", b"four" * 2000, b"five"):
        log.chunk(CLIENT, START, word, len(word))
    writer.close()
    data, length = stream(items_of(path), 1, CLIENT)
    assert data == b"one" + b"." * 6000 + b"three" + b"." * 8000 + b"five"
    assert length == 14_012


def test_millions_of_lost_chunks_take_no_memory(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=100_000)
    logs = [writer.open(Peer(), {}) for _ in range(10)]
    for log in logs:
        for side in (CLIENT, DAEMON):
            for _ in range(200):
                log.chunk(side, START, b"x" * 100, 100)
    entries = len(writer.queue)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        logs[number % 10].chunk(number % 2, START, b"x" * 100, 100)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(writer.queue) <= entries + 20
    assert grown < 100_000  # of two million bytes
    writer.close()


def test_connections_beyond_a_full_queue_are_not_recorded(path: Path) -> None:
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=10_000)
    logs = [writer.open(Peer(), {}) for _ in range(500)]
    logs[-1].note(HungUp("1"), START)
    logs[-1].half_close(CLIENT, START)
    assert writer.queued < 25_000
    writer.close()
    items = items_of(path)
    opened = {event.connection for event in events(items) if event.kind == "open"}
    assert opened == set(range(1, len(opened) + 1))
    missing = {"recorder": {"connections not recorded": 500 - len(opened)}}
    assert missing in [event.note for event in events(items)]


# How it looks from outside


def test_what_the_file_says_to_people(path: Path) -> None:
    writer = RecordingWriter(path, about={"listen": "/tmp/sock"}, interval=ASLEEP)
    writer.open(Peer(12, 1000, command="nix build"), {})
    writer.close()
    data = path.read_bytes()
    assert b"conn-1" in data
    assert b"pid 12 uid 1000 nix build" in data
    section = pcapng.BLOCK.unpack_from(data)[1]
    assert next(pcapng.read_comments(data, 24, section)) == {
        "recording": "pix-inspect",
        "format": 1,
        "needs": 1,
        "version": "0.1.0",
        "file": 1,
        "about": {"listen": "/tmp/sock"},
    }
