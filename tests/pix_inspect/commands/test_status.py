"""`pix-inspect status` of recordings: text, JSON, and what cannot be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix_inspect.cli import main
from tests.pix_inspect.waits.test_waits import cut


def test_a_recording_that_ends_in_mid_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cut("two-clients", 0.3, tmp_path).path
    assert main(["status", str(path)]) == 0
    said = capsys.readouterr().out
    assert "2 open connections" in said
    assert "which connection 2 seems to have" in said
    assert main(["status", str(path), "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["held_by_connections"] == [2]
    assert second["building"] == ["shared-1.0"]
    assert first["for"] >= 0


def test_what_is_neither_relay_nor_recording(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "nowhere"]) == 2
    assert "neither a recording nor a relay" in capsys.readouterr().err
