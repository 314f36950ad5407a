"""What exchanges mean: versions in words, sets, payload as far as it was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import DAEMON
from pix_inspect.compare.changes import Change
from pix_inspect.compare.exchanges import compare_exchanges, meaning, payload_changes
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import connected
from tests.support.words import LAST, PATH, text, word


def fetched(folder: Path, name: str, contents: bytes, kept: int | None = None) -> ExchangeView:
    """An exchange in which a NAR was fetched, of whose only file so many bytes were kept."""
    (folder / name).mkdir()
    talk = connected(folder / name)
    talk.ask("NarFromPath", path=PATH)
    head = map(text, (b"nix-archive-1", b"(", b"type", b"regular", b"contents"))
    talk.daemon(word(LAST), *head, word(len(contents)))
    talk.chunk(DAEMON, contents[:kept], len(contents))
    talk.daemon(bytes(-len(contents) & 7), text(b")"))
    return talk.session().exchange(1)


A, B = b"a" * 400, b"a" * 399 + b"b"


@pytest.mark.parametrize(
    ("second", "kept", "expected"),
    [
        (A, None, []),
        (
            B,
            None,
            [Change("payload at byte 495", "61 01 00 00 00 00 00 00", "62 01 00 00 00 00 00 00")],
        ),
        (A[:392], None, [Change("payload", "512 bytes", "504 bytes")]),
        (B, 200, []),
    ],
    ids=["same", "another byte", "shorter", "not kept"],
)
def test_payload(tmp_path: Path, second: bytes, kept: int | None, expected: list[Change]) -> None:
    one, two = fetched(tmp_path, "one", A), fetched(tmp_path, "two", second, kept)
    assert list(payload_changes(one, two, DAEMON)) == expected


def test_greetings_tell_versions_in_words() -> None:
    first, second = (
        Session(RECORDINGS / f"{name}.pcapng").read_all().exchange(0)
        for name in ("add-tree", "add-tree-1-21")
    )
    assert meaning(first)["request"]["version"] == "1.34"
    found = {change.path: change for change in compare_exchanges(first, second)}
    assert found["reply.version"] == Change("reply.version", "1.34", "1.21")
    assert "reply.daemon_nix_version" not in found


def test_different_operations_are_compared_with_all_their_fields(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("IsValidPath", path=PATH)
    talk.answer("IsValidPath", valid=True)
    talk.ask("AddTempRoot", path=PATH)
    talk.answer("AddTempRoot", done=1)
    session = talk.session()
    paths = [change.path for change in compare_exchanges(session.exchange(1), session.exchange(2))]
    assert paths == ["operation", "reply.valid", "reply.done"]
