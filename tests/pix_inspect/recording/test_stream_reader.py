"""A connection read back from its packets: offsets, gaps, repetitions."""

from __future__ import annotations

from pathlib import Path

from pix.conversation import CLIENT, DAEMON
from pix_inspect.recording.reader import Chunk, RecordingReader
from tests.support.packets import events, items_of, save, stream
from tests.support.recording import Recording, section


def _packet_with(made: Recording, data: bytes) -> bytes:
    return next(found for found in made.split() if found[68 : 68 + len(data)] == data)


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
