"""Findings as lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.findings import collector as module
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.text import lines
from tests.support.recording import connected
from tests.support.words import PATH


def test_what_is_left_out_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    talk = connected(tmp_path)
    for _ in range(20):
        talk.ask("QueryDeriver", path=PATH)
        talk.answer("QueryDeriver", deriver=None)
    findings = Findings(talk.session()).finish()
    for most, left in ((3, 17), (5, 15), (100, 15)):
        assert f"… {left} more" in "\n".join(lines(findings.kept, findings.counts, most))
