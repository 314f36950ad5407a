"""No finding depends on how the bytes were cut into packets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pix_inspect.findings.collector import Findings
from tests.fuzz.sessions import Session, corpus, mutated
from tests.support.recording import Recording

COUNT = 120


def found(talk: Session, folder: Path, size: Callable[[], int]) -> list[tuple[Any, ...]]:
    """The findings of a session whose turns pass in pieces of these sizes."""
    made = Recording(folder / "cut.pcapng")
    connection = made.open()
    for side, data in talk:
        at = 0
        while at < len(data):
            piece = data[at : at + size()]
            connection.chunk(side, piece)
            at += len(piece)
    connection.close()
    session = made.session()
    kept = Findings(session, thorough=True).finish().kept
    session.close()
    return sorted(
        (each.kind.name, each.side or 0, each.offset or 0, each.field, each.mistake is not None)
        for each in kept
    )


@pytest.mark.slow
def test_findings_are_the_same_in_any_packets(tmp_path: Path) -> None:
    sessions = corpus()
    some = 0
    for i in range(COUNT):
        random = Random(f"packets {i}")
        talk = mutated(random.choice(sessions), sessions, random)
        if sum(len(data) for _, data in talk) > 3000:
            continue
        whole = found(talk, tmp_path, lambda: 1 << 20)
        assert found(talk, tmp_path, lambda: 1) == whole, i
        assert found(talk, tmp_path, partial(random.randint, 1, 40)) == whole, i
        some += bool(whole)
    assert some > COUNT / 3
