"""What is said to people reaches their terminal as text, whatever it quotes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pix_inspect.base.narrate import LONGEST, say
from tests.support.places import RECORDINGS
from tests.support.processes import pix
from tests.support.terminal import COMMAND, Terminal

HOSTILE = "a\x1b]0;title\x07\u202e\nb"
SHOWN = "a␛]0;title\\x07\\u{202e}\\nb"


def test_what_is_said_is_one_line_that_no_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say(HOSTILE)
    say("x" * 10_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"pix-inspect: {SHOWN}"
    assert len(lines[1]) == LONGEST
    assert len(lines) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["dump", HOSTILE],
        ["check", RECORDINGS / "lookups.pcapng", "--ignore", HOSTILE],
        ["record", "--listen", HOSTILE + "/s", "--upstream", "x"],
    ],
    ids=lambda words: words[0][:7],
)
def test_a_problem_quotes_what_was_typed_inert(tmp_path: Path, words: list[str | Path]) -> None:
    done = pix(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert SHOWN in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr[:-1].isprintable()


def test_on_a_terminal_it_is_wrapped_at_words_and_paths_stay_whole(tmp_path: Path) -> None:
    path = f"{tmp_path}/{'a' * 60}.pcapng"
    terminal = Terminal(*COMMAND, "dump", path, folder=tmp_path, size=(60, 24))
    try:
        assert terminal.ended() == 2
    finally:
        terminal.close()
    lines = terminal.text.decode().splitlines()
    assert len(lines) > 1
    assert any(path in line for line in lines)
    assert all(len(line) <= 60 for line in lines if path not in line)
    assert (
        " ".join(line.strip() for line in lines) == pix("dump", path, cwd=tmp_path).stderr.strip()
    )


def test_nobody_to_tell_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as gone:
        monkeypatch.setattr("sys.stderr", gone)
        say("anybody?")
        monkeypatch.setattr("sys.stderr", None)
        say("anybody?")
        monkeypatch.undo()
        try:
            gone.close()
        except BrokenPipeError:
            return


BLOCKED = """
import sys
from pix_inspect.base.narrate import all_said, never_wait, say
never_wait()
for number in range(int(sys.argv[1])):
    say(f"line {number}")
all_said()
print("done")
"""


@pytest.mark.parametrize("lines", [100, 20_000])
def test_nobody_waits_for_a_terminal_that_nobody_reads(lines: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    command = [sys.executable, "-c", BLOCKED, str(lines)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writing, timeout=300)
    assert done.returncode == 0
    assert done.stdout == b"done\n"
    os.close(writing)
    os.close(reading)


def test_what_is_said_behind_arrives_in_order_and_what_is_left_out_is_counted() -> None:
    command = [sys.executable, "-c", BLOCKED, "20000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = done.stderr.splitlines()
    numbers = [int(line.rpartition(" ")[2]) for line in said if ": line " in line]
    assert numbers == sorted(numbers)
    counted = [line.split()[1] for line in said if "were not printed" in line]
    assert len(numbers) + sum(int(each.replace(",", "")) for each in counted) == 20_000
