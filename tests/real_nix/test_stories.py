"""The bundled recordings can be made again: the same operations come out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pix_inspect.session.session import Session
from scripts.record_stories import RECORDINGS, record
from scripts.stories import STORIES
from tests.real_nix import namespace
from tests.real_nix.lab import Nix
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix


def operations(path: Path) -> list[tuple[int, str | None, str]]:
    """Connection, operation and outcome of every exchange."""
    session = Session(path).read_all()
    rows = [session.row(i) for i in range(len(session))]
    return [(row.connection, row.operation, row.state) for row in rows]


@pytest.mark.parametrize("name", ["add-tree", "import-over-1-21", "remote-build", "untrusted"])
def test_story_is_told_again(name: str, nix_of: Callable[[str], Nix], tmp_path: Path) -> None:
    story = STORIES[name]
    nix_of(story.client), nix_of(story.daemon)
    why = namespace.available()
    if why is not None:
        lacking(f"no namespaces here: {why}")
    if name == "remote-build" and shutil.which("socat") is None:
        lacking("socat is not installed: it plays the far end of ssh-ng")
    assert operations(record(story, tmp_path)) == operations(RECORDINGS / f"{name}.pcapng")
