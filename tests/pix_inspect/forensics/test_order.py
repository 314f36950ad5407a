"""Answers that stand before their questions: said of the order, and only where it explains all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.logging import StderrError, StderrLast, StderrNext
from pix_inspect.findings.collector import Findings
from pix_inspect.forensics.mistakes import Mistake
from tests.support.playbook import Playbook, Turn
from tests.support.recording import Recording
from tests.support.words import PATH

V35 = Protocol(35)
HELLO = 5
"""Turns of the handshake."""
OTHERS = [PATH[:-1] + letter for letter in "abcd"]


def talk(*, lines: int = 0, copies: bool = False) -> list[Turn]:
    """The turns of a handshake and three operations, each with so many lines of log."""
    playbook = Playbook(V35).greet()
    for i in range(3):
        playbook.ask("QueryReferrers", path=PATH)
        for line in range(lines):
            playbook << StderrNext(text=f"{i}.{line}\n")
        playbook.answer("QueryReferrers", referrers=OTHERS[: 2 if copies else i + 1])
    return playbook.turns


def found(folder: Path, turns: list[Turn]) -> list[tuple[str, Mistake | None]]:
    """Return the findings of a connection on which that was recorded, and their mistakes."""
    connection = Recording(folder / "r.pcapng").open(V35)
    for side, data in turns:
        if data:
            connection.chunk(side, data)
    for side in (CLIENT, DAEMON):
        connection.half_close(side)
    kept = Findings(connection.session()).finish().kept
    return [
        (each.kind.name, None if each.diagnosis is None else each.diagnosis.mistake)
        for each in kept
    ]


def daemon_first(turns: list[Turn]) -> list[Turn]:
    return sorted(turns, key=lambda turn: turn[0] != DAEMON)


def after_the_hello(turns: list[Turn]) -> list[Turn]:
    return turns[:HELLO] + daemon_first(turns[HELLO:])


def the_last_one(turns: list[Turn]) -> list[Turn]:
    last = max(i for i, (side, _) in enumerate(turns) if side == CLIENT)
    return turns[:last] + daemon_first(turns[last:])


@pytest.mark.parametrize("order", [daemon_first, after_the_hello, the_last_one])
@pytest.mark.parametrize("lines", [0, 2])
def test_said_once_of_a_connection(
    order: Callable[[list[Turn]], list[Turn]], lines: int, tmp_path: Path
) -> None:
    assert found(tmp_path, order(talk(lines=lines))) == [("other-order", Mistake.EARLY_ANSWERS)]


def test_questions_that_stand_early_are_pipelined(tmp_path: Path) -> None:
    turns = talk(lines=2)
    assert not found(tmp_path, sorted(turns, key=lambda turn: turn[0] != CLIENT))


def test_a_frame_that_stands_early_is_the_daemons(tmp_path: Path) -> None:
    turns = talk(lines=2)
    last = max(i for i, (side, _) in enumerate(turns) if side == CLIENT)
    turns[last : last + 2] = turns[last + 1], turns[last]
    assert found(tmp_path, turns) == [("stray-frame", None)]


def test_an_answer_that_is_said_twice_is_no_question_of_order(tmp_path: Path) -> None:
    names = [name for name, _ in found(tmp_path, the_last_one(talk(copies=True)))]
    assert "other-order" not in names
    assert "desync" in names


ASKED = [Playbook(V35).ask("IsValidPath", path=path).turns[0] for path in OTHERS[:2]]
SAID = [Playbook(V35).answer("IsValidPath", valid=valid).turns[0] for valid in (True, False)]
SET = Playbook(V35).ask("SetOptions").turns[0]
LAST = (Playbook(V35) << StderrLast()).turns[0]
FAILED = (Playbook(V35) << StderrError(type="Error", name="Error", message="interrupted")).turns[0]

EARLY: dict[str, tuple[list[Turn], list[str]]] = {
    "an idle daemon fails, and its client asks": (
        [ASKED[0], SAID[0], FAILED, ASKED[1]], ["stray-frame", "client-left"]
    ),
    "one answer too many": ([ASKED[0], SAID[0], SAID[1], ASKED[1]], ["desync"]),
    "one STDERR_LAST too many": ([ASKED[0], SAID[0], LAST, SET], ["desync"]),
    "two answers ahead": ([SAID[0], SAID[1], ASKED[0], ASKED[1]], ["other-order"]),
    "answers of two lengths": (
        [SAID[0], ASKED[0], LAST, SET, SAID[1], ASKED[1]], ["other-order"]
    ),
}  # fmt: skip
"""What follows a handshake, and what is found."""


@pytest.mark.parametrize("name", EARLY)
def test_what_may_be_one_answer_too_many_is_no_question_of_order(name: str, tmp_path: Path) -> None:
    said, expected = EARLY[name]
    assert [name for name, _ in found(tmp_path, Playbook(V35).greet().turns + said)] == expected


def test_an_answer_of_one_word_behind_a_hello_that_is_early_is_one_of_order(tmp_path: Path) -> None:
    turns = [*Playbook(V35).greet().turns, ASKED[0], SAID[0]]
    assert found(tmp_path, daemon_first(turns)) == [("other-order", Mistake.EARLY_ANSWERS)]


def test_what_does_not_fit_in_any_order_is_out_of_step(tmp_path: Path) -> None:
    turns = after_the_hello(talk())
    side, data = turns[-1]
    assert data is not None
    names = [name for name, _ in found(tmp_path, [*turns[:-1], (side, data[:-8])])]
    assert "other-order" not in names
    assert "desync" in names
