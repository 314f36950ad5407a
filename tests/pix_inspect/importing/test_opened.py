"""Files as they are imported: plain, compressed, from a pipe, cut."""

from __future__ import annotations

import gzip
import lzma
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.importing.opened import contents, opened

TEXT = b"some lines\n" * 1000


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_what_compressed_files_hold_is_what_plain_ones_are(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(TEXT))
    assert contents(path) == TEXT
    with opened(path) as file:
        assert file.readline() == b"some lines\n"


def test_what_is_cut_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file.xz"
    path.write_bytes(lzma.compress(TEXT)[:-20])
    with pytest.raises(Problem, match="cannot be decompressed further"):
        opened(path)


def test_a_pipe_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(TEXT,))
    writer.start()
    assert contents(path) == TEXT
    assert "a pipe, until its writers are done" in capsys.readouterr().err
    writer.join()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"cannot read .*none"):
        contents(tmp_path / "none")
    with pytest.raises(Problem, match="cannot read"):
        contents(tmp_path)
