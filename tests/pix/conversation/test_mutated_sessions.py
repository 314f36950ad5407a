"""Broken sessions: the codec raises nothing, and how bytes are cut makes no difference."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from pix.conversation import Conversation
from tests.fuzz.checks import check
from tests.fuzz.sessions import Session, corpus, mutated, packed, unpacked
from tests.support.playbook import seen

COUNT = 1500


def outcome(session: Session, size: int | None) -> list[dict[str, Any]]:
    """Return all that came of a session."""
    conversation = Conversation(detail=True)
    for side, data in session:
        step = size or len(data)
        for start in range(0, len(data), step):
            conversation.feed(side, data[start : start + step])
    conversation.close()
    # a daemon that says more than its greeting at once is broken where the client may or may
    # not have begun: which of two exchanges began first is a matter of the cut
    found = [seen(exchange) for exchange in conversation.exchanges]
    for each in found:
        each["number"] = 0
        each["notes"] = sorted(str(replace(note, exchange=None)) for note in each["notes"])
    return sorted(found, key=lambda each: (each["side"], each["start"], each["kind"]))


def broken(seed: str) -> Session:
    random = Random(seed)
    sessions = corpus()
    return mutated(random.choice(sessions), sessions, random)


@pytest.mark.slow
def test_how_broken_bytes_are_cut_makes_no_difference() -> None:
    sessions = corpus()
    for i in range(COUNT):
        random = Random(f"cut {i}")
        session = mutated(random.choice(sessions), sessions, random)
        if sum(len(data) for _, data in session) > 4000:
            continue
        whole = outcome(session, None)
        for size in (1, 5, 64):
            assert outcome(session, size) == whole, i


@pytest.mark.slow
def test_nothing_raises_and_everything_ends() -> None:
    sessions = corpus()
    for i in range(COUNT):
        random = Random(f"check {i}")
        check(mutated(random.choice(sessions), sessions, random), random)


def test_sessions_and_bytes_stand_for_each_other() -> None:
    for session in corpus()[:50]:
        assert [part for part in unpacked(packed(session)) if part[1]] == [
            (side, data) for side, data in session if data
        ]
    assert unpacked(b"\x01\x05\x00ab") == [(1, b"ab")]
    assert broken("a") == broken("a")
