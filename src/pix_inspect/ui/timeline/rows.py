"""The exchanges that are shown and the lines on which they stand: the timeline without a screen.

They stand in order of start, sorted by a column, or by connection. Arranging them anew takes a
bounded time at a time; until it is done what stood there stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.arrangement import Arrangement, AsTheyCame, Everything, Grouped, Sorted


class Rows:
    """Which exchanges are shown, and on which line each stands."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shown: Sequence[int] = Everything(session)
        self.sorted_by = ""
        self.descending = False
        self.grouped = False
        self.arrangement: Arrangement = AsTheyCame(self.shown)
        self.known = 0
        """How many exchanges of the session were taken in."""
        self._next: Arrangement | None = None

    def __len__(self) -> int:
        return len(self.arrangement)

    def entry(self, line: int) -> int:
        """Return what stands on a line: an exchange from 0, or a connection, negative."""
        return self.arrangement.at(line)

    def chosen(self, line: int) -> int | None:
        """Return the exchange on a line; on the head of a connection, its handshake."""
        if not len(self):
            return None
        entry = self.entry(line)
        if entry >= 0:
            return entry
        handshake = self.session.connections[-entry].handshake
        if handshake is not None:
            return handshake
        return self.entry(line + 1) if line + 1 < len(self) else None

    def near(self, entry: int) -> int:
        """Return the line of an entry, or the one closest to it."""
        return self.arrangement.near(entry)

    def has(self, exchange: int) -> bool:
        """Return whether an exchange has a line, or one that opens to it."""
        known = exchange < len(self.session)
        return known and self.settled and self.arrangement.find(exchange) is not None

    @property
    def groups(self) -> Grouped | None:
        """The exchanges by connection, where that is how they stand."""
        return self.arrangement if isinstance(self.arrangement, Grouped) else None

    @property
    def as_they_came(self) -> bool:
        """Whether what comes next will stand on the last line."""
        return isinstance(self.arrangement, AsTheyCame)

    @property
    def settled(self) -> bool:
        """Whether what is shown is arranged, all of it."""
        return self._next is None

    @property
    def late(self) -> int:
        """How many exchanges at the end came after the others were sorted."""
        return self.arrangement.late if isinstance(self.arrangement, Sorted) else 0

    def take_in(self, *, moved: bool) -> bool:
        """Take in what came to be shown; `moved`: not only at the end.

        Returns whether lines before the end moved.
        """
        self.known = len(self.session)
        return self.arrangement.update(moved=moved)

    def rearrange(self) -> None:
        """Begin to arrange anew what is shown; `advance` goes on with it."""
        if self.grouped:
            self._next = Grouped(self.session, self.shown)
        elif self.sorted_by:
            self._next = Sorted(
                self.session, self.shown, self.sorted_by, descending=self.descending
            )
        else:
            self._next = AsTheyCame(self.shown)

    def advance(self, seconds: float) -> bool:
        """Arrange more, for about `seconds`; return whether `turn` can put it on the lines."""
        return self._next is None or self._next.advance(seconds)

    def turn(self) -> None:
        """Put on the lines what was arranged."""
        if self._next is not None:
            self.arrangement, self._next = self._next, None
            self.take_in(moved=False)
