"""A session of the REPL with a daemon of its own, in which `a` names a path of the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pix_inspect.repl.repl import Session
from pix_store import EmbeddedDaemon

WAIT = 60.0


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
