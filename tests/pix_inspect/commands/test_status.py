"""`pix-inspect status` of recordings: text, JSON, and what cannot be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.recording.notes import Refused
from tests.pix_inspect.waits.test_waits import cut
from tests.support.recording import Recording


def test_a_recording_that_ends_in_mid_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cut("two-clients", 0.3, tmp_path).path
    assert main(["status", str(path)]) == 0
    said = capsys.readouterr().out
    assert "2 open connections when the recording ended" in said
    assert "which connection 2 seems to have" in said
    assert main(["status", str(path), "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["held_by_connections"] == [2]
    assert second["building"] == ["shared-1.0"]
    assert first["for"] >= 0


def test_what_is_neither_relay_nor_recording(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "nowhere"]) == 2
    assert "neither a recording nor a relay" in capsys.readouterr().err


def test_which_connection_came_to_nothing_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Recording(tmp_path / "r.pcapng")
    refused = made.open()
    refused.note({"note": Refused("nobody \x1blistens").json()})
    refused.close()
    made.open().session()
    assert main(["status", str(made.path)]) == 0
    said = capsys.readouterr().out.splitlines()[1]
    assert said.startswith("connection 1, ")
    assert "not led to the daemon: nobody" in said
    assert "\x1b" not in said
