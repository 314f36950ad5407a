"""How far something has come: said on a terminal, now and then, and removed; nowhere else."""

from __future__ import annotations

import sys

import pytest

from pix_inspect.cli import main
from pix_inspect.options import progress as module
from pix_inspect.options.progress import Progress
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(module, "BEFORE", 0)
    monkeypatch.setattr(module, "EVERY", 0)


def test_it_is_said_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch)
    with Progress() as progress:
        progress.show("reading", 1, 8)
        progress.show("reading", 9, 0)
    said = capsys.readouterr().err
    assert "\rpix-inspect: reading 12 %" in said
    assert "reading 100 %" in said
    assert said.endswith("\r\x1b[K")


def test_nothing_is_said_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.show("reading", 1, 8)
    assert capsys.readouterr().err == ""


def test_an_interrupted_check_leaves_no_line_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: Session, seconds: float = 0.02) -> bool:
        if plain(self, 0):
            return True
        raise KeyboardInterrupt

    on_a_terminal(monkeypatch)
    plain = Session.poll
    monkeypatch.setattr(Session, "poll", interrupted)
    assert main(["check", str(RECORDINGS / "queries.pcapng")]) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert "reading" in said.err
    assert said.err.endswith("\r\x1b[K")
