"""Reading recordings: whole, cut anywhere, growing, compressed, rotated, edited by others."""

from __future__ import annotations

import os
import subprocess
import sys
import time as clock
from pathlib import Path

import pytest

from pix.conversation import CLIENT, DAEMON
from pix.conversation.round_trips import Passed
from pix.problem import Problem
from pix_inspect.recording import pcapng, tcp_headers
from pix_inspect.recording.notes import Stuck
from pix_inspect.recording.reader import Chunk, Event, Item, RecordingReader
from pix_inspect.recording.sinks import rotated
from pix_inspect.recording.stream_reader import ChunksSeen
from tests.support.packets import block, chunks, conversation, events, items_of, kinds, save, stream
from tests.support.recording import ABOUT, START, Recording, section

# What stands in a recording


def test_everything_comes_back(tmp_path: Path) -> None:
    items = items_of(conversation().save(tmp_path / "s.pcapng"))
    assert stream(items, 1, CLIENT) == (b"cxin" + b"x" * 70_001 + b"." * 69_999, 140_004)
    assert stream(items, 1, DAEMON) == (b"oixd" * 9 + b"nar" + b"." * 39_997 + b"bye", 40_039)
    assert stream(items, 2, CLIENT) == (b"hello", 5)
    assert kinds(items, 1) == [
        ("open", None),
        ("note", None),
        ("half-close", CLIENT),
        ("half-close", DAEMON),
        ("close", None),
    ]
    assert kinds(items, 2) == [("open", None), ("reset", CLIENT), ("close", None)]
    assert [chunk.time for chunk in chunks(items)[:2]] == [START + 3, START + 4]


def test_a_note_stands_before_the_chunk_it_came_with(tmp_path: Path) -> None:
    items = items_of(conversation().save(tmp_path / "s.pcapng"))
    place = next(
        i for i, item in enumerate(items) if isinstance(item, Event) and item.kind == "note"
    )
    note, chunk = items[place], items[place + 1]
    assert isinstance(note, Event)
    assert note.note == {"note": {"n": 1}}
    assert isinstance(chunk, Chunk)
    assert (chunk.data, chunk.length) == (b"nar", 40_000)
    assert note.position == chunk.position


def test_what_is_known_about_connections(tmp_path: Path) -> None:
    reader = RecordingReader(conversation().save(tmp_path / "s.pcapng"))
    reader.poll()
    assert reader.about == ABOUT
    assert reader.connections[2] == {"event": "open", "connection": 2, "peer": {"pid": 7}}
    assert (reader.size, reader.consumed) == ((tmp_path / "s.pcapng").stat().st_size,) * 2
    assert reader.truncated is None
    assert reader.warnings == []


def test_limited_polls_give_the_same_in_the_same_order(tmp_path: Path) -> None:
    path = conversation().save(tmp_path / "s.pcapng")
    reader = RecordingReader(path)
    found: list[Item] = []
    while some := reader.poll(1):
        assert len(some) <= 2
        found += some
    assert found == items_of(path)


def test_reading_again_from_any_block(tmp_path: Path) -> None:
    reader = RecordingReader(conversation().save(tmp_path / "s.pcapng"))
    items = reader.poll()
    for position in sorted({item.position for item in items}):
        expected = [item for item in items if item.position >= position]
        assert list(reader.read_from(position)) == expected


def test_reading_again_stops_where_polling_stopped(tmp_path: Path) -> None:
    reader = RecordingReader(conversation().save(tmp_path / "s.pcapng"))
    items = reader.poll(3)
    assert list(reader.read_from(0)) == items


