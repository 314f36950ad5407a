"""Lines on a terminal: wrapped at words, in colour unless that is not wanted; elsewhere plain."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.base.table import aligned
from pix_inspect.base.terminal_text import Tone, Toned, show, wrapped
from tests.support.places import RECORDINGS
from tests.support.processes import pix
from tests.support.terminal import COMMAND, Terminal


def test_what_is_no_terminal_gets_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    line = Toned("word " * 100, Tone.BAD)
    show([line, "plain"])
    assert capsys.readouterr().out == f"{line}\nplain\n"


def test_lines_are_wrapped_at_words_and_long_words_stay_whole() -> None:
    path = "/nix/store/" + "a" * 60
    pieces = wrapped(f"  a note about {path} and what is said of it", 40)
    assert pieces[0] == "  a note about"
    assert path in [piece.strip() for piece in pieces]
    assert all(len(piece) <= 40 for piece in pieces if path not in piece)
    assert all(piece.startswith("      ") for piece in pieces[1:])
    assert wrapped("short", 40) == ["short"]


@pytest.mark.parametrize("no_color", ["", "1"])
def test_dump_on_a_terminal_is_as_wide_as_it(
    tmp_path: Path, no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    recording = str(RECORDINGS / "build-failure.pcapng")
    terminal = Terminal(*COMMAND, "dump", recording, "--oneline", folder=tmp_path, size=(60, 24))
    try:
        assert terminal.ended() == 0
    finally:
        terminal.close()
    text = terminal.text.decode()
    assert ("\x1b[31m#16" in text) == (not no_color)
    plain = [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in text.split("\r\n")]
    assert all(len(line) <= 60 for line in plain)
    piped = pix("dump", recording, "--oneline", cwd=tmp_path).stdout.splitlines()
    assert len(piped) == 16
    assert [line[:40] for line in plain if line] == [line[:40] for line in piped]


def test_a_table_is_not_wrapped_but_ends_behind_a_column() -> None:
    head, line = aligned([("operation", "count", "took"), ("handshake", "1", "2.71 ms")])
    assert wrapped(head, 24) == ["operation  count …"]
    assert wrapped(line, 24) == ["handshake      1 …"]
    assert wrapped(line, 25) == [line]
