"""The file of a recording: how it is made, when it cannot be written, when it rotates."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.conversation import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.pcapng import BLOCK
from pix_inspect.recording.sinks import RecordingFile, rotated, whole_blocks
from pix_inspect.recording.writer import ConnectionLog, RecordingWriter
from tests.support.packets import chunks, conversation, events, items_of, kinds, stream, wait_until
from tests.support.recording import START

ASLEEP = 1000.0
"""An interval after which the writer looks at its queue only when it is closed."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.pcapng"


# The file


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "s.pcapng"
    RecordingWriter(path, about={}).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_exists_is_not_touched(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(Problem, match=r"exists: choose another name"):
        RecordingWriter(path, about={})
    assert path.read_text() == "mine"


def test_a_symlink_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Problem, match="exists"):
        RecordingWriter(path, about={})
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match=r"cannot create the recording .*file/s.pcapng: Not a dir"):
        RecordingWriter(tmp_path / "file" / "s.pcapng", about={})


@pytest.mark.parametrize(("options", "words"), [({"max_size": 10}, "small"), ({"keep": 0}, "keep")])
def test_settings_that_make_no_sense(path: Path, options: dict[str, int], words: str) -> None:
    with pytest.raises(Problem, match=words):
        RecordingWriter(path, about={}, **options)
    assert not path.exists()


def test_a_stream_without_a_descriptor() -> None:
    stream_ = io.BytesIO()
    writer = RecordingWriter(stream_, about={"to": "memory"}, interval=ASLEEP)
    writer.open(Peer(), {}).chunk(CLIENT, START, b"cxin", 4)
    writer.close()
    data = stream_.getvalue()
    assert whole_blocks(data, len(data)) == len(data)
    assert b"cxin" in data


@given(st.integers(0, 73_000))
def test_whole_blocks_of_a_part(written: int) -> None:
    made = conversation()
    data = made.data
    whole = whole_blocks(data, min(written, len(data)))
    ends = [0]
    for each in made.split():
        ends.append(ends[-1] + len(each))
    assert whole == max(end for end in ends if end <= written)


# A disk that is full, a file that is gone


