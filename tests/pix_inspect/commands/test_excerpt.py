"""The command that writes exchanges as Markdown."""

from __future__ import annotations

import json

import pytest

from pix_inspect.cli import main
from tests.support.places import RECORDINGS


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "untrusted.pcapng")
    assert main(["excerpt", path, "2..3", "--bytes", "0"]) == 0
    said = capsys.readouterr().out
    assert "SetOptions" in said
    assert "13 00 00" not in said
    assert main(["excerpt", path, "2", "--no-redact"]) == 0
    assert "not redacted" in capsys.readouterr().out


def test_as_json_it_says_which_exchanges_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(RECORDINGS / "untrusted.pcapng")
    assert main(["excerpt", path, "2.."]) == 0
    markdown = capsys.readouterr().out
    assert main(["excerpt", path, "2..", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["markdown"] == markdown
    assert (found["first"], found["redacted"]) == (2, True)
    assert f"exchanges 2 to {found['last']} of {found['last']}" in markdown
