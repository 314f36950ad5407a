"""Desynchronised streams: which mistake explains the first impossible word.

Knows sessions and views; nothing of findings or of how they are shown.
"""

from __future__ import annotations

from pix_inspect.session import Row, Session
from pix_inspect.view import ExchangeView


class Forensics:
    """Looks into the streams of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def left(self, row: Row) -> tuple[str, ...]:
        """Return why a client may have left in the middle of `row`."""
        return ()

    def foreign(self, view: ExchangeView, side: int) -> tuple[str, tuple[str, ...]] | None:
        """Return the text that stands where the magic should be, and what it seems to be."""
        return None

    def diagnose(self, view: ExchangeView, side: int) -> tuple[str, ...]:
        """Return what the first impossible word is, and the mistake that explains it."""
        return ()

    def handshake(self, view: ExchangeView) -> tuple[str, ...]:
        """Return what a handshake that was never finished lacks."""
        return ()

    def met(self, view: ExchangeView, number: int) -> tuple[str, ...]:
        """Return which field of a request the daemon took for operation `number`."""
        return ()
