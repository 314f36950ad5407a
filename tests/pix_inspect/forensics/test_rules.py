"""Each known mistake, at every operation of several versions, is called by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR
from pix.conversation.exchange import CLIENT
from pix_inspect.forensics.mistakes import Mistake
from tests.support.mistaken import PLANTED
from tests.support.planted import diagnosis_of, found_in
from tests.support.recording import saved
from tests.support.typical import TypicalPlaybook, known
from tests.support.words import word

MINORS = (10, 21, 32, 38)

IN_HANDSHAKES = {"doubled version", "missing feature list"}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_mistake_is_named_wherever_it_is(mistake: str, tmp_path: Path) -> None:
    missed, met = [], 0
    for minor in MINORS:
        for case in PLANTED[mistake](minor):
            session = saved(case.talk, tmp_path, left=case.left)
            named = re.findall("“([^”]*)”", diagnosis_of(session))
            session.close()
            met += 1
            if not set(named) & {mistake, *case.also}:
                missed.append((f"1.{minor}", case.operation, case.how, named))
    assert not missed, (len(missed), met)
    assert met


def test_every_mistake_is_planted() -> None:
    """Those of the serve protocol are planted in `test_serve_mistakes`."""
    planted = set(PLANTED) | IN_HANDSHAKES
    planted |= {Mistake.OTHER_PROTOCOL.label, Mistake.FRAMED_NAR.label}
    assert planted == {mistake.label for mistake in Mistake}


@pytest.mark.parametrize("minor", range(OLDEST_MINOR, NEWEST_MINOR + 1))
def test_nothing_is_said_of_what_is_right(minor: int, tmp_path: Path) -> None:
    talk = TypicalPlaybook(minor)
    talk.whole(*(operation.name for operation in known(minor)))
    found = found_in(saved(talk, tmp_path))
    assert {finding.kind.name for finding in found} <= {"obsolete", "newer-operation"}
    assert not any(finding.diagnosis for finding in found)


@pytest.mark.parametrize("minor", [11, 14, 21, 33, 37, 38])
def test_a_version_said_twice(minor: int, tmp_path: Path) -> None:
    talk = TypicalPlaybook(minor)
    side, data = talk.turns[2]
    assert side == CLIENT
    talk.turns[2] = (side, word(0x100 | minor) + (data or b""))
    session = saved(talk, tmp_path)
    assert "“doubled version”" in diagnosis_of(session)
    assert "doubled-version" in {finding.kind.name for finding in found_in(session)}
