"""Text and bytes looked for in exchanges."""

from __future__ import annotations

import pytest

from pix_inspect.filter.search import SearchError, hits, needle
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


def test_what_is_searched_for() -> None:
    assert needle(" GliBC ").text == "glibc"
    assert needle("hex: 1a 0x00 ffFF").raw == b"\x1a\x00\xff\xff"
    for text, start in (("hex: 1", 5), ("hex: 1a 0g", 8), ("hex:", 4), ("  ", 0)):
        with pytest.raises(SearchError) as error:
            needle(text)
        assert error.value.start == start


def test_hits_of_bytes_are_where_the_bytes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(RECORDINGS / "two-clients.pcapng").read_all()
    for piece in (1 << 20, 5):
        monkeypatch.setattr("pix_inspect.filter.search.PIECE", piece)
        for i in range(len(session)):
            view = session.exchange(i)
            for side in (0, 1):
                start, end = view.span(side)
                whole = b"".join(data or b"\0" for _, data in view.bytes(side, start, end))
                found = [hit for hit in hits(view, needle("hex: 2f 6e")) if hit.side == side]
                assert len(found) == whole.count(b"/n")
                for hit in found:
                    assert whole[hit.start - start : hit.end - start] == b"/n"
