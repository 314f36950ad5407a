"""Exporting: the same lines as `dump` prints, and a format for every name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.cli import main
from pix_inspect.export.printer import Printer, exported, format_of
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_exported_is_what_dump_prints(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDINGS / "two-clients.pcapng"
    session = Session(path).read_all()
    chosen = [i for i in range(len(session)) if session.row(i).operation == "BuildPaths"]
    found = b"".join(exported(Printer(session, form), chosen))  # type: ignore[arg-type]
    assert main(["dump", str(path), "--format", form, "--filter", "op = BuildPaths"]) == 0
    assert found.decode() == capsys.readouterr().out
    assert len(chosen) == 2


def test_secrets_are_blanked_when_wanted() -> None:
    session = Session(RECORDINGS / "build-failure.pcapng").read_all()
    plain = b"".join(exported(Printer(session, "json", redacted=True), range(len(session))))
    assert len([json.loads(line) for line in plain.splitlines()]) == len(session)


@pytest.mark.parametrize(
    ("name", "form"), [("x.txt", "text"), ("x.jsonl", "json"), ("x.JSON", "json")]
)
def test_a_name_says_its_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["x", "x.pcap", ".txt"])
def test_a_name_that_says_none_is_a_problem(name: str) -> None:
    with pytest.raises(Problem, match=r"write \.txt for text"):
        format_of(Path(name))
