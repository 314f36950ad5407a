"""The serve protocol between every pair of the lab's versions, decoded to the last byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from pix.codec.gates import SERVE
from pix_inspect.findings.collector import Findings
from pix_inspect.session.session import Session
from scripts.record_stories import record
from scripts.stories import STORIES
from tests.real_nix import lab, namespace
from tests.real_nix.lab import Nix
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix

VERSION = {"2.3.7": 5, "2.8.0": 7, "2.26.3": 7, "2.34.8": 7}
"""The minor of the serve protocol that a release speaks."""
PAIRS = [pair for pair in product(lab.VERSIONS, repeat=2) if pair != ("2.8.0", "2.8.0")]
"""2.8.0 with itself goes back to the machine's own root to start the program of the other side."""


@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_paths_are_copied_there_and_back(
    client: str, server: str, nix_of: Callable[[str], Nix], tmp_path: Path
) -> None:
    nix_of(client), nix_of(server)
    if why := namespace.available():
        lacking(f"no namespaces here: {why}")
    if shutil.which("socat") is None:
        lacking("socat is not installed: it plays the far end of ssh")
    # `nix copy` of 2.8.0 starts programs outside of the root that it was given itself
    name = "serve-build" if client == "2.8.0" else "serve-copy"
    story = replace(STORIES[name], client=client, daemon=server)
    session = Session(record(story, tmp_path)).read_all()
    rows = list(session.rows(0, len(session)))
    assert {row.state for row in rows} == {"ok"}
    assert {row.operation for row in rows} >= {"serve.AddToStoreNar", "serve.DumpStorePath"}
    for number, connection in session.connections.items():
        assert connection.protocol is not None
        assert connection.family is SERVE
        assert connection.protocol.minor == min(VERSION[client], VERSION[server])
        mine = [row for row in rows if row.connection == number]
        for side in (0, 1):  # one exchange behind the other, without a byte between them
            ends = 0
            for row in mine:
                assert row.starts[side] == ends
                ends = row.ends[side]
    for i in range(len(session)):
        view = session.exchange(i)
        assert not view.notes
        assert all(part.error is None for part in view.parts)
    kinds = {finding.kind.name for finding in Findings(session).finish().kept}
    assert kinds <= {"downgrade"}
