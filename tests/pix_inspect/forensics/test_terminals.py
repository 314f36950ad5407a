"""A terminal in between: its echo, what it swallows, and what only looks as if it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix_inspect.findings.collector import Findings
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.forensics.terminals import echo
from tests.support.mistaken import error
from tests.support.recording import Recording
from tests.support.typical import TypicalPlaybook
from tests.support.words import PATH, text, word

HELLO, GREETING, V38 = word(CLIENT_MAGIC), word(DAEMON_MAGIC), word(0x126)
SERVED = word(0x390C9DEB) + word(0x207)


@pytest.mark.parametrize(
    ("client", "daemon", "where"),
    [
        (HELLO + V38, b"cxin^@^@^@^@&^A^@^@^@^@^@^@", "at the daemon's byte 0"),
        (HELLO + V38, b"Welcome\r\ncxin^@^@^@^@&^A" + GREETING, "at the daemon's byte 9"),
        (SERVED, b"\xeb\x9d^L9^@^@^@^@^G^B", "at the daemon's byte 0"),
        (HELLO + V38, GREETING + V38, None),
        (HELLO + V38, HELLO + V38, None),  # two clients that are joined, perhaps
        (HELLO + V38, b"cxin and more", None),
        (b"GET / HTTP/1.1", b"cxin^@^@^@^@", None),
    ],
)
def test_an_echo_is_the_clients_hello_made_visible(
    client: bytes, daemon: bytes, where: str | None, tmp_path: Path
) -> None:
    found = echo(client, daemon)
    assert (found is not None) == (where is not None)
    assert found is None or str(where) in found.where
    kinds = said_of(tmp_path, (CLIENT, client), (DAEMON, daemon)).counts
    assert ("terminal" in kinds) == (where is not None)


def said_of(folder: Path, *turns: tuple[int, bytes]) -> Findings:
    made = Recording(folder / "r.pcapng")
    connection = made.open()
    for side, data in turns:
        connection.chunk(side, data)
    connection.close()
    return Findings(made.session()).finish()


OPTIONS = word(19) + b"".join(map(word, (0, 0, 0, 3, 2, 0, 1, 0, 0, 0, 1, 0, 0)))
INFO = word(26) + text(PATH.encode())
LOST = 2 << 56
"""What max_build_jobs is where the byte of verbosity, 0x03, is missing."""
IN_TEXT = int.from_bytes(INFO[8 + 9 : 8 + 17], "little")
HALF = int.from_bytes((word(3) + word(2))[4:12], "little")


@pytest.mark.parametrize(
    ("request_", "said", "kinds", "where"),
    [
        (OPTIONS, f"serialised integer {LOST} is too large for type 'j'", {"terminal"},
         "0x03 at byte 72"),
        (OPTIONS, f"serialised integer \x1b[35;1m{LOST}\x1b[0m is too large", {"terminal"}, "0x03"),
        (INFO, f"invalid operation {(INFO[8]) << 56}", {"terminal"}, "0x1a at byte 40"),
        # as many bytes off as none that a terminal takes, in no number, or in one of 32 bits
        (OPTIONS, f"serialised integer {LOST + 1} is too large for type 'j'", set(), ""),
        (OPTIONS, f"serialised integer {HALF} is too large for type 'j'", set(), ""),
        (OPTIONS, "serialised integer 3 is too large for type 'j'", set(), ""),
        (INFO, f"serialised integer {IN_TEXT} is too large for type 'j'", set(), ""),
    ],
)  # fmt: skip
def test_what_a_daemon_read_some_bytes_off_was_swallowed_before(
    request_: bytes, said: str, kinds: set[str], where: str, tmp_path: Path
) -> None:
    turns = [(side, data) for side, data in TypicalPlaybook(38).turns if data]
    found = said_of(tmp_path, *turns, (CLIENT, request_), (DAEMON, error(38, said.encode())))
    assert set(found.counts) == kinds
    if kinds:
        (only,) = found.kept
        assert only.mistake is Mistake.SWALLOWED
        assert only.diagnosis is not None
        assert where in only.diagnosis.where


NAR = word(13) + b"nix-archive-1\0\0\0" + word(1) + b"(" + bytes(7)


@pytest.mark.parametrize(
    ("operation", "fields", "payload", "said", "named"),
    [
        (7, text(b"f") + text(b"fixed:sha256") + word(0) + word(0), NAR,
         b"bad archive: input doesn't look like a Nix archive", True),
        (7, text(b"f") + text(b"fixed:sha256") + word(0) + word(0), b"what else" * 5,
         b"bad archive: input doesn't look like a Nix archive", False),
        (1, text(b"/a/b/cdefghij"), b"", b"non-zero padding", True),
        (1, text(b"/a/b/cdefghijk"), b"", b"non-zero padding", False),
        (1, text(b"/a/b/cdefghij"), b"", b"path is not valid", False),
    ],
)  # fmt: skip
def test_a_complaint_of_what_was_not_sent(
    operation: int, fields: bytes, payload: bytes, said: bytes, named: bool, tmp_path: Path
) -> None:
    turns = [(side, data) for side, data in TypicalPlaybook(38).turns if data]
    framed = word(len(payload)) + payload + word(0) if payload else b""
    asked = (CLIENT, word(operation) + fields + framed)
    found = said_of(tmp_path, *turns, asked, (DAEMON, error(38, said)))
    assert set(found.counts) == ({"misread"} if named else set())
    assert all(each.mistake is None for each in found.kept), "the daemon may be right, or not"


@pytest.mark.parametrize("side", [CLIENT, DAEMON])
def test_the_version_1_10_has_a_line_feed(side: int, tmp_path: Path) -> None:
    talk = TypicalPlaybook(10)
    talk.whole("IsValidPath")
    turns = [
        (who, data.replace(b"\n", b"\r\n") if who == side else data)
        for who, data in talk.turns
        if data
    ]
    (found,) = said_of(tmp_path, *turns).kept
    assert (found.kind.name, found.mistake) == ("line-ends", Mistake.LINE_ENDS)
