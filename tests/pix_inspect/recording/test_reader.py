"""Reading recordings: whole, cut anywhere, growing, compressed, rotated, edited by others."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import io
import subprocess
import sys
import time as clock
from pathlib import Path
from types import ModuleType

import pytest

from pix.conversation import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.recording import pcapng, tcp_headers
from pix_inspect.recording.reader import Chunk, Event, Item, RecordingReader
from pix_inspect.recording.stream_reader import ChunkSeen
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
        def connection(self, number: int, time: int, position: int) -> ChunkSeen:
            return lambda *chunk: self.look(Chunk(number, *chunk))

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


def test_offsets_pass_four_gibibytes(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.track.closed = False
    talk.track.offsets = [(1 << 32) - 100, (3 << 32) - 9]
    made.blocks = [section()]
    talk.resume({})
    for _ in range(40):
        talk.chunk(CLIENT, b"client", 7)
        talk.chunk(DAEMON, b"daemon", 6)
    talk.chunk(CLIENT, b"x" * 66_000)
    reader = RecordingReader(made.save(tmp_path / "s.pcapng"))
    items = reader.poll()
    assert stream(items, 1, CLIENT)[1] == (1 << 32) - 100 + 280 + 66_000
    assert stream(items, 1, DAEMON)[1] == (3 << 32) - 9 + 240
    for position in sorted({item.position for item in items}):
        expected = [item for item in items if item.position >= position]
        assert list(reader.read_from(position)) == expected


def test_elided_runs_longer_than_sequence_numbers(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(DAEMON, b"", 5 << 32)
    talk.chunk(DAEMON, b"end")
    reader = RecordingReader(made.save(tmp_path / "s.pcapng"))
    last = reader.poll()[-1]
    assert isinstance(last, Chunk)
    assert (last.offset, last.data) == (5 << 32, b"end")
    assert list(reader.read_from(last.position)) == [last]


# What is not a recording


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x0a\x0d", "cut off"),
        (b"hello, this is text of some length", "not a pcapng file"),
        (b"\xd4\xc3\xb2\xa1" + bytes(40), "old-style pcap"),
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


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No such file"):
        RecordingReader(tmp_path / "none.pcapng")
    with pytest.raises(Problem, match="is not a file"):
        RecordingReader(tmp_path)
    with pytest.raises(Problem, match="is not a file"):
        RecordingReader(Path("/dev/zero"))


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


def test_a_packet_taken_out_is_a_gap(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    for word in (b"one", b"three", b"nineteen"):
        talk.chunk(CLIENT, word)
    data = made.data.replace(_packet_with(made, b"three"), b"")
    reader = RecordingReader(save(tmp_path / "s.pcapng", data))
    items = reader.poll()
    assert stream(items, 1, CLIENT) == (b"one.....nineteen", 16)
    assert list(reader.read_from(items[-1].position)) == items[-2:]


def test_a_packet_twice_is_read_once(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"one")
    twice = _packet_with(made, b"one")
    talk.chunk(CLIENT, b"three")
    data = made.data + twice
    reader = RecordingReader(save(tmp_path / "s.pcapng", data))
    items = reader.poll()
    assert stream(items, 1, CLIENT) == (b"onethree", 8)
    assert list(reader.read_from(0)) == items


def test_a_beginning_taken_out(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"lost")
    before = len(b"".join(made.blocks[2:]))
    talk.chunk(CLIENT, b"found")
    head = b"".join(made.blocks[:2])
    data = head + made.data[len(head) + before :]
    items = items_of(save(tmp_path / "s.pcapng", data))
    assert [event.kind for event in events(items)] == ["open"]
    assert stream(items, 1, CLIENT) == (b"....found", 9)


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


def _packet_with(made: Recording, data: bytes) -> bytes:
    return next(found for found in made.split() if found[68 : 68 + len(data)] == data)


# Compressed


def test_gzip_is_read_directly_whatever_its_name(tmp_path: Path) -> None:
    made = conversation()
    path = save(tmp_path / "s.recording", gzip.compress(made.data))
    plain = items_of(made.save(tmp_path / "s.pcapng"))
    reader = RecordingReader(path)
    items = reader.poll()
    assert items == plain
    assert list(reader.read_from(items[5].position)) == items[5:]
    assert reader.size == reader.consumed == len(made.data)


def test_a_cut_gzip_gives_what_it_has(tmp_path: Path) -> None:
    made = conversation()
    data = gzip.compress(made.data, mtime=0)
    plain = items_of(made.save(tmp_path / "s.pcapng"))
    reader = RecordingReader(save(tmp_path / "s.pcapng.gz", data[:-9]))
    items = reader.poll()
    assert items == plain[: len(items)]
    assert "cannot be decompressed further" in reader.warnings[0]
    with pytest.raises(Problem, match=r"empty|cut off"):
        RecordingReader(save(tmp_path / "s.pcapng.gz", data[:11]))


def test_a_gzip_of_zeros_is_not_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream_:
        stream_.write(section())
        for _ in range(64):
            stream_.write(bytes(1 << 20))
    reader = RecordingReader(save(tmp_path / "bomb.gz", packed.getvalue()))
    assert reader.poll() == []
    assert reader.size < 1 << 30
    assert reader.truncated is not None
    assert reader.truncated[1] < 3 << 20
    assert "damaged" in reader.warnings[0]


def test_zstd_is_read_directly(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="no Python package zstandard here")
    made = conversation()
    path = save(tmp_path / "s.pcapng.zst", zstandard.ZstdCompressor().compress(made.data))
    assert items_of(path) == items_of(made.save(tmp_path / "s.pcapng"))


def test_without_a_zstd_library_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_module(name: str) -> ModuleType:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", no_module)
    path = save(tmp_path / "s.pcapng.zst", b"\x28\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(Problem, match="install the Python package zstandard"):
        RecordingReader(path)


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


def test_recordings_put_together_keep_their_connections_apart(tmp_path: Path) -> None:
    data = conversation().data
    items = items_of(save(tmp_path / "s.pcapng", data + data))
    assert {item.connection for item in items} == {1, 2, 3, 4}
    assert stream(items, 3, CLIENT) == stream(items, 1, CLIENT)


def test_bytes_missing_between_two_files_are_a_gap(tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"one")
    first = made.data
    talk.chunk(CLIENT, b"missing")
    made.blocks = [section()]
    talk.resume(None)
    talk.chunk(CLIENT, b"three")
    items = items_of(save(tmp_path / "s.pcapng", first + made.data))
    assert stream(items, 1, CLIENT) == (b"one.......three", 15)


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
