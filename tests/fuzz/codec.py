"""Mutated sessions through the codec and the conversation."""

from __future__ import annotations

from random import Random

from tests.fuzz.checks import check
from tests.fuzz.sessions import Session, corpus, mutated

SESSIONS: list[Session] = []


def prepare() -> None:
    SESSIONS.extend(corpus())


def one(random: Random, *, loud: bool = False) -> None:
    """Try a session."""
    session = mutated(random.choice(SESSIONS), SESSIONS, random)
    if loud:
        for side, data in session:
            print("<<" if side else ">>", data.hex(" ", 8))
    check(session, random)
