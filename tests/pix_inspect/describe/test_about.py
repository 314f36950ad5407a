"""What an exchange is about, in a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix_inspect.describe.about import about, short
from tests.support.recording import connected
from tests.support.words import LAST, text, word

STORE = "/nix/store/" + "a" * 32 + "-"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"{STORE}glibc-2.39", "…glibc-2.39"),
        (f"{STORE}x.drv!out", "…x.drv!out"),
        ("/tmp/result", "/tmp/result"),
        ("\x1b[31m", "␛[31m"),
        (STORE + "\n", "…\\n"),
    ],
)
def test_short(path: str, shown: str) -> None:
    assert short(path) == shown


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("IsValidPath", {"path": f"{STORE}hello"}, "…hello"),
        ("QueryValidPaths", {"paths": [f"{STORE}a", f"{STORE}b"], "substitute": False},
         "…a and 1 more"),
        ("QueryValidPaths", {"paths": [], "substitute": False}, ""),
        ("QueryAllValidPaths", {}, ""),
    ],
)  # fmt: skip
def test_operations(name: str, fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask(name, **fields)
    assert about(talk.session().exchange(1)) == said


def test_the_handshake(tmp_path: Path) -> None:
    said = about(connected(tmp_path).session().exchange(0))
    assert said == "client 1.37, daemon 1.37, Nix 2.18.0, trusted"


def test_orphans_and_opaque_bytes(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.daemon(word(0x6F6C6D67), text(b"\x1b[1mhello\x1b[0m\n"))
    talk.daemon(word(LAST))
    session = talk.session()
    assert about(session.exchange(1)) == "STDERR_NEXT hello\\n"
    assert about(session.exchange(2)) == "8 B from the daemon not understood"
