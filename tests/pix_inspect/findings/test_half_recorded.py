"""An import of which one direction stops being there: nobody is blamed for what is missing."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.kinds import OF_LAYOUT
from pix_inspect.forensics.mistakes import Mistake, Proviso
from pix_inspect.importing.captures import write_recording
from pix_inspect.recording.notes import Made
from pix_inspect.session.session import Session
from tests.support.mistaken import error
from tests.support.playbook import Turn
from tests.support.recording import Recording
from tests.support.typical import TypicalPlaybook
from tests.support.valid import imported, session, timeless
from tests.support.words import PATH, text, word

HELLO = TypicalPlaybook(35).turns
QUERY, VALID, INFO, MANY = (
    TypicalPlaybook(35).whole(name).turns[len(HELLO) :]
    for name in ("QueryReferrers", "IsValidPath", "QueryPathInfo", "QueryValidPaths")
)
Found = list[tuple[str, "Mistake | None", "Proviso | None"]]


def found(turns: list[Turn], folder: Path, *, left: int | None = None, **about: Any) -> Found:
    """Return the kinds found on a connection but for notes, with their mistakes and conditions."""
    made = Recording(folder / "r.pcapng", **about)
    connection = made.open(Protocol(35))
    for side, data in turns:
        if data:
            connection.chunk(side, data)
    if left is not None:
        connection.half_close(left)
    connection.close()
    kept = Findings(made.session()).finish().kept
    return [
        (each.kind.name, each.mistake, each.diagnosis.proviso if each.diagnosis else None)
        for each in kept
        if each.grade != "note"
    ]


def without(side: int, turns: list[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn[0] != side]


def half(turns: list[Turn]) -> list[Turn]:
    """What is asked breaks off, and is answered."""
    (side, data), *rest = turns
    return [(side, (data or b"")[:24]), *rest]


def longer(turns: list[Turn]) -> list[Turn]:
    """The first text of what is asked says that it is longer: what comes later is a part of it."""
    (side, data), *rest = turns
    asked = data or b""
    length = int.from_bytes(asked[8:16], "little") | 1 << 12
    return [(side, asked[:8] + word(length) + asked[16:]), *rest]


def failed(turns: list[Turn]) -> list[Turn]:
    """What is asked breaks off, and fails."""
    return [*half(turns)[:1], (DAEMON, error(35, b"no such path"))]


def broken_off(turns: list[Turn]) -> list[Turn]:
    """What is asked and what is answered lack their last word."""
    return [(side, (data or b"")[:-8]) for side, data in turns]


SHORT = ("half-recorded", Mistake.SHORT_REQUEST, Proviso.ALL_SAID)
HALF = ("half-recorded", None, None)

STOPPED: dict[str, tuple[list[Turn], Found, set[str]]] = {
    "a request that is not there is answered": (
        HELLO + QUERY + without(CLIENT, INFO),
        [("half-recorded", Mistake.LONG_REPLY, Proviso.ALL_SAID)], {"desync"},
    ),
    "so is one that is not whole": (HELLO + half(QUERY), [SHORT], {"desync"}),
    "so it is where the answer is not whole": (
        HELLO + broken_off(MANY), [("half-recorded", Mistake.OTHER_VERSION, Proviso.ALL_SAID)],
        {"misannounced-version"},
    ),
    "so is one that fails": (HELLO + failed(QUERY), [HALF], set()),
    "and others behind it": (
        HELLO + half(QUERY) + without(CLIENT, VALID), [SHORT, SHORT], {"desync"}
    ),
    "so is half a hello": (
        [*HELLO[:2], (CLIENT, word(0x123)), *without(CLIENT, HELLO[3:])], [HALF],
        {"handshake-stalled"},
    ),
    "no answer is there, and the next question is": (
        HELLO + QUERY + without(DAEMON, INFO) + without(DAEMON, VALID), [HALF, HALF],
        {"client-left"},
    ),
    "nor is the rest of the daemon's hello": (
        [*HELLO[:3], *without(DAEMON, HELLO[3:]), *without(DAEMON, VALID)], [HALF],
        {"client-left"},
    ),
}  # fmt: skip
"""What passed, what is found of it in an import, and what kinds where a relay has recorded it."""


@pytest.mark.parametrize("name", STOPPED)
def test_what_may_be_missing_is_nobodys_mistake_in_an_import(name: str, tmp_path: Path) -> None:
    turns, expected, _ = STOPPED[name]
    left = CLIENT if "client-left" in STOPPED[name][2] else None
    assert found(turns, tmp_path, left=left, formats=["strace"]) == expected
    assert found(turns, tmp_path, left=left, events=False) == expected


@pytest.mark.parametrize("name", STOPPED)
def test_what_a_relay_did_not_hear_was_not_said(name: str, tmp_path: Path) -> None:
    turns, _, expected = STOPPED[name]
    left = CLIENT if "client-left" in expected else None
    assert {kind for kind, _, _ in found(turns, tmp_path, left=left)} == expected


@pytest.mark.parametrize(
    ("turns", "left", "expected"),
    [
        (HELLO + QUERY + [(DAEMON, word(1))], None, [("desync", Mistake.EXTRA_ONE, None)]),
        (HELLO + longer(QUERY) + VALID + VALID, None, [("desync", None, None)]),
        (HELLO + without(DAEMON, QUERY), CLIENT, [("client-left", None, None)]),
        (
            [*HELLO, (CLIENT, word(26) + text(PATH.encode())[:-8])], CLIENT,
            [("cut-request", None, None)],
        ),
    ],
    ids=["a word that is no answer", "a request without an end", "one question", "half a question"],
)  # fmt: skip
def test_what_nobody_goes_on_behind_is_as_elsewhere(
    turns: list[Turn], left: int | None, expected: Found, tmp_path: Path
) -> None:
    assert found(turns, tmp_path, left=left, formats=["tcp"]) == expected
    assert found(turns, tmp_path, left=left) == expected


COUNT = 150
BLAMING = OF_LAYOUT - {"unknown-value", "cut-request"} | {"stray-frame", "doubled-error"}


@pytest.mark.parametrize("passes", [imported, timeless])
def test_nobody_is_blamed_where_nobody_errs(passes: Any, tmp_path: Path) -> None:
    """Of sessions at random an import has a part: one side ends early or begins late, ..."""
    path = tmp_path / "r.pcapng"
    randoms = [Random(f"half recorded {i}") for i in range(COUNT)]
    each = [passes(session(random), i, random) for i, random in enumerate(randoms, 1)]
    about = Made.of(tool="import", events=passes is imported)
    write_recording(
        (event for events in each for event in events), path, about=about, payload_limit=None
    )
    read = Session(path).read_all()
    kept = Findings(read).finish().kept
    read.close()
    assert [
        f for f in kept if f.kind.name in BLAMING or (f.diagnosis and f.diagnosis.certain)
    ] == []
