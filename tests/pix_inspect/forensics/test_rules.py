"""Each known mistake, at every operation of several versions, is called by its name."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR
from pix.conversation.exchange import CLIENT
from pix_inspect.forensics.mistakes import Mistake
from tests.support.mistaken import PLANTED, anywhere, blamed, some, verdict
from tests.support.planted import diagnosis_of, found_in
from tests.support.recording import saved
from tests.support.surroundings import complete
from tests.support.typical import TypicalPlaybook, known
from tests.support.words import word

MINORS = (38, 21, 10) if complete() else (38, 21)

SILENT = {
    "missing field": 0.3, "extra field": 0.3, "short reply": 0.5, "short request": 0.6,
    "undue trust word": 0.5, "undue feature list": 0.3, "other version": 0.2, "32-bit number": 0.1,
    "long request": 0.1, "other feature": 0.2, "CR LF for LF": 0.1, "string for a list": 0.1,
}  # fmt: skip
"""Of how many sessions nothing may be said, as their bytes can be explained in several ways."""

IN_HANDSHAKES = {"doubled version"}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_mistake_is_named_wherever_it_is_and_no_other(mistake: str, tmp_path: Path) -> None:
    met = []
    for minor in MINORS:
        for case in some(mistake, minor):
            said, named = verdict(mistake, case, tmp_path)
            met.append((said, f"1.{minor}", case.operation, case.how, named))
    assert met
    assert not [each for each in met if each[0] == "wrong"]
    silent = [each for each in met if each[0] == "silent"]
    assert len(silent) <= len(met) * SILENT.get(mistake, 0), silent


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_of_mistakes_among_values_at_random_no_other_is_named(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 60):
        assert not blamed(anywhere(Random(f"anywhere {seed}")), tmp_path), seed


def test_every_mistake_is_planted() -> None:
    """Those of the serve protocol are planted in `test_serve_mistakes`, early answers in
    `test_order`.
    """
    planted = set(PLANTED) | IN_HANDSHAKES | {Mistake.EARLY_ANSWERS.label}
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
