"""Bytes said and heard by hand."""

from __future__ import annotations

from pix_inspect.repl.repl import Session


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
