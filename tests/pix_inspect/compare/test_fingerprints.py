"""Fingerprints: the same by bytes and by a look at the exchange, whatever was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.codec.gates import Protocol
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST, STDERR_NEXT
from pix_inspect.compare.bulk_bytes import Spoken, spoken
from pix_inspect.compare.changes import VOLATILE
from pix_inspect.compare.fingerprints import Fingerprints, answer_at, apart, payload_operations
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.words import text, word

MIXED = [RECORDINGS / "add-tree-1-21.pcapng", RECORDINGS / "copy.pcapng"]


@pytest.mark.parametrize("meant", [False, True])
@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_bytes_and_views_have_the_same_fingerprints(path: Path, meant: bool) -> None:
    sessions = [Session(each).read_all() for each in (path, *MIXED)]
    prints = Fingerprints(sessions, VOLATILE)
    seen = 0
    for said in spoken(sessions[0], apart=apart):
        alone = Spoken(said.row, None, None)
        one, two = (prints.of(sessions[0], each, meant=meant) for each in (said, alone))
        assert (one.name, one.answered) == (two.name, two.answered), said.row
        assert meant or one.asked == two.asked, said.row
        seen += said.request is not None
    assert seen or not any(sessions[0].row(i).operation for i in range(len(sessions[0])))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (word(STDERR_LAST), 0),
        (word(STDERR_NEXT) + text(b"building") + word(STDERR_LAST) + word(1), 24),
        (word(STDERR_NEXT) + text(b"building") + word(STDERR_ERROR), 24),
        (word(STDERR_NEXT) + text(b"building"), None),
        (word(STDERR_NEXT) + word(99), None),
        (word(17), None),
        (b"", None),
    ],
)
def test_where_the_log_ends(data: bytes, expected: int | None) -> None:
    assert answer_at(data, Protocol(38)) == expected


def test_operations_with_payload() -> None:
    assert payload_operations(["AddToStore", "IsValidPath", "handshake"]) == {"AddToStore"}
