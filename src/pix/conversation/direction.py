"""One direction of a connection: its window, its scanner, and whether it still goes on."""

from __future__ import annotations

from collections.abc import Callable

from pix.codec.cursor import Cursor, Limits, Scan
from pix.conversation.exchange import Exchange


class Lane:
    """One side's bytes.

    `waiting`: the scanner waits for the other side, not for bytes. `eof`: nothing more will
    come. `over`: the scanner is not run any more. `opaque`: the exchange that stands for the
    bytes that are not understood, from its start to the end of the stream.
    """

    __slots__ = ("cursor", "eof", "gives_way", "opaque", "over", "scanner", "side", "waiting")

    def __init__(self, side: int, base: int, limits: Limits) -> None:
        self.side = side
        self.cursor = Cursor(base, limits)
        self.scanner: Scan
        self.waiting = False
        self.eof = False
        self.over = False
        self.opaque: Exchange | None = None
        self.gives_way: Callable[[], None] | None = None
        """Lets the other side go on first with what it said before."""

    @property
    def silent(self) -> bool:
        """Whether nothing more will be understood here."""
        return self.eof or self.opaque is not None

    @property
    def is_at_rest(self) -> bool:
        """Whether all that arrived is scanned, and no more."""
        cursor = self.cursor
        return cursor.pos == cursor.end and not self.waiting and not self.silent

    def wait(self, ready: Callable[[], bool]) -> Scan:
        """Wait until the other side makes `ready` true."""
        if self.gives_way is not None:
            self.gives_way()
        while not ready():
            self.waiting = True
            yield
        self.waiting = False