class Disk:
    """Stands in for pwrite: takes `room` bytes, then has no space."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.pwrite
        monkeypatch.setattr(os, "pwrite", self)

    def __call__(self, descriptor: int, data: Any, offset: int) -> int:
        if self.room is None:
            return self._write(descriptor, data, offset)
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = min(len(data), self.room)
        self.room -= count
        return self._write(descriptor, data[:count], offset)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    return Disk(monkeypatch)  # type: ignore[return-value]


@pytest.mark.parametrize("room", [0, 1, 60, 90, 1000, 40_000])
def test_a_full_disk_that_gets_space_again_loses_nothing(path: Path, disk: Disk, room: int) -> None:
    writer = RecordingWriter(path, about={}, interval=0.002)
    log = writer.open(Peer(), {})
    wait_until("the opening", lambda: not writer.queued)
    disk.room = room
    for number in range(1000):
        log.chunk(number % 2, START, b"%05d" % number * 20, 100)
    wait_until("the failure", lambda: writer.failure)
    assert writer.failure == f"cannot write {path}: No space left on device"
    data = path.read_bytes()
    assert whole_blocks(data, len(data)) == len(data)
    disk.room = 30_000
    wait_until("more", lambda: disk.room == 0)
    disk.room = None
    wait_until("recovery", lambda: not writer.failure)
    writer.close()
    assert writer.lost == 0
    items = items_of(path)
    assert stream(items, 1, CLIENT)[0] == b"".join(b"%05d" % n * 20 for n in range(0, 1000, 2))
    assert stream(items, 1, DAEMON)[0] == b"".join(b"%05d" % n * 20 for n in range(1, 1000, 2))


def test_a_file_that_took_a_part_is_nobody_elses(path: Path, disk: Disk) -> None:
    block = BLOCK.pack(6, 24) + bytes(12) + bytes(4)
    sink = RecordingFile(path)
    assert sink.write(block[:20] + b"\x01" * 4)
    disk.room = 24 + 10
    assert not sink.write(block[:20] + b"\x02" * 4 + block[:20] + b"\x03" * 4)
    assert path.stat().st_size == sink.size == 48
    assert not sink.gone(), "one block more is there, and it was written here"
    disk.room = 1 << 20
    assert sink.write(b"")
    assert path.stat().st_size == sink.size == 72
    assert not sink.gone()
    sink.close()


def test_what_did_not_fit_while_the_disk_was_full_is_stated(path: Path, disk: Disk) -> None:
    writer = RecordingWriter(path, about={}, interval=0.002, queue_limit=50_000)
    log = writer.open(Peer(), {})
    wait_until("the opening", lambda: not writer.queued)
    disk.room = 0
    log.chunk(CLIENT, START, b"first", 5)
    wait_until("the failure", lambda: writer.failure)
    for _ in range(100):
        log.chunk(CLIENT, START, b"x" * 1000, 1000)
    assert writer.lost > 0
    disk.room = None
    wait_until("recovery", lambda: not writer.failure)
    log.chunk(CLIENT, START, b"last", 4)
    writer.close()
    items = items_of(path)
    data, length = stream(items, 1, CLIENT)
    assert length == 100_009
    assert data.startswith(b"firstx")
    assert data.endswith(b".last")
    notes = [event.note["lost"] for event in events(items) if event.note and "lost" in event.note]
    assert [note["bytes"] for note in notes] == [writer.lost]
    assert "No space left on device" in notes[0]["why"]


def test_closing_on_a_full_disk_ends_and_counts(path: Path, disk: Disk) -> None:
    writer = RecordingWriter(path, about={}, interval=0.002)
    log = writer.open(Peer(), {})
    wait_until("the opening", lambda: not writer.queued)
    disk.room = 100
    for _ in range(10):
        log.chunk(CLIENT, START, b"x" * 100, 100)
    writer.close()
    assert writer.lost >= 900
    assert "No space left" in (writer.failure or "")
    assert len(chunks(items_of(path))) <= 1


TMPFS = """
import os, sys, time
from pathlib import Path
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
folder = Path(sys.argv[1])
path, ballast = folder / "s.pcapng", folder / "ballast"
ballast.write_bytes(bytes(200_000))
writer = RecordingWriter(path, about={}, interval=0.002, queue_limit=300_000)
log = writer.open(Peer(), {})
for number in range(10_000):
    log.chunk(number % 2, 1, b"%05d" % number * 20, 100)
while not writer.failure:
    time.sleep(0.001)
print(writer.failure, writer.lost > 0)
ballast.unlink()
while writer.failure:
    time.sleep(0.001)
