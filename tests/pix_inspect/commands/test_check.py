"""The command that holds a recording to findings and expectations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix_inspect.cli import main
from tests.support.places import RECORDINGS
from tests.support.planted import DAEMON, Planted
from tests.support.recording import saved


def test_check_lists_findings(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "untrusted.pcapng")
    assert main(["check", path]) == 0
    said = capsys.readouterr().out
    assert "▲ warning: unsigned: a path was refused" in said
    assert "connection 1, #4, daemon's byte 128, error.message: cannot add path" in said
    assert main(["check", path, "--least", "error"]) == 0
    assert "nothing found in" in capsys.readouterr().out
    assert main(["check", path, "--ignore", "unsigned", "no finding = unsigned"]) == 1
    assert "✗ no finding = unsigned: 1 (exchanges #4)" in capsys.readouterr().out


def test_check_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = Planted("build-with-log")
    planted.change(DAEMON, *planted.reply("AddTempRoot"), b"")
    path = saved(planted, tmp_path).path
    assert main(["check", str(path), "any error", "--format", "json"]) == 1
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0]["expectation"] == "any error"
    desync = next(line for line in said if line.get("finding") in ("desync", "wild-length"))
    assert desync["grade"] == "error"
    assert desync["side"] == "daemon"
    assert any("missing one" in line for line in desync["diagnosis"])
    assert desync["mistakes"] == ["missing one"]
    assert main(["check", str(path), 'any finding ~ "missing one"', "--least", "error"]) == 1
    assert "✓ any finding" in capsys.readouterr().out


def test_check_of_nonsense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "untrusted.pcapng")
    (tmp_path / "empty.pcapng").touch()
    (tmp_path / "text.pcapng").write_text("hello")
    for words, said in (
        ([path, "--ignore", "nothing"], "no finding has that name"),
        ([path, "--ignore", "obsolte"], "did you mean obsolete?"),
        ([path, "--ignore", "\x1b[31m"], "␛[31m: no finding"),
        ([path, "--least", "grave"], "invalid choice"),
        ([path, "count(op = X"], "with what is count compared?"),
        ([str(tmp_path / "none.pcapng")], "No such file"),
        ([str(tmp_path / "empty.pcapng")], "is empty"),
        ([str(tmp_path / "text.pcapng")], "is not a pcapng file"),
        ([str(tmp_path)], "is not a file"),
        (["-"], "not read from a pipe"),
        (["/dev/null"], "is not a file"),
    ):
        assert main(["check", *words]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert said in told.err
        assert told.err.count("\n") == 1


def test_check_says_that_a_recording_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (RECORDINGS / "untrusted.pcapng").read_bytes()
    path = tmp_path / "cut.pcapng"
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["check", str(path), "--format", "json"]) == 0
    told = capsys.readouterr()
    assert "is cut at byte" in told.err
    assert json.loads(told.out.splitlines()[-1])["cut"]["bytes"] > 0
