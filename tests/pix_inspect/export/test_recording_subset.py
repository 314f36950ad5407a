"""A part of a recording: the connections that were chosen, as they were, and no others."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.export.recording_subset import part_of
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recorded import shown
from tests.support.rows import said


@pytest.mark.parametrize("name", ["queries", "two-clients", "lookups"])
def test_all_connections_are_the_whole_file(name: str) -> None:
    path = RECORDINGS / f"{name}.pcapng"
    session = Session(path).read_all()
    assert b"".join(part_of(session, set(session.connections))) == path.read_bytes()


def test_some_connections_are_as_they_were(tmp_path: Path) -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    part = tmp_path / "part.pcapng"
    part.write_bytes(b"".join(part_of(session, {2, 5})))
    found = Session(part).read_all()
    assert set(found.connections) == {2, 5}
    assert not found.reader.warnings
    for number in (2, 5):
        before = [i for i in range(len(session)) if session.row(i).connection == number]
        after = [i for i in range(len(found)) if found.row(i).connection == number]
        rows = [said(session.row(i)) | {"number": 0} for i in before]
        assert rows == [said(found.row(i)) | {"number": 0} for i in after]
    assert len(shown(found)) > 20


def test_what_is_compressed_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng.gz"
    path.write_bytes(gzip.compress((RECORDINGS / "queries.pcapng").read_bytes()))
    with pytest.raises(Problem, match="compressed"):
        list(part_of(Session(path).read_all(), {1}))


CUT_WHILE_READ = """
import os, sys
from pathlib import Path
from pix_inspect.export import recording_subset
from pix.problem import Problem
from pix_inspect.session.session import Session

recording_subset.PIECE = 64
path = Path(sys.argv[1])
pieces = recording_subset.part_of(Session(path).read_all(), {1, 2})
sys.stdout.buffer.write(next(pieces))
os.truncate(path, int(sys.argv[2]))
try:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
except Problem as problem:
    sys.exit(str(problem))
"""


@pytest.mark.parametrize("left", [0, 1002])
def test_what_is_cut_back_meanwhile_is_a_problem(tmp_path: Path, left: int) -> None:
    """In a process of its own, as a mapped file would end it with a signal."""
    path = tmp_path / "x.pcapng"
    whole = (RECORDINGS / "two-clients.pcapng").read_bytes()
    path.write_bytes(whole)
    ran = subprocess.run(
        [sys.executable, "-c", CUT_WHILE_READ, str(path), str(left)],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ran.stderr.decode() == "x.pcapng was cut back while it was read\n"
    assert ran.returncode == 1
    assert ran.stdout
    assert whole.startswith(ran.stdout)
