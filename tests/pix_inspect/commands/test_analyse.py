"""The command that says where the time went."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix_inspect.cli import main
from tests.support.places import EVERY_RECORDING


def test_json_and_text_agree(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(EVERY_RECORDING[0])
    assert main(["analyse", path, "--format", "json", "--at-rtt", "5ms"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["analyse", path, "--at-rtt", "5ms"]) == 0
    text = capsys.readouterr().out
    assert f"{said['exchanges']:,} exchange" in text
    for split in said["operations"]:
        assert split["operation"] in text
    assert said["at_distance"]["elapsed"] > said["elapsed"]


@pytest.mark.parametrize("wrong", ["ms", "-5ms", "5 parsecs"])
def test_a_time_that_is_none_is_said_in_one_line(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyse", str(EVERY_RECORDING[0]), f"--at-rtt={wrong}"]) == 2
    assert "is not a time" in capsys.readouterr().err


def test_what_a_recording_lacks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(EVERY_RECORDING[0].read_bytes()[:-50])
    for command in ("analyse", "status"):
        assert main([command, str(cut)]) == 0
        assert "an incomplete block and are left out" in capsys.readouterr().err
        assert main([command, str(EVERY_RECORDING[0])]) == 0
        assert capsys.readouterr().err == ""
