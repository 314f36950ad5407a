"""Lines typed earlier: kept for the next session, gone through, and never in the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pix_inspect.base.line_history import LONGEST, LineHistory, history_file


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_lines_last_and_only_their_owner_can_read_them() -> None:
    history = LineHistory("filters")
    for line in ("error", "error", "op = Quit\nx", "ä €"):
        history.add(line)
    assert LineHistory("filters").lines == ["error", "op = Quit x", "ä €"]
    assert LineHistory("searches").lines == []
    assert stat.S_IMODE(history_file("filters").stat().st_mode) == 0o600


def test_going_back_and_forth_brings_what_was_written_back() -> None:
    history = LineHistory("filters")
    for line in ("one", "two"):
        history.add(line)
    assert history.step(1, "new") is None
    assert history.step(-1, "new") == "two"
    assert history.step(-1, "two") == "one"
    assert history.step(-1, "one") is None
    assert history.step(1, "one") == "two"
    assert history.step(1, "two") == "new"
    assert history.step(-1, "new") == "two"
    assert history.step(-1, "two, changed") == "two"
    assert history.step(1, "two") == "two, changed"


def test_what_cannot_be_read_or_written_is_not_in_the_way(tmp_path: Path) -> None:
    history_file("filters").unlink()
    (tmp_path / "pix-inspect" / "filters").mkdir()
    history = LineHistory("filters")
    history.add("error")
    assert history.lines == ["error"]
    assert history.step(-1, "") == "error"


def test_what_others_left_there_stops_nobody() -> None:
    path = history_file("filters")
    path.write_bytes(b"\x1b[31mred \xff\n" + b"y" * 3_000_000 + b"\none\n")
    assert LineHistory("filters").lines == [" [31mred \ufffd", "one"]
    path.unlink()
    os.mkfifo(path)
    history = LineHistory("filters")
    history.add("error")
    history.add("y" * (LONGEST + 1))
    assert history.lines == ["error"]
    path.unlink()
    path.symlink_to("/dev/zero")
    assert not any(line.strip() for line in LineHistory("filters").lines)
