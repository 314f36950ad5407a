"""The database holds what the recording holds, and its views answer what they are named for."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.cli import main
from pix_inspect.export.database import write_database
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS

ALL = sorted(RECORDINGS.glob("*.pcapng"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_exchange_and_connection_is_there(path: Path, tmp_path: Path) -> None:
    session = Session(path).read_all()
    file = tmp_path / "r.sqlite"
    assert write_database(session, file, range(len(session))) == len(session)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    base = sqlite3.connect(file)
    rows = base.execute(
        "select operation, state, request_bytes, reply_bytes from exchanges order by exchange"
    ).fetchall()
    index = map(session.row, range(len(session)))
    assert rows == [(row.operation, row.state, row.up, row.down) for row in index]
    families = base.execute("select family from connections order by connection").fetchall()
    known = [session.connections[number].family for number in sorted(session.connections)]
    assert families == [(family and family.name,) for family in known]
    for view in ("slowest", "failures", "asked_again", "bytes_by_path", "clients"):
        base.execute(f"select * from {view}").fetchall()
    base.close()
    session.close()


def test_questions_are_answered(tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    assert main(["export", str(RECORDINGS / "build-failure.pcapng"), "--to", "sqlite", "-o",
                 str(file)]) == 0  # fmt: skip
    base = sqlite3.connect(file)
    (failure,) = base.execute("select operation, error from failures").fetchall()
    assert failure[0] == "BuildPaths"
    assert "1 dependency failed" in failure[1]
    paths = base.execute("select path from bytes_by_path").fetchall()
    assert all(path.startswith("/nix/store/") for (path,) in paths)
    lines = base.execute("select text from log where text like 'parse.c%'").fetchall()
    assert len(lines) == 1
    base.close()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    with pytest.raises(Problem, match="cannot write"):
        write_database(session, tmp_path / "none" / "r.sqlite", range(1))
    with pytest.raises(ZeroDivisionError):
        write_database(session, tmp_path / "r.sqlite", (1 // n for n in (1, 0)))
    assert list(tmp_path.iterdir()) == []
    session.close()
