"""`pix-inspect explain`: entries with their examples, exchanges byte by byte, and wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.teach.bundled import recording


def test_an_entry_ends_with_a_recorded_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "QueryDeriver"]) == 0
    said = capsys.readouterr().out
    assert "example: exchange" in said
    assert "12 00 00 00 00 00 00 00" in said
    assert main(["explain", "--no-example", "QueryDeriver"]) == 0
    assert "example" not in capsys.readouterr().out


def test_the_example_of_a_type_is_that_type_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "BuildResult"])
    said = capsys.readouterr().out
    assert "status  Built (0)" in said
    assert "STDERR_LAST" not in said


def test_what_no_recording_holds_has_no_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "SubmitOutput", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["example"] is None


def test_an_exchange_is_explained_byte_by_byte(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(recording("by-hand"))
    assert main(["explain", "--in", file, "5"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("#5 ")
    assert "  deriver  " in said
    assert main(["explain", "--in", file, "5", "--format", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["bytes"] == "1200000000000000"
    assert {line["side"] for line in lines} == {"client", "daemon"}


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--in", "FILE", "0"], "numbered from 1"),
        (["--in", "FILE", "x"], "not an exchange"),
        (["--in", "FILE", "99"], "exchanges, no 99"),
        (["--in", "FILE", "1", "--version", "1.25"], "no name or version"),
        (["--in", "nowhere.pcapng", "1"], "nowhere.pcapng"),
        (["QueryPathInf"], "did you mean QueryPathInfo"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    args: list[str], complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = [str(recording("by-hand")) if arg == "FILE" else arg for arg in args]
    assert main(["explain", *given]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
