"""Output that is closed or full, and standard streams that were never there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.places import RECORDINGS
from tests.support.processes import HELLO, PIX, environment

DUMP = ["dump", str(RECORDINGS / "lookups.pcapng")]
COMMANDS = [
    DUMP,
    [*DUMP, "--format", "json"],
    ["check", DUMP[1]],
    ["explain", "QueryPathInfo"],
    ["--help"],
    ["dump", "--help"],
    ["list"],
]


def run_with(folder: Path, words: list[str], redirected: str) -> subprocess.CompletedProcess[str]:
    """Run a command from a shell that redirects its streams."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *PIX, *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[-30:])
def test_a_closed_or_full_output_costs_one_line_and_no_traceback(
    tmp_path: Path, words: list[str]
) -> None:
    for redirected, why in ((">/dev/full", "No space left"), (">&-", "Bad file descriptor")):
        done = run_with(tmp_path, words, redirected)
        if done.stderr or "--help" not in words:  # the parser of arguments keeps this to itself
            assert done.stderr.startswith(f"pix-inspect: cannot write: {why}")
            assert done.stderr.count("\n") == 1
            assert done.returncode == 2
        assert run_with(tmp_path, words, f"{redirected} 2>&-").stderr == ""


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "<&-", "<&- 2>&-"])
def test_other_closed_streams_change_nothing_of_the_output(tmp_path: Path, redirected: str) -> None:
    for words in (DUMP, COMMANDS[2]):
        expected = run_with(tmp_path, words, "")
        done = run_with(tmp_path, words, redirected)
        assert done.stdout == expected.stdout
        assert done.stdout
        assert done.returncode == expected.returncode


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2</dev/null", "2>&-", ">/dev/full 2>&1"])
def test_what_cannot_be_said_changes_no_status(tmp_path: Path, redirected: str) -> None:
    for words, status in ((["payload", DUMP[1]], 0), (["nonsense"], 2), (["export"], 2)):
        assert run_with(tmp_path, words, "2>&1").stdout.startswith("pix-inspect: ")
        assert run_with(tmp_path, words, redirected).returncode == status


def test_a_file_does_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(HELLO)
    (tmp_path / "d").write_bytes(b"")
    made = []
    for number, redirected in enumerate(("", "<&- >&- 2>&-")):
        words = ["import", "--client", "c", "--daemon", "d", "-o", f"{number}.pcapng"]
        run_with(tmp_path, words, redirected)
        made.append((tmp_path / f"{number}.pcapng").stat().st_size)
    assert made[0] == made[1] > 0


def test_what_ends_by_a_problem_is_silent_on_output_that_nobody_takes(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(Path(DUMP[1]).read_bytes()[:-5] + b"xxxxx")
    done = run_with(tmp_path, ["dump", str(cut)], "| true")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["analyse", DUMP[1]],
        ["explain", "QueryPathInfo"],
        ["excerpt", DUMP[1], "3..4"],
        ["tour", "build"],
        ["help", "run"],
        ["dump", "ä…"],
    ],
    ids=" ".join,
)
def test_characters_that_a_locale_lacks_are_escapes(tmp_path: Path, words: list[str]) -> None:
    done, plain = (
        subprocess.run(
            [*PIX, *words],
            capture_output=True,
            cwd=tmp_path,
            env=environment(tmp_path) | {"PYTHONIOENCODING": encoding},
            check=False,
        )
        for encoding in ("utf-8", "ascii")
    )
    assert plain.returncode == done.returncode in (0, 2)
    for found, expected in ((plain.stdout, done.stdout), (plain.stderr, done.stderr)):
        assert found == expected.decode().encode("ascii", "backslashreplace")
