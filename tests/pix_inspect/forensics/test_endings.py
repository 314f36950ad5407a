"""A message that broke off: what is certain of it, and the mistake on condition, by who left."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.logging import (
    STDERR_NEXT,
    STDERR_RESULT,
    STDERR_START_ACTIVITY,
    STDERR_STOP_ACTIVITY,
)
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.finding import Finding
from pix_inspect.forensics.mistakes import Mistake, Proviso
from tests.support.mistaken import error
from tests.support.recording import Recording
from tests.support.typical import NAR, TypicalPlaybook
from tests.support.words import PATH, text, word

QUIET_MS = 4000
ASKED = word(1) + text(PATH.encode())
TWO_WORDS_SHORT = word(26) + text(PATH.encode())[:-16]
INFO = "ca (MaybeContentAddress of 47 bytes)"


def ended(folder: Path, left: int | None, *turns: tuple[int, bytes]) -> Finding:
    """Return the one finding of such a connection."""
    (found,) = all_found(folder, left, *turns)
    return found


def all_found(folder: Path, left: int | None, *turns: tuple[int, bytes]) -> list[Finding]:
    """Return what is found of a connection that is silent for four seconds, and then left."""
    made = Recording(folder / "r.pcapng")
    connection = made.open()
    for side, data in (*TypicalPlaybook(38).turns, *turns):
        if data:
            connection.chunk(side, data)
    connection.wait(QUIET_MS)
    for side in () if left is None else (left, 1 - left):
        connection.half_close(side)
    connection.close()
    return Findings(made.session()).finish().kept


def answered(operation: str, less: int) -> list[tuple[int, bytes]]:
    talk = TypicalPlaybook(38)
    talk.whole(operation)
    *asked, (side, data) = [
        (side, data) for side, data in talk.turns[len(TypicalPlaybook(38).turns) :] if data
    ]
    return [*asked, (side, data[: len(data) - less])]


@pytest.mark.parametrize(
    ("operation", "less", "left", "kind", "mistake", "proviso", "said"),
    [
        ("QueryMissing", 8, CLIENT, "client-left", Mistake.SHORT_REPLY, Proviso.LEFT,
         "the reply is at least 8 bytes short of nar_size (U64): the client, to which it is owed,"
         " closed 4 s after the last byte"),
        ("QueryMissing", 8, DAEMON, "daemon-left", Mistake.SHORT_REPLY, Proviso.CRASHED,
         "short of nar_size (U64): the daemon closed 4 s after the last byte, and the client was"
         " still there"),
        ("AddTempRoot", 8, DAEMON, "daemon-left", Mistake.MISSING_ONE, Proviso.CRASHED,
         "short of done (U64): the daemon closed 4 s"),
        ("QueryPathInfo", 8, CLIENT, "client-left", None, None, f"8 bytes short of {INFO}"),
        ("QueryPathInfo", 3, DAEMON, "daemon-left", None, None, f"3 bytes short of {INFO}"),
    ],
)  # fmt: skip
def test_an_answer_that_broke_off(
    operation: str, less: int, left: int, kind: str, mistake: Mistake | None,
    proviso: Proviso | None, said: str, tmp_path: Path,
) -> None:  # fmt: skip
    found = ended(tmp_path, left, *answered(operation, less))
    assert found.kind.name == kind
    assert found.diagnosis is not None
    assert (found.diagnosis.mistake, found.diagnosis.proviso) == (mistake, proviso)
    assert said in found.diagnosis.evidence[-1]


@pytest.mark.parametrize(
    ("left", "kind", "said"),
    [
        (CLIENT, "cut-request", "the client closed 4 s after the last byte, and the daemon was"),
        (DAEMON, "daemon-left", "the daemon, to which it is owed, closed 4 s after the last byte"),
    ],
)
def test_a_request_that_broke_off_is_not_the_fault_of_who_stayed(
    left: int, kind: str, said: str, tmp_path: Path
) -> None:
    found = ended(tmp_path, left, (CLIENT, TWO_WORDS_SHORT))
    assert found.kind.name == kind
    assert found.mistake is None
    assert found.diagnosis is not None
    assert said in found.diagnosis.evidence[-1]


@pytest.mark.parametrize(("left", "who"), [(CLIENT, "client"), (DAEMON, "daemon")])
def test_how_long_nothing_was_answered(left: int, who: str, tmp_path: Path) -> None:
    found = ended(tmp_path, left, (CLIENT, ASKED))
    said = f"nothing was answered: the {who} closed 4 s after the request"
    assert found.explanation == (said,)


@pytest.mark.parametrize(
    ("method", "carried", "is_told"),
    [
        (b"fixed:r:sha256", NAR[:-16], True),
        (b"fixed:r:sha256", NAR, False),
        (b"fixed:r:sha256", b"no archive at all", False),
        (b"text:sha256", NAR[:-16], False),
    ],
    ids=["broken off", "whole", "no archive", "a text"],
)
def test_frames_that_are_ended_amid_a_nar(
    method: bytes, carried: bytes, is_told: bool, tmp_path: Path
) -> None:
    """As where a client meets a file that it cannot read."""
    fields = word(7) + text(b"x") + text(method) + word(0) * 2
    frames = word(len(carried)) + carried + word(0)
    found = ended(tmp_path, CLIENT, (CLIENT, fields + frames))
    assert found.kind.name == "client-left"
    said = f"its frames are ended, and what they carry breaks off behind {len(carried):,} bytes"
    assert (said in found.explanation) == is_told
    assert found.explanation[-1].endswith("the client closed 4 s after the request")


def killed(folder: Path, *turns: tuple[int, bytes | None]) -> list[tuple[str, Mistake | None]]:
    """Return what is found of a connection; None ends a side's stream."""
    made = Recording(folder / "r.pcapng")
    connection = made.open()
    for side, data in (*TypicalPlaybook(38).turns, *turns):
        if data is None:
            connection.half_close(side)
        elif data:
            connection.chunk(side, data)
    connection.close()
    return [(each.kind.name, each.mistake) for each in Findings(made.session()).finish().kept]