writer.close()
data = path.read_bytes()
Path(sys.argv[2]).write_bytes(data)
"""


def test_a_small_disk_that_is_really_full(tmp_path: Path) -> None:
    """A tmpfs of 256 KiB, in a mount namespace of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    script = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(folder), sys.executable, TMPFS]
    done = subprocess.run([*command, str(tmp_path / "copy")], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.stderr == ""
    assert done.stdout == f"cannot write {folder}/s.pcapng: No space left on device True\n"
    items = items_of(tmp_path / "copy")
    assert stream(items, 1, CLIENT)[1] == stream(items, 1, DAEMON)[1] == 500_000
    assert any(event.note and "lost" in event.note for event in events(items))


def written_over(path: Path, change: Callable[[Path], object]) -> RecordingWriter:
    """Change a file that is being written, and write on until it is begun again."""
    writer = RecordingWriter(path, about={}, interval=0.002)
    log = writer.open(Peer(), {})
    log.chunk(CLIENT, START, b"before", 6)
    wait_until("the first chunk", lambda: len(chunks(items_of(path))) == 1)
    change(path)
    wait_until("another file", lambda: writer.vanished)
    log.chunk(CLIENT, START, b"after", 5)
    writer.close()
    assert writer.path is not None
    assert [(each.offset, each.data) for each in chunks(items_of(writer.path))] == [(6, b"after")]
    return writer


def test_a_file_that_is_cut_is_kept_and_another_begun(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.recording.writer_thread._LOOK", 0.0)
    writer = written_over(path, lambda path: os.truncate(path, 100))
    assert writer.path == path
    assert path.with_name("s-2.pcapng").stat().st_size == 100


def _replace(path: Path) -> None:
    path.with_name("other").write_bytes(b"mine")
    path.with_name("other").rename(path)


def test_a_file_that_is_replaced_is_left_to_who_did_that(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.recording.writer_thread._LOOK", 0.0)
    writer = written_over(path, _replace)
    assert path.read_bytes() == b"mine"
    assert writer.path == path.with_name("s-2.pcapng")


def test_a_file_that_is_written_over_is_left_to_who_did_that(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.recording.writer_thread._LOOK", 0.0)
    writer = written_over(path, lambda path: path.write_bytes(b"mine" * path.stat().st_size))
    assert writer.path == path.with_name("s-2.pcapng")
    assert path.read_bytes().startswith(b"minemine")


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_a_file_that_goes_is_begun_again(
    path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.recording.writer_thread._LOOK", 0.0)
    writer = RecordingWriter(path, about={}, interval=0.002)
    log = writer.open(Peer(), {}, resume=lambda: {"minor": 38})
    log.chunk(CLIENT, START, b"before", 6)
    wait_until("the first chunk", lambda: len(chunks(items_of(path))) == 1)
    if how == "deleted":
        path.unlink()
    else:
        os.truncate(path, 0)
    wait_until("a new file", lambda: path.exists() and path.stat().st_size)
    log.chunk(CLIENT, START, b"after", 5)
    writer.close()
    items = items_of(path)
    opened = events(items)[0].note
    assert opened is not None
    assert opened["continues"] == {"offsets": [6, 0], "state": {"minor": 38}}
    assert [(chunk.offset, chunk.data) for chunk in chunks(items)] == [(6, b"after")]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", ["deleted", "emptied", "cut"])
def test_what_is_written_next_is_in_the_new_file(path: Path, how: str) -> None:
    """However soon that is: what is appended to a file that was cut would begin behind a hole."""
    writer = RecordingWriter(path, about={}, interval=0.002)
    log = writer.open(Peer(), {})

    def offsets() -> list[int]:
        with contextlib.suppress(OSError, Problem):
            return [each.offset for each in chunks(items_of(path))]
        return []

    def is_so(number: int) -> bool:
        return offsets() == [number]

    for number in range(3):
        log.chunk(CLIENT, START, b"%d" % number, 1)
        wait_until("the chunk", partial(is_so, number))
        if how == "deleted":
            path.unlink()
        else:
            os.truncate(path, 0 if how == "emptied" else 100)
    log.chunk(CLIENT, START, b"3", 1)
    writer.close()
    assert offsets() == [3]
    assert writer.lost == 0
    assert writer.vanished > 0


def test_a_sink_appends_nothing_to_what_was_cut(path: Path) -> None:
    sink = RecordingFile(path)
    assert sink.write(b"x" * 100)
    os.truncate(path, 50)
    assert sink.missing()
    assert not sink.write(b"y" * 10)
    assert (sink.pending, path.stat().st_size) == (b"y" * 10, 50)
    sink.close()


def test_a_folder_that_goes_is_said_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix_inspect.recording.writer_thread._LOOK", 0.0)
    folder = tmp_path / "folder"
    path = folder / "s.pcapng"
    writer = RecordingWriter(path, about={}, interval=0.002, queue_limit=2_000)
    log = writer.open(Peer(), {})
    wait_until("the opening", lambda: not writer.queued)
    path.unlink()
    folder.rmdir()
    wait_until("the folder", path.exists)
    path.unlink()
    folder.rmdir()
    folder.write_bytes(b"")
    wait_until("the failure", lambda: writer.failure)
    assert "is gone and cannot be made again" in (writer.failure or "")
    for _ in range(100):
        log.chunk(CLIENT, START, b"x" * 1000, 1000)
    folder.unlink()
    wait_until("recovery", lambda: not writer.failure)
    writer.close()
    assert stream(items_of(path), 1, CLIENT)[1] == 100_000


def test_a_reader_of_the_pipe_that_goes_ends_the_recording_only() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "wb") as stream_:
        writer = RecordingWriter(stream_, about={}, interval=0.002)
        log = writer.open(Peer(), {})
        os.read(ours, 1 << 16)
        os.close(ours)
        log.chunk(CLIENT, START, b"x" * 1000, 1000)
        wait_until("the failure", lambda: writer.failure)
        assert writer.failure == "cannot write the recording: Broken pipe"
        for _ in range(100):
            log.chunk(CLIENT, START, b"x" * 1000, 1000)
        wait_until("the queue to be emptied", lambda: not writer.queue)
        log.close(START)
        writer.close()
        assert writer.lost >= 100_000


def test_a_pipe_that_nobody_reads_does_not_hold_up_the_end() -> None:
    ours, theirs = os.pipe()
    stream_ = os.fdopen(theirs, "wb")
    writer = RecordingWriter(stream_, about={}, interval=0.002)
    log = writer.open(Peer(), {})
    log.chunk(CLIENT, START, b"x" * 300_000, 300_000)
    log.chunk(CLIENT, START, b"x" * 300_000, 300_000)
    writer.close(timeout=0.05)
    assert writer.queued > 0
    os.close(ours)
    writer.close()
    stream_.close()


def test_standard_output_that_is_a_file_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    full = threading.Event()

    def limited(descriptor: int, data: Any) -> int:
        if descriptor == stream_.fileno() and full.is_set():
            if len(data) < 200:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data[: len(data) // 2])
        return write(descriptor, data)

    path = tmp_path / "out"
    with path.open("wb") as stream_:
        stream_.write(b"")
        monkeypatch.setattr(os, "write", limited)
        writer = RecordingWriter(stream_, about={}, interval=0.002)
        log = writer.open(Peer(), {})
        wait_until("the opening", lambda: not writer.queued)
        full.set()
        for _ in range(10):
            log.chunk(CLIENT, START, b"x" * 100, 100)
        wait_until("the failure", lambda: writer.failure)
        data = path.read_bytes()
        assert whole_blocks(data, len(data)) == len(data)
        full.clear()
        wait_until("recovery", lambda: not writer.failure)
        writer.close()
    assert stream(items_of(path), 1, CLIENT) == (b"x" * 1000, 1000)


# Rotation


def speak(log: ConnectionLog, count: int) -> None:
    for number in range(count):
        log.chunk(number % 2, START + number, b"%08d" % number, 8)


def rotating(path: Path, **options: Any) -> RecordingWriter:
    return RecordingWriter(path, about={"x": 1}, interval=0.001, max_size=8192, **options)


def slowly(writer: RecordingWriter, log: ConnectionLog, count: int) -> None:
    for number in range(count):
        log.chunk(number % 2, START + number, b"%08d" % number, 8)
        if number % 10 == 9:
            wait_until("the writer", lambda: not writer.queued)


def test_rotation_keeps_the_last_files_each_a_recording(path: Path) -> None:
    writer = rotating(path, keep=3)
    states = iter(range(1000))
    first = writer.open(Peer(7), {"up": 1}, resume=lambda: {"state": next(states)})
    second = writer.open(Peer(8), {})
    second.chunk(CLIENT, START, b"abc", 3)
    second.half_close(CLIENT, START)
    slowly(writer, first, 1000)
    writer.close()
    names = [path, rotated(path, 1), rotated(path, 2)]
    assert sorted(path.parent.iterdir()) == sorted(names)
    assert [name.name for name in names] == ["s.pcapng", "s.1.pcapng", "s.2.pcapng"]
    end = [4000, 4000]
    for name in names:
        assert name.stat().st_size <= 8192
        assert name.stat().st_mode & 0o777 == 0o600
        items = items_of(name)
        opened = events(items)[0].note
        assert opened is not None
        assert opened["peer"] == {"pid": 7}
        begun = opened["continues"]["offsets"]
        assert "state" in opened["continues"]["state"]
        for side in (CLIENT, DAEMON):
            mine = [c for c in chunks(items) if (c.connection, c.side) == (1, side)]
            assert mine[0].offset == begun[side]
            assert mine[-1].offset + mine[-1].length == end[side]
            for chunk in mine:
                number = int(chunk.data)
                assert (number % 2, number // 2 * 8) == (side, chunk.offset)
        end = begun
        assert kinds(items, 2) == [("open", None), ("half-close", CLIENT)]
        note = next(event.note for event in events(items) if event.connection == 2)
        assert note is not None
        assert note["continues"] == {"offsets": [3, 0], "state": None}
    together = path.with_name("together")
    together.write_bytes(b"".join(name.read_bytes() for name in reversed(names)))
    items = items_of(together)
    assert stream(items, 1, CLIENT)[1] == 4000
    assert kinds(items, 1) == [("open", None), ("continue", None), ("continue", None)]


def test_a_group_may_read_every_file_where_that_is_asked_for(path: Path) -> None:
    writer = rotating(path, keep=3, mode=0o640)
    slowly(writer, writer.open(Peer(), {}), 500)
    writer.close()
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o640}
    assert rotated(path, 1).exists()


def test_keeping_one_file(path: Path) -> None:
    writer = rotating(path, keep=1)
    slowly(writer, writer.open(Peer(), {}), 500)
    writer.close()
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_size <= 8192


def test_files_of_others_are_in_nobodys_way(path: Path) -> None:
    rotated(path, 1).write_text("mine")
    with pytest.raises(Problem, match=r"s\.1\.pcapng exists and rotation would need its name"):
        rotating(path)
    rotated(path, 1).unlink()
    writer = rotating(path)
    rotated(path, 1).write_text("mine")
    log = writer.open(Peer(), {})
    slowly(writer, log, 500)
    assert "cannot rotate" in (writer.failure or "")
    writer.close()
    assert rotated(path, 1).read_text() == "mine"
    assert writer.lost == 0
    assert stream(items_of(path), 1, CLIENT)[1] == 2000


def test_a_tap_that_cannot_say_its_state_does_not_end_the_recording(path: Path) -> None:
    def fails() -> dict[str, Any]:
        raise RuntimeError("no state")

    def huge() -> dict[str, Any]:
        return {"x": "y" * 100_000}

    writer = rotating(path)
    slowly(writer, writer.open(Peer(), {}, resume=fails), 200)
    slowly(writer, writer.open(Peer(), {}, resume=huge), 300)
    writer.close()
    notes = {
        event.connection: event.note for event in events(items_of(path)) if event.kind == "open"
    }
    assert notes[1] is not None
    assert notes[1]["continues"]["state"] == {"failed": "RuntimeError: no state"}
    assert notes[2] is not None
    assert notes[2]["continues"]["state"] is None


def test_more_state_than_a_file_may_hold_does_not_rotate_for_ever(path: Path) -> None:
    writer = rotating(path, keep=2)
    logs = [
        writer.open(Peer(command="x" * 300), {}, resume=lambda: {"x": "y" * 300}) for _ in range(30)
    ]
    for log in logs:
        slowly(writer, log, 50)
    writer.close()
    assert json.dumps("y" * 300) in path.read_text("latin-1")
    last = [item for item in chunks(items_of(path)) if item.connection == 30]
    assert last[-1].offset + last[-1].length == 200


@pytest.mark.parametrize("name", ["s.pcapng.gz", "s.pcapng.zst"])
def test_a_name_that_promises_compression_is_a_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"name it s\.pcapng, and compress it afterwards"):
        RecordingFile(tmp_path / name)
    assert not any(tmp_path.iterdir())
