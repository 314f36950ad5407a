"""Bytes said and heard by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pix_inspect.repl.repl import Session
from pix_store import EmbeddedDaemon

WAIT = 30.0


@pytest.fixture
def daemon() -> Iterator[EmbeddedDaemon]:
    with EmbeddedDaemon() as daemon:
        yield daemon
    assert not daemon.faults


@pytest.fixture
def session(daemon: EmbeddedDaemon) -> Iterator[Session]:
    session = Session(str(daemon.path), timeout=WAIT)
    session.run('a = AddToStore(name="a", method="text:sha256", dump=b"hello").reply.path')
    yield session
    session.close()


def test_bytes_by_hand(session: Session) -> None:
    heard = session.run("raw(IsValidPath(path=a), wait=0.2)")
    assert heard.exchanges == ["IsValidPath: complete"]
    assert "8 bytes sent" in session.run("send_only(u64(1))")
    assert session.run("receive(wait=0.05)").heard == 0
    assert "sent" in session.run("send_only(a)")
    assert session.run("receive(wait=0.2)").exchanges == ["IsValidPath: complete"]
    assert session.run("half_close(wait=5)").closed
    assert session.run("encode(IsValidPath(path=a)) == u64(1) + text(a)") is True
    assert session.run("IsValidPath(path=a).reply.valid") is True
