"""`diff` as a stranger uses it: two recordings, two exchanges, and what is not a recording."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix.protocol.types import UnkeyedValidPathInfo
from pix_inspect import cli
from pix_inspect.commands import diff
from pix_inspect.compare.sessions import compare_sessions
from pix_inspect.options import progress as progress_line
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import Recording, growing

QUERIES, LOOKUPS = (str(RECORDINGS / f"{name}.pcapng") for name in ("queries", "lookups"))
STORE = "/nix/store/00000000000000000000000000000000-"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(["diff", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def valid(made: Recording, talk: Any, name: str, *, yes: bool = True) -> None:
    talk.trip(ops.IsValidPath(path=STORE + name), StderrLast(),
             ops.IsValidPath.Reply(valid=yes))  # fmt: skip


def about(made: Recording, talk: Any, name: str, time: int) -> None:
    info = UnkeyedValidPathInfo(deriver=None, nar_hash="0" * 64, references=frozenset(),
                                registration_time=time, nar_size=3)  # fmt: skip
    talk.trip(ops.QueryPathInfo(path=STORE + name), StderrLast(),
             ops.QueryPathInfo.Reply(info=info))  # fmt: skip


@pytest.fixture
def two(tmp_path: Path) -> tuple[Recording, Recording]:
    return growing(tmp_path / "a.pcapng"), growing(tmp_path / "b.pcapng")


def compared(
    capsys: pytest.CaptureFixture[str], two: tuple[Recording, Recording], *options: str
) -> tuple[int, str]:
    status, out, err = said(capsys, *(str(made.save()) for made in two), *options)
    assert err == ""
    return status, out


def test_connections_in_parallel_and_in_another_order(
    two: tuple[Recording, Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    for which, made in enumerate(two):
        talks = [made.connect(), made.connect()]
        names = ["x", "y", "x", "z"]
        for i, name in enumerate(reversed(names) if which else names):
            valid(made, talks[i % 2], name)
            about(made, talks[which], name, 1000 + i + which)
    status, out = compared(capsys, two)
    assert (status, out) == (
        0,
        "no difference between 10 and 10 exchanges (7 different requests)\n",
    )


def test_one_connection_more(
    two: tuple[Recording, Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    for made in two:
        valid(made, made.connect(), "x")
    two[1].connect()
    status, out = compared(capsys, two)
    assert status == 1
    assert "more often in B: 1 request\n  handshake client 1.38" in out
    assert "1 time in A, 2 in B  (A #1; B #1, #3)" in out


def test_versions_are_told_and_what_both_can_say_is_compared(
    two: tuple[Recording, Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    for made, version in zip(two, (Protocol(36), Protocol(38)), strict=True):
        valid(made, made.connect(version), "x")
    status, out = compared(capsys, two)
    assert status == 1
    assert "request.version: 1.36 → 1.38" in out
    assert "protocol 1.36, daemon Nix 2.34.8" in out
    assert "IsValidPath" not in out
    assert "features" not in out


def test_the_order_of_answers_does_not_matter_but_which_they_are(
    two: tuple[Recording, Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    for made, answers in zip(two, ((True, False, True), (True, True, False)), strict=True):
        talk = made.connect()
        for yes in answers:
            valid(made, talk, "x", yes=yes)
    assert compared(capsys, two)[0] == 0
    valid(two[0], two[0].connections[0], "x", yes=False)
    valid(two[1], two[1].connections[0], "x", yes=True)
    status, out = compared(capsys, two)
    assert status == 1
    assert "answered otherwise: 1 request" in out
    assert "reply.valid: false → true" in out


def test_time_of_registration_is_masked_unless_wanted(
    two: tuple[Recording, Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    for time, made in enumerate(two):
        about(made, made.connect(), "x", time)
    assert compared(capsys, two)[0] == 0
    status, out = compared(capsys, two, "--everything")
    assert status == 1
    assert "reply.info.registration_time: 0 → 1" in out


def test_limit(two: tuple[Recording, Recording], capsys: pytest.CaptureFixture[str]) -> None:
    talk = two[0].connect()
    two[1].connect()
    for i in range(30):
        valid(two[0], talk, f"x{i}")
    assert "IsValidPath  30  0  -30" in compared(capsys, two)[1]
    for options, shown in (((), 5), (("--limit", "2"), 2), (("--limit", "0"), 30)):
        out = compared(capsys, two, *options)[1]
        assert out.count("…x") == shown
        assert (f"… {30 - shown} more; --limit 0 shows all" in out) == (shown < 30)


def test_json_lines_have_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, QUERIES, LOOKUPS, "--format", "json")
    assert status == 1
    told = [json.loads(line) for line in out.splitlines()]
    kinds = {line["difference"] for line in told}
    assert {"only first", "only second", "more often"} <= kinds
    assert all(line["took"][0] > 0 for line in told if line["first"])


def test_two_exchanges(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, QUERIES, "3", QUERIES, "3")[0] == 0
    status, out, _ = said(capsys, QUERIES, "1", "2")
    assert status == 1
    assert out.startswith("A  #1 handshake client 1.38")
    assert "operation: – → SetOptions" in out
    status, out, _ = said(capsys, QUERIES, "1", "2", "--format", "json")
    assert status == 1
    assert json.loads(out)["changes"]
    status, out, _ = said(capsys, QUERIES, "1", LOOKUPS, "1")
    assert (status, out.splitlines()[-1]) == (0, "no difference")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([QUERIES], "give two recordings, A B, or two exchanges by number"),
        ([QUERIES, "1", "x"], "give two recordings, A B, or two exchanges by number"),
        ([QUERIES, "1", QUERIES, "2", "3"], "give two recordings"),
        ([QUERIES, "0", "1"], "has no exchange 0: they are 1 to 30"),
        ([QUERIES, "1", LOOKUPS, "99"], "has no exchange 99: they are 1 to 10"),
        ([QUERIES, QUERIES, "--limit", "-1"], "--limit is a number of differences"),
        ([QUERIES, "/nowhere.pcapng"], "cannot open /nowhere.pcapng: No such file"),
    ],
)
def test_what_cannot_be_compared(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = said(capsys, *words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_files_that_are_no_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, foreign = tmp_path / "empty.pcapng", tmp_path / "foreign.pcapng"
    empty.write_bytes(b"")
    foreign.write_bytes(b"no recording at all")
    for path in (empty, foreign):
        assert said(capsys, QUERIES, str(path))[0] == 2


def test_a_cut_recording_is_compared_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path(QUERIES).read_bytes()
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    status, out, err = said(capsys, QUERIES, str(cut))
    assert status == 1
    assert "only in A" in out
    assert "is cut at byte" in err


def test_compressed_and_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(QUERIES, tmp_path / "copy.pcapng")
    assert said(capsys, QUERIES, str(tmp_path / "copy.pcapng"))[0] == 0


def test_an_interrupted_comparison_leaves_the_terminal_clean(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress_line, "BEFORE", 0.0)
    monkeypatch.setattr(progress_line, "EVERY", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)

    def compare(first: Session, second: Session, mask: frozenset[str], progress: Any) -> Any:
        progress(1, 4)
        return compare_sessions(first, second, mask, interrupted)

    monkeypatch.setattr(diff, "compare_sessions", compare)
    status, out, err = said(capsys, QUERIES, LOOKUPS)
    assert (status, out) == (130, "")
    assert "comparing 25 %" in err
    assert err.endswith("\r\x1b[K")