GONE = (CLIENT, None)
SAID = (DAEMON, error(38, b"unexpected end-of-file"))


@pytest.mark.parametrize("cut", [8, 12, 16, 40, 64])
def test_an_error_for_a_client_that_was_killed_in_its_request_says_nothing_of_the_client(
    cut: int, tmp_path: Path
) -> None:
    asked = (CLIENT, (word(26) + text(PATH.encode()))[:cut])
    on_condition = Mistake.SHORT_REQUEST if cut == 8 else None
    assert killed(tmp_path, asked, GONE, SAID) == [("cut-request", on_condition)]
    twice = killed(tmp_path, asked, GONE, SAID, SAID)
    assert twice == [("cut-request", on_condition), ("doubled-error", None)]
    early = [("early-answer", on_condition)]
    assert killed(tmp_path, asked, SAID) == early
    assert killed(tmp_path, asked, SAID, GONE) == early
    assert killed(tmp_path, asked, SAID, (DAEMON, None), GONE) == early


def test_how_long_nothing_was_answered_behind_half_a_payload(tmp_path: Path) -> None:
    added = b"".join(map(text, (b"x", b"text:sha256"))) + word(0) * 2
    found = ended(tmp_path, CLIENT, (CLIENT, word(7) + added + word(64) + bytes(24)))
    assert found.kind.name == "cut-request"
    assert found.explanation[-1].endswith("the client closed 4 s after its last byte")


