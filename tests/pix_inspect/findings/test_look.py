"""What surrounds an exchange is told to several threads at once."""

from __future__ import annotations

from pix_inspect.findings.look import Surroundings
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


class Cleared(dict[int, bool | None]):
    """What is remembered, where another thread clears it as soon as something is put in."""

    def __setitem__(self, key: int, value: bool | None) -> None:
        super().__setitem__(key, value)
        self.clear()


def test_trust_is_told_while_another_thread_forgets_it() -> None:
    session = Session(RECORDINGS / "untrusted.pcapng").read_all()
    around = Surroundings(session)
    row = session.row(len(session) - 1)
    told = around.trusted(row.connection)
    around._trust = Cleared()
    assert told is False
    assert around.trusted(row.connection) is told
    session.close()
