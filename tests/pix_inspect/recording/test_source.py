"""Where a recording is read from: compressed files, files that are none, a file that grows."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import io
import lzma
from pathlib import Path
from types import ModuleType

import pytest

from pix.problem import Problem
from pix.sockets import listen
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.source import open_source
from tests.support.packets import conversation, items_of, save
from tests.support.recording import section


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No such file"):
        RecordingReader(tmp_path / "none.pcapng")
    with pytest.raises(Problem, match="is not a file"):
        RecordingReader(tmp_path)
    with pytest.raises(Problem, match="is not a file"):
        RecordingReader(Path("/dev/zero"))


def test_a_folder_in_the_place_of_what_was_opened_does_not_follow_it(tmp_path: Path) -> None:
    path = tmp_path / "r.pcapng"
    path.write_bytes(b"whole")
    source = open_source(path)
    path.unlink()
    path.mkdir()
    (path / "file").touch()
    assert not source.extend()
    assert source.read(0, 100) == b"whole"
    source.close()


def test_a_socket_is_no_recording(tmp_path: Path) -> None:
    with listen(tmp_path / "s").sock, pytest.raises(Problem, match="s is a socket"):
        RecordingReader(tmp_path / "s")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a Linux")
def test_what_cannot_be_read_is_one_line() -> None:
    with pytest.raises(Problem, match="cannot read /proc/self/mem: Input/output error"):
        RecordingReader(Path("/proc/self/mem"))


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
    with pytest.raises(Problem, match="cannot be decompressed"):
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


def test_xz_is_read_directly_of_one_stream_or_several(tmp_path: Path) -> None:
    made = conversation()
    plain = items_of(made.save(tmp_path / "s.pcapng"))
    half = len(made.data) // 2
    parts = [lzma.compress(made.data[:half]), bytes(8), lzma.compress(made.data[half:])]
    for packed in (lzma.compress(made.data), b"".join(parts), b"".join(parts) + bytes(4)):
        assert items_of(save(tmp_path / "s.pcapng.xz", packed)) == plain
    reader = RecordingReader(save(tmp_path / "s.pcapng.xz", lzma.compress(made.data)[:-40]))
    items = reader.poll()
    assert items == plain[: len(items)]
    assert "cannot be decompressed further" in reader.warnings[0]


def test_unpacking_ends_at_a_bound_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = conversation()
    data = made.data * (1 + (6 << 20) // len(made.data))
    monkeypatch.setattr("pix_inspect.recording.source.MOST_UNPACKED", 3 << 20)
    for packed in (gzip.compress(data), lzma.compress(data, preset=0)):
        reader = RecordingReader(save(tmp_path / "s.pcapng", packed))
        while reader.poll():
            pass
        assert reader.size <= 5 << 20
        assert "is unpacked to its first 3 MiB only" in " ".join(reader.warnings)


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