@pytest.mark.parametrize("turns", [answered("QueryMissing", 8), [(CLIENT, TWO_WORDS_SHORT)]])
def test_where_nobody_is_known_to_have_left_nothing_is_said_of_anybody(
    turns: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    found = ended(tmp_path, None, *turns)
    assert found.kind.name == "unanswered"
    assert not found.explanation


def test_what_is_irregular_is_not_said_to_be_short(tmp_path: Path) -> None:
    turns = answered("QueryPathInfo", 8)
    side, data = turns[-1]
    rest = turns[:-1]
    at = data.index(b"/nix/store")
    found = all_found(tmp_path, CLIENT, *rest, (side, data[: at + 13] + data[at + 14 :]))
    assert found
    assert all("short of" not in line for each in found for line in each.explanation)


def test_what_breaks_off_behind_a_whole_request_is_not_said_of_that(tmp_path: Path) -> None:
    """Nor that a client did not read an answer which it had not waited for."""
    added = [(side, data or b"") for side, data in answered("AddTempRoot", 0)]
    whole, half = ASKED, (word(31) + word(2) + text(PATH.encode()))[:40]
    in_advance = (CLIENT, added[0][1] + whole), added[1]
    for turns in (((CLIENT, whole + half),), (*added, (CLIENT, whole + half)), in_advance):
        first, *_ = all_found(tmp_path, CLIENT, *turns)
        assert first.kind.name == "client-left"
        assert first.mistake is None
        assert not any("short of" in line for line in first.explanation)


def test_half_a_number_of_an_operation(tmp_path: Path) -> None:
    half = (CLIENT, ASKED[:4])
    assert ended(tmp_path, CLIENT, half).kind.name == "cut-request"
    assert ended(tmp_path, None, half).kind.name == "unanswered"


LOGGED = (
    word(STDERR_NEXT) + text(b"a line\n")
    + word(STDERR_START_ACTIVITY) + word(5) + word(3) + word(101) + text(b"building")
    + word(1) + word(1) + text(PATH.encode()) + word(0)
    + word(STDERR_RESULT) + word(5) + word(101) + word(1) + word(1) + text(b"another")
    + word(STDERR_STOP_ACTIVITY) + word(5)
)  # fmt: skip
LEAVES = {CLIENT: {"client-left", "cut-request"}, DAEMON: {"daemon-left", "refused"}}
OF_NOBODY = {"no-answer", "unanswered", "handshake-stalled", "no-word", "failed-build", "obsolete"}


@pytest.mark.parametrize("minor", [10, 21, 32, 38])
@pytest.mark.parametrize("left", [CLIENT, DAEMON, None])
def test_nobody_is_said_to_have_left_who_did_not_nor_to_err(
    minor: int, left: int | None, tmp_path: Path
) -> None:
    """A session in which nobody errs, broken off in the middle of each turn."""
    talk = TypicalPlaybook(minor)
    talk.ask("BuildPaths")
    talk.daemon(LOGGED if minor >= 20 else LOGGED[: LOGGED.index(word(STDERR_START_ACTIVITY))])
    talk.answer("BuildPaths")
    talk.ask("EnsurePath")
    talk.daemon(error(minor, b"there is no such path"))
    talk.whole("QueryReferrers")
    turns = [(side, data) for side, data in talk.turns if data]
    random = Random(f"broken off {minor} {left}")
    for i, (side, data) in enumerate(turns):
        for at in sorted({0, *random.sample(range(len(data)), min(8, len(data)))}):
            made = Recording(tmp_path / "r.pcapng")
            connection = made.open(talk.protocol)
            for who, said in (*turns[:i], (side, data[:at])):
                if said:
                    connection.chunk(who, said)
            for who in () if left is None else (left, 1 - left):
                connection.half_close(who)
            connection.close()
            session = made.session()
            found = Findings(session).finish().kept
            session.close()
            leaves = LEAVES[left] if left is not None else set()
            assert {each.kind.name for each in found} <= OF_NOBODY | leaves, (i, at)
            certain = [each for each in found if each.diagnosis and each.diagnosis.certain]
            assert not certain, (i, at)
