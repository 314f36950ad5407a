"""A recording that grows is gone through: each exchange once, when it is over."""

from __future__ import annotations

import threading
from pathlib import Path

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.session.growth import as_they_end, in_order
from pix_inspect.session.session import Session
from tests.support.recording import Recording
from tests.support.words import LAST, word

MAGICS = (0x6E697863, 0x6478696F)
OLD = 0x10A


def test_in_order_of_start_with_what_is_not_over_at_the_end(tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    first, second = made.open(), made.open()
    first.chunk(CLIENT, word(MAGICS[0]))
    second.chunk(CLIENT, word(MAGICS[0]) + word(OLD))
    second.chunk(DAEMON, word(MAGICS[1]) + word(OLD) + word(LAST))
    session = Session(made.save())
    read: list[int] = []
    assert list(in_order(session, lambda: read.append(session.consumed))) == [0, 1]
    assert read[-1] == session.size
    session.close()


def test_exchanges_are_yielded_as_they_end(tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    first = made.open()
    first.chunk(CLIENT, word(MAGICS[0]) + word(OLD))
    session = Session(made.save())
    told = threading.Event()
    follow = as_they_end(session, told)
    assert next(follow) is None
    first.chunk(DAEMON, word(MAGICS[1]) + word(OLD) + word(LAST))
    second = made.open()
    second.chunk(CLIENT, word(MAGICS[0]))
    made.save()
    assert [next(follow), next(follow)] == [0, None]
    second.chunk(CLIENT, word(OLD))
    second.chunk(DAEMON, word(MAGICS[1]) + word(OLD) + word(LAST))
    third = made.open()
    third.chunk(CLIENT, word(MAGICS[0]))
    made.save()
    assert [next(follow), next(follow)] == [1, None]
    told.set()
    assert list(follow) == [2]
    session.close()
