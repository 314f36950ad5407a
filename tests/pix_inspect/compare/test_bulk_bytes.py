"""The bytes of exchanges in one pass: those of a view, or none where there are not all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.compare.bulk_bytes import spoken
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import connected
from tests.support.words import PATH, text, word


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_they_are_those_of_a_view(path: Path) -> None:
    session = Session(path).read_all()
    found = list(spoken(session))
    assert sorted(each.row.number - 1 for each in found) == list(range(len(session)))
    for each in found:
        if each.request is not None and each.reply is not None:
            view = session.exchange(each.row.number - 1)
            for side, data in ((CLIENT, each.request), (DAEMON, each.reply)):
                assert view.kept[side].whole(*view.span(side)) == data


def test_only_those_that_are_wanted() -> None:
    session = Session(RECORDINGS / "lookups.pcapng").read_all()
    assert [each.row.number - 1 for each in spoken(session, lambda number: number % 3 == 1)] == [
        1,
        4,
        7,
    ]
    apart = list(spoken(session, apart=lambda row: True))
    assert len(apart) == len(session)
    assert all(each.request is None and each.reply is None for each in apart)


def test_exchanges_in_pieces_and_several_at_a_time(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    request = word(1) + text(PATH.encode())
    reply = word(0x616C7473) + word(1)
    for part in (request[:3], request[3:] + request + request[:20], request[20:]):
        talk.client(part)
    for part in (reply + reply[:5], reply[5:9], reply[9:] + reply):
        talk.daemon(part)
    session = talk.session()
    assert [each[1:] for each in spoken(session)][1:] == [(request, reply)] * 3


def test_what_was_not_kept_comes_without_bytes(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    request = word(1) + text(b"/" * 200)
    for kept in (len(request), 100, len(request)):
        talk.chunk(CLIENT, request[:kept], len(request))
        talk.daemon(word(0x616C7473), word(1))
    found = {each.row.number - 1: each.request for each in spoken(talk.session())}
    assert [found[number] for number in (1, 2, 3)] == [request, None, request]


def test_what_is_not_over_comes_without_bytes(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("IsValidPath", path=PATH)
    session = talk.session(closed=False)
    assert [each[1:] for each in spoken(session)][-1] == (None, None)
