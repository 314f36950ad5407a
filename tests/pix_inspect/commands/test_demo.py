"""`demo` where there is no terminal: the whole session as text, and nothing left behind."""

from __future__ import annotations

import re
from pathlib import Path

from pix_inspect.session.session import Session
from tests.support.processes import pix

STORY = [
    *("handshake", "SetOptions", "AddToStore", "AddTempRoot", "QueryMissing", "BuildPaths"),
    *("QueryPathInfo", "NarFromPath", "AddMultipleToStore", "AddToStoreNar", "CollectGarbage"),
]


def test_the_demo_prints_a_session(tmp_path: Path) -> None:
    done = pix("demo", "-o", "demo.pcapng", cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for operation in STORY:
        assert re.search(rf"^#\d+ .* {operation}\b", done.stdout, re.MULTILINE), operation
    assert done.stdout.count("✗ error") == 1
    assert "docs.c:12:5: error: expected ';'" in done.stdout
    assert done.stdout.count("── connection") == 4
    assert {path.name for path in tmp_path.iterdir()} == {"demo.pcapng", "state"}
    session = Session(tmp_path / "demo.pcapng")
    session.read_all()
    assert {str(row.protocol) for row in session.connections.values()} == {"1.38", "1.21"}
    assert not session.lost
    session.close()
