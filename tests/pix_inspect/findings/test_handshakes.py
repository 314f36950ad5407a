"""Handshakes that came to nothing: who is found to have ended them, and who is not accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix.protocol.logging import STDERR_LAST
from pix_inspect.findings.collector import Findings
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.recording.notes import CommandEnded
from pix_inspect.session.session import Session
from tests.support.recording import Recording
from tests.support.words import PATH, text, word

HELLO, GREETING = word(CLIENT_MAGIC), word(DAEMON_MAGIC)
V21, V34, V35, V37, V38 = (word(0x100 | minor) for minor in (21, 34, 35, 37, 38))
NO_FEATURES, NO_CPU = word(0), word(0) * 2
NIX = text(b"2.34.8") + word(1)
LAST = word(STDERR_LAST)
ASKED = word(1) + text(PATH.encode())

CASES: dict[str, tuple[bytes, bytes, int | None, set[str]]] = {
    # a client that did all it had to do, or waits for the daemon
    "no last word": (HELLO + V38 + NO_CPU, GREETING + V35 + NIX, DAEMON, {"daemon-left"}),
    "dies, its features said": (
        HELLO + V38 + NO_FEATURES, GREETING + V38 + NO_FEATURES, DAEMON, {"daemon-left"}
    ),
    "dies, older": (HELLO + V38 + NO_CPU, GREETING + V34, DAEMON, {"daemon-left"}),
    "silent, older": (HELLO + V38 + NO_CPU, GREETING + V34, CLIENT, {"client-left"}),
    "older, nobody knows who": (
        HELLO + V38 + NO_CPU, GREETING + V34, None, {"handshake-stalled"}
    ),
    "dies, 1.38": (HELLO + V38 + NO_FEATURES, GREETING + V38, DAEMON, {"daemon-left"}),
    "silent, 1.38": (HELLO + V38 + NO_FEATURES, GREETING + V38, CLIENT, {"client-left"}),
    "killed behind its features": (
        HELLO + V38 + NO_FEATURES, GREETING + V38 + NO_FEATURES, CLIENT, {"client-left"}
    ),
    "heard nothing": (HELLO + V38, b"", CLIENT, {"client-left"}),
    "not allowed": (HELLO + V38, b"", DAEMON, {"refused"}),
    "nothing, nobody knows who": (HELLO + V38, b"", None, {"no-answer"}),
    "too old": (HELLO + V21, GREETING + V38, DAEMON, {"refused"}),
    "half a magic": (HELLO + V38, GREETING[:3], DAEMON, {"daemon-left"}),
    "half a magic, its client left": (HELLO + V38, GREETING[:3], CLIENT, {"client-left"}),
    "half a hello": (HELLO[:4], b"", CLIENT, {"client-left"}),
    "half a version, nobody knows who": (HELLO + V38[:4], b"", None, {"handshake-stalled"}),
    "heard a version": (HELLO + V38, GREETING + V38, CLIENT, {"client-left"}),
    "another major": (HELLO + word(0x226), GREETING + V38, DAEMON, {"refused"}),
    "goes on, its daemon left": (
        HELLO + V38 + NO_FEATURES + NO_CPU + ASKED, GREETING + V38, DAEMON, {"daemon-left"}
    ),
    # only one direction is there
    "no daemon": (HELLO + V38 + NO_FEATURES + NO_CPU + ASKED, b"", None, {"not-recorded"}),
    "no daemon, and it left": (
        HELLO + V37 + NO_CPU + ASKED, b"", CLIENT, {"not-recorded"}
    ),
    "all said at once, refused": (HELLO + V37 + NO_CPU + ASKED, b"", DAEMON, {"refused"}),
    "no client": (b"", GREETING + V37 + NIX + LAST + LAST, None, {"not-recorded"}),
    "no client of --serve": (b"", word(0x5452EECB) + word(0x207), None, {"not-recorded"}),
    # a client that announces a version it does not speak, or was ended in its hello
    "1.38 as 1.37": (
        HELLO + V38 + NO_CPU, GREETING + V38 + NO_FEATURES, CLIENT, {"client-left"}
    ),
    # behind what is not a hello nothing is a version
    "banner": (HELLO + V38, b"Welcome to builder01\n" + GREETING + V38, None, {"foreign-text"}),
    "banner of three letters": (HELLO + V38, b"hi\n" + GREETING + V38, None, {"foreign-text"}),
    "nix-store --serve": (HELLO + V38, word(0x5452EECB) + word(0x205), None, {"wrong-magic"}),
    "client of --serve": (word(0x390C9DEB) + word(0x205), b"", None, {"no-answer"}),
    "serve 0x101": (
        word(0x390C9DEB) + word(0x101), word(0x5452EECB) + word(0x101), None, {"unknown-version"}
    ),
    "an echo": (HELLO + V38, HELLO + V38, None, {"wrong-magic"}),
    "Nix at Guix": (HELLO + V38 + word(0), GREETING + word(0x163), None, {"guix-and-nix"}),
    "Guix at Nix": (HELLO + word(0x163) + NO_CPU, GREETING + V35, CLIENT, {"guix-and-nix"}),
    "Nix 2.3 at Guix": (HELLO + V21 + NO_CPU, GREETING + word(0x163) + LAST, None, {"guix"}),
    "guix": (HELLO + word(0x163) + NO_CPU, GREETING + word(0x163) + LAST, None, {"guix"}),
}  # fmt: skip
"""What the client and the daemon say, who leaves first, and what is found besides a downgrade."""


def of(client: bytes, daemon: bytes, left: int | None, folder: Path) -> Findings:
    return Findings(saved_of(client, daemon, left, folder)).finish()


def saved_of(client: bytes, daemon: bytes, left: int | None, folder: Path) -> Session:
    made = Recording(folder / "r.pcapng")
    connection = made.open()
    connection.chunk(CLIENT, client)
    if daemon:
        connection.chunk(DAEMON, daemon)
    if left is not None:
        connection.half_close(left)
        connection.half_close(1 - left)
    connection.close()
    return made.session()


@pytest.mark.parametrize("name", CASES)
def test_who_is_found_to_have_ended_it(name: str, tmp_path: Path) -> None:
    client, daemon, left, expected = CASES[name]
    found = of(client, daemon, left, tmp_path)
    assert set(found.counts) - {"downgrade"} == expected
    mistakes = {finding.mistake for finding in found.kept} - {None, Mistake.TEXT_IN_STREAM}
    assert mistakes == ({Mistake.MISSING_FEATURES} if name == "1.38 as 1.37" else set())
    assert not any(
        finding.diagnosis and finding.diagnosis.certain
        for finding in found.kept
        if finding.mistake is Mistake.MISSING_FEATURES
    )


@pytest.mark.parametrize("name", CASES)
def test_a_client_that_got_no_answer_it_can_use_fails_no_error(name: str, tmp_path: Path) -> None:
    """Unless it was the client that left, its hello is not whole, or a direction is not there."""
    client, daemon, left, expected = CASES[name]
    state = saved_of(client, daemon, left, tmp_path).row(0).state
    failed = expected & {
        "daemon-left", "refused", "no-answer", "handshake-stalled", "foreign-text", "wrong-magic",
        "guix-and-nix",
    }  # fmt: skip
    is_owed = bool(daemon) or len(client) >= len(HELLO + V38)
    assert (state == "error") == (bool(failed) and is_owed), state


@pytest.mark.parametrize(("ms", "kind"), [(2, "unanswered"), (2000, "handshake-stalled")])
def test_a_handshake_that_the_recording_cut_is_not_a_stalled_one(
    ms: int, kind: str, tmp_path: Path
) -> None:
    made = Recording(tmp_path / "r.pcapng")
    connection = made.open()
    connection.chunk(CLIENT, HELLO + V38)
    connection.wait(2000).chunk(DAEMON, GREETING + V38)
    made.wait(ms).open()
    assert set(Findings(made.session()).finish().counts) == {kind}


UNKNOWN = word(1) + text(b"from-the-future")
GARBLED = word(1) + word(1 << 50)


@pytest.mark.parametrize(
    ("version", "features", "request_", "names"),
    [
        (V38, NO_FEATURES, ASKED, set()),
        (V38, NO_FEATURES, GARBLED, {"wild-length"}),
        (word(0x127), NO_FEATURES, ASKED, {"unknown-version"}),
        (word(0x226), NO_FEATURES, ASKED, {"unknown-version"}),
        (V38, UNKNOWN, ASKED, {"unknown-version"}),
        (V38, UNKNOWN, GARBLED, {"unknown-version", "unknown-layout"}),
    ],
)
def test_what_is_not_known_is_said(
    version: bytes, features: bytes, request_: bytes, names: set[str], tmp_path: Path
) -> None:
    client = HELLO + version + features + NO_CPU + request_
    answer = word(STDERR_LAST) + word(1) if request_ is ASKED else b""
    found = of(client, GREETING + version + features + NIX + LAST + answer, None, tmp_path)
    assert set(found.counts) == names
    assert {finding.grade for finding in found.kept} <= {
        "error" if "wild-length" in names else "note"
    }


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ((0x126, 0x226), "version 2.38: an unsupported major"),
        ((0x109, 0x126), "version 1.9: older than 1.10"),
        ((0x127, 0x126), ""),
    ],
)
def test_what_is_agreed_counts(versions: tuple[int, int], said: str, tmp_path: Path) -> None:
    client, daemon = map(word, versions)
    rest = (b"", LAST) if 0x109 in versions else (NO_FEATURES + NO_CPU, NO_FEATURES + NIX + LAST)
    streams = HELLO + client + rest[0], GREETING + daemon + rest[1]
    found = of(*streams, None, tmp_path).kept
    unknown = [each.said for each in found if each.kind.name == "unknown-version"]
    assert [each.startswith(said) for each in unknown] == [True] * bool(said)


def ended_with(daemon: bytes, left: int, folder: Path, *asked: bytes) -> Findings:
    """Return what is found where the command that stands for the daemon ends with a status."""
    made = Recording(folder / "r.pcapng")
    connection = made.open()
    connection.chunk(CLIENT, HELLO + V37 + NO_CPU)
    for side, data in ((DAEMON, daemon), *((CLIENT, each) for each in asked)):
        if data:
            connection.chunk(side, data)
    for side in (left, 1 - left):
        connection.half_close(side)
    connection.remark({"note": CommandEnded("signal 11").json()})
    connection.close()
    return Findings(made.session()).finish()


@pytest.mark.parametrize(
    ("daemon", "asked", "kind"),
    [
        (b"", (), "unreachable"),
        (GREETING + V37, (), "daemon-left"),
        (GREETING + V37 + NIX + LAST, (ASKED,), "daemon-left"),
    ],
    ids=["without a word", "in its hello", "in an operation"],
)
def test_with_which_status_the_daemons_command_ended(
    daemon: bytes, asked: tuple[bytes, ...], kind: str, tmp_path: Path
) -> None:
    found = ended_with(daemon, DAEMON, tmp_path, *asked)
    assert set(found.counts) == {kind}
    assert "the command that stands for the daemon ended with signal 11" in found.kept[0].said


def test_a_command_that_ends_behind_its_client_explains_nothing(tmp_path: Path) -> None:
    assert "unreachable" not in ended_with(b"", CLIENT, tmp_path).counts
    found = ended_with(GREETING + V37 + NIX + LAST, CLIENT, tmp_path, ASKED)
    assert set(found.counts) == {"client-left"}
    assert "signal" not in found.kept[0].said
