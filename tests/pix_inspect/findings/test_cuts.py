"""No exchange and no finding depends on how the bytes were cut into packets."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.cuts import check_cuts
from tests.fuzz.sessions import corpus, mutated

COUNT = 120


@pytest.mark.slow
def test_what_is_told_is_the_same_in_any_packets() -> None:
    sessions = corpus()
    some = 0
    for i in range(COUNT):
        random = Random(f"packets {i}")
        some += check_cuts(mutated(random.choice(sessions), sessions, random), random)
    assert some > COUNT / 3