def test_what_a_listener_is_told_can_be_read_again_at_once(tmp_path: Path) -> None:
    made = conversation()
    made.open().chunk(CLIENT, bytes(2 << 20))  # larger than what is read at a time
    reader = RecordingReader(made.save(tmp_path / "s.pcapng"))
    told: list[Item] = []

    class Reading:
        def connection(self, number: int, time: int, position: int) -> ChunksSeen:
            def seen(chunks: list[Passed]) -> None:
                for chunk in chunks:
                    self.look(Chunk(number, *chunk))

            return seen

        def event(self, event: Event) -> None:
            self.look(event)

        def look(self, item: Item) -> None:
            told.append(item)
            assert item in reader.read_from(item.position)

    listener = Reading()
    while reader.follow(listener, 3):
        assert reader.latest == max(item.time for item in told)
        assert list(reader.read_from(0)) == told
    assert told == items_of(tmp_path / "s.pcapng")


# What is not a recording


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x0a\x0d", "cut off"),
        (b"hello, this is text of some length", "not a pcapng file"),
        (b"\xd4\xc3\xb2\xa1" + bytes(40), "capture in the pcap format"),
        (bytes(100), "not a pcapng file"),
        (b"\x0a\x0d\x0d\x0a\x00\x00\x00\x1c\x1a\x2b\x3c\x4d" + bytes(16), "big-endian"),
        (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00" + bytes(20), "byte-order"),
        (pcapng.section_header(), "not a recording by pix-inspect"),
        (section({"recording": "something else"}), "not a recording by pix-inspect"),
        (section()[:-1], "first block"),
        (section()[:-4] + bytes(4), "first block"),
        (section()[:4] + b"\xff\xff\xff\xff" + section()[8:], "first block"),
        (section()[:4] + b"\x00\x00\x00\x00" + section()[8:], "first block"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = save(tmp_path / "s.pcapng", data)
    with pytest.raises(Problem, match=words) as caught:
        RecordingReader(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_newer_format_says_what_it_needs_and_is_read(tmp_path: Path) -> None:
    made = conversation()
    made.blocks[0] = section({**ABOUT, "format": 9, "needs": 8, "version": "7.5"})
    reader = RecordingReader(made.save(tmp_path / "s.pcapng"))
    assert len(chunks(reader.poll())) == 8
    assert [("7.5" in line, "format 8" in line) for line in reader.warnings] == [(True, True)]


def test_a_newer_format_that_needs_nothing_new_is_read_in_silence(tmp_path: Path) -> None:
    made = conversation()
    made.blocks[0] = section({**ABOUT, "format": 9})
    reader = RecordingReader(made.save(tmp_path / "s.pcapng"))
    assert reader.poll()
    assert reader.warnings == []


# Cut, growing and edited files


def test_cut_at_every_byte_and_growing_byte_by_byte(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"hello")
    talk.chunk(DAEMON, b"answer", 70_000)
    talk.close()
    data = made.data
    path = tmp_path / "s.pcapng"
    whole = items_of(made.save(path))
    first = len(made.blocks[0])
    path.write_bytes(data[:first])
    growing = RecordingReader(path)
    found: list[Item] = []
    for size in range(first, len(data) + 1):
        path.write_bytes(data[:size])
        found += growing.poll()
        cut = RecordingReader(path)
        assert cut.poll() == found == whole[: len(found)]
        left = size - cut.consumed
        assert cut.truncated == ((cut.consumed, left) if left else None)
        assert cut.warnings == []
        cut.close()
    assert found == whole


def test_blocks_of_other_kinds_are_skipped(tmp_path: Path) -> None:
    made = conversation()
    others = [
        block(9, b"MESSAGE=a journal entry\n"),
        block(0xBAD, b"\x01\x02\x03\x04data"),
        block(0x80000001),
        block(5, bytes(12)),
        block(0x0BAD0001, bytes(3 << 20)),
    ]
    path = save(tmp_path / "a.pcapng", section() + b"".join(others))
    assert items_of(path) == []
    head, *rest = made.split()
    mixed = b"".join([head, *(part for each in rest for part in (*others[:4], each)), *others])
    plain = items_of(made.save(tmp_path / "b.pcapng"))
    found = items_of(save(path, mixed))
    assert [item[:6] for item in chunks(found)] == [item[:6] for item in chunks(plain)]


def test_notes_without_events_and_flags_without_notes(tmp_path: Path) -> None:
    made = Recording()
    made.open()
    way = tcp_headers.Way(1, tcp_headers.CLIENT_PORTS[0])
    for flags in (tcp_headers.FIN, tcp_headers.RST):
        data = way.headers(flags | tcp_headers.ACK, 1, 1, 0)
        made.blocks.append(pcapng.packet(0, made.now(), data, 40, 1))
    assert kinds(items_of(made.save(tmp_path / "s.pcapng")), 1) == [
        ("open", None),
        ("half-close", DAEMON),
        ("reset", DAEMON),
    ]


# Compressed


# Files that others write to


@pytest.mark.parametrize("how", ["cut", "emptied", "written over", "written over at length"])
def test_what_is_no_longer_what_was_read_is_not_read_on(tmp_path: Path, how: str) -> None:
    path = conversation().save(tmp_path / "s.pcapng")
    data = path.read_bytes()
    reader = RecordingReader(path)
    assert reader.poll()
    other = data.translate(bytes(reversed(range(256))))
    spoilt = {
        "cut": data[:-50],
        "emptied": b"",
        "written over": other,
        "written over at length": other * 2,
    }
    path.write_bytes(spoilt[how])
    for _ in range(2):
        assert not reader.poll()
        assert [line.partition(": ")[2] for line in reader.warnings] == [
            "what was read of it was cut off or written over since, so no more is read"
        ]


def a_file(number: int, pid: int = 1) -> bytes:
    """Return a file of a recording: the section, and a connection that has its number."""
    made = Recording()
    made.blocks = [section({**ABOUT, "file": number, "about": {"tool": "record", "pid": pid}})]
    for _ in range(number):
        made.open()
    return made.data


def test_a_recording_that_was_emptied_is_read_on_when_it_is_begun_again(tmp_path: Path) -> None:
    path = save(tmp_path / "s.pcapng", a_file(1))
    reader = RecordingReader(path)
    assert len(reader.poll()) == 1
    path.write_bytes(b"")
    assert not reader.poll()
    path.write_bytes(a_file(2))
    assert len(reader.poll()) == 2
    path.unlink()
    path.write_bytes(a_file(3))
    assert len(reader.poll()) == 3
    assert len(reader.warnings) == 1, "that it was emptied"


def test_another_recording_of_the_same_name_is_not_read_on(tmp_path: Path) -> None:
    path = save(tmp_path / "s.pcapng", a_file(1))
    reader = RecordingReader(path)
    reader.poll()
    for other in (a_file(1), a_file(2, pid=2), b"x" * 4096):
        path.unlink()
        save(path, other)
        assert not reader.poll()
    assert reader.warnings == [f"{path}: its name leads to something else now, which is not read"]


# Several files


def test_files_that_rotated_read_as_one_when_put_together(tmp_path: Path) -> None:
    made = Recording()
    talk, other = made.open(), made.open()
    talk.chunk(CLIENT, b"before")
    talk.half_close(CLIENT)
    first = made.data
    made.blocks = [section()]
    other.track.close(made.now(), [])
    talk.resume({"minor": 38})
    talk.chunk(DAEMON, b"after")
    talk.half_close(DAEMON)
    second = made.data
    alone = items_of(save(tmp_path / "second.pcapng", second))
    assert kinds(alone, 1) == [("open", None), ("half-close", 0), ("half-close", 1)]
    opened = events(alone)[0].note
    assert opened is not None
    assert opened["continues"] == {"offsets": [6, 0], "state": {"minor": 38}}
    reader = RecordingReader(save(tmp_path / "both.pcapng", first + second))
    together = reader.poll()
    assert kinds(together, 1) == [
        ("open", None),
        ("half-close", 0),
        ("continue", None),
        ("half-close", 1),
    ]
    assert stream(together, 1, CLIENT) == (b"before", 6)
    again = list(reader.read_from(0))
    assert [item for item in again if isinstance(item, Chunk)] == chunks(together)


def test_what_is_cut_off_once_it_was_read_is_left_out(tmp_path: Path) -> None:
    path = conversation().save(tmp_path / "s.pcapng")
    data = path.read_bytes()
    for size in range(0, len(data), 61):
        save(path, data)
        reader = RecordingReader(path)
        whole = reader.poll()
        os.truncate(path, size)
        left = list(reader.read_from(0))
        assert left == whole[: len(left)]
        assert len(left) < len(whole)
        assert reader.warnings == [f"{path}: somebody cut off a part that had been read"]
        reader.close()


def test_what_rotation_deleted_is_left_out(tmp_path: Path) -> None:
    data = conversation().data
    path = save(tmp_path / "s.pcapng", data)
    reader = RecordingReader(path)
    found = [reader.poll()]
    for _ in range(2):
        path.replace(rotated(path, 1))
        save(path, data)
        found.append(reader.poll())
    assert list(map(len, found)) == [len(found[0])] * 3
    assert len(list(reader.read_from(0))) == 2 * len(found[0])
    assert reader.warnings == [f"{path}: a part was deleted by rotation: keep more files"]


def test_a_file_that_was_cut_before_it_was_rotated(tmp_path: Path) -> None:
    data = conversation().data
    path = save(tmp_path / "s.pcapng", data[:-20])
    reader = RecordingReader(path)
    first = reader.poll()
    path.rename(rotated(path, 1))
    save(path, data)
    second = reader.poll()
    assert len(second) == len(first) + 1
    assert len(list(reader.read_from(0))) == len(first) + len(second)


def test_recordings_put_together_keep_their_connections_apart(tmp_path: Path) -> None:
    data = conversation().data
    items = items_of(save(tmp_path / "s.pcapng", data + data))
    assert {item.connection for item in items} == {1, 2, 3, 4}
    assert stream(items, 3, CLIENT) == stream(items, 1, CLIENT)


WRITER = """
import sys, time
from pathlib import Path
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
size = int(sys.argv[2]) or None
writer = RecordingWriter(Path(sys.argv[1]), about={}, interval=0.002, max_size=size, keep=50)
log = writer.open(Peer(pid=1), {}, resume=lambda: {"here": True})
for number in range(3000):
    log.chunk(number % 2, time.time_ns(), b"%08d" % number, 8)
    if number % 50 == 0:
        time.sleep(0.002)
log.close(time.time_ns())
writer.close()
"""


@pytest.mark.parametrize("rotate_at", [0, 40_000])
def test_following_a_file_that_another_process_writes(tmp_path: Path, rotate_at: int) -> None:
    path = tmp_path / "s.pcapng"
    with subprocess.Popen([sys.executable, "-c", WRITER, path, str(rotate_at)]) as writer:
        while not path.exists() and writer.poll() is None:
            clock.sleep(0.002)
        reader = RecordingReader(path)
        items: list[Item] = []
        polls = 0
        while True:
            over = writer.poll() is not None
            some = reader.poll(1000)
            polls += bool(some)
            items += some
            if over and not some:
                break
            clock.sleep(0.001)
    assert writer.returncode == 0
    assert polls > 3
    assert reader.warnings == []
    numbers = [int(chunk.data) for chunk in chunks(items)]
    assert numbers == list(range(3000))
    assert kinds(items, 1)[0] == ("open", None)
    assert kinds(items, 1)[-1] == ("close", None)
    assert (("continue", None) in kinds(items, 1)) == bool(rotate_at)
    middle = chunks(items)[1500]
    again = chunks(list(reader.read_from(middle.position)))
    assert again == chunks(items)[1500:]


def test_a_remark_long_after_the_data_is_no_clock_that_was_set(tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.wait(5_000).remark({"note": Stuck(0, 100).json()})
    reader = RecordingReader(made.save())
    reader.poll()
    assert reader.warnings == []
    reader.close()
