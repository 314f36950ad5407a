"""Recorded exchanges as something to be said again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix.protocol.logging import StderrError
from pix.protocol.operations import AddToStore, IsValidPath, NarFromPath
from pix_inspect.replay.recorded import ELIDED, RecordedSession
from tests.support.nars import nar
from tests.support.replayed import END, LAST, P, story

NO_MORE = StderrError(message="the store is full")
DUMP = nar({b"a": b"contents", b"b": b"x" * 3000})


@pytest.mark.parametrize("minor", [21, 38])
@pytest.mark.parametrize("kept", [None, 100])
def test_payload_is_whole_or_told_to_be_missing(
    tmp_path: Path, minor: int, kept: int | None
) -> None:
    added, asked = AddToStore(name="x", dump=DUMP), NarFromPath(path=P)
    lines = (1, Protocol(minor), added, NO_MORE, asked, LAST, DUMP, END)
    recorded = RecordedSession(story(tmp_path / "s.pcapng", lines, payload=kept))
    for i, side in ((1, CLIENT), (2, DAEMON)):
        exchange = recorded.exchange(i)
        size, lacking = exchange.content_size(side)
        assert size == len(DUMP)
        assert (lacking > 0) == (kept is not None)
        if lacking:
            with pytest.raises(Problem, match="payload elided"):
                b"".join(exchange.content(side))
        else:
            assert b"".join(exchange.content(side)) == DUMP
    assert recorded.exchange(1).unfit() == (None if kept is None else ELIDED)
    assert recorded.exchange(2).unfit() is None


def test_a_request_is_an_object_again(tmp_path: Path) -> None:
    ask = IsValidPath(path=P)
    path = story(
        tmp_path / "s.pcapng", (1, Protocol(38), ask, LAST, IsValidPath.Reply(valid=True), END)
    )
    exchange = RecordedSession(path).exchange(1)
    assert exchange.request() == ask
    assert exchange.reply() == IsValidPath.Reply(valid=True)


def test_a_recording_without_exchanges_cannot_be_replayed(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="nothing to replay"):
        RecordedSession(story(tmp_path / "s.pcapng"))
