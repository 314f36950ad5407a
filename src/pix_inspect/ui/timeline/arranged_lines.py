"""Exchanges that keep arriving, in the order that is wanted: what stands still and what moves.

Following is on only while the cursor stands on the last line; then the cursor stays at the
end. Otherwise nothing that arrives moves anything, and the title counts what is new. While
exchanges are arranged anew, those on the screen stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.timer import Timer
from textual.widget import Widget

from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.arrangement import Arrangement, AsTheyCame, Everything, Grouped, Sorted
from pix_inspect.ui.timeline.columns import SORTABLE
from pix_inspect.ui.timeline.exchange_lines import ExchangeLines, TimelineHead

SLICE = 0.012
PAUSE = 0.004
"""Seconds of arranging in one go, and between two."""

Seen = tuple[int | None, int | None]
"""What stands on the first visible line and under the cursor."""


class ArrangedLines(ExchangeLines):
    """The exchanges that are shown, as they came, sorted by a column or by connection."""

    def __init__(self, session: Session, now: Callable[[], int], id: str | None = None) -> None:
        super().__init__(session, now, id=id)
        self.following = True
        self.shown: Sequence[int] = Everything(session)
        self.sorted_by = ""
        self.descending = False
        self.grouped = False
        self._known = 0
        self._seen = 0
        self._next: Arrangement | None = None
        self._keep = True
        self._stood_on: int | None = None
        self._arranging: Timer | None = None

    @property
    def frame(self) -> Widget:
        """The box around heads and lines."""
        parent = self.parent
        return parent if isinstance(parent, Widget) else self

    @property
    def chosen(self) -> int | None:
        """The index of the exchange under the cursor; on a head, of the handshake."""
        if not self.count:
            return None
        entry = self.entry(self.cursor)
        if entry >= 0:
            return entry
        handshake = self.session.connections[-entry].handshake
        if handshake is not None:
            return handshake
        return self.entry(self.cursor + 1) if self.cursor + 1 < self.count else None

    @property
    def settled(self) -> bool:
        """Whether what is shown is arranged, all of it."""
        return self._next is None

    @property
    def up_to_date(self) -> bool:
        """Whether everything that the session has has been taken in."""
        return self._known == len(self.session)

    def moved(self) -> None:
        """Say that the cursor stands elsewhere."""
        self._stood_on = self.chosen if self.count else self._stood_on
        super().moved()

    def on_mount(self) -> None:
        """Begin at the end of what there is, at the first line of a finished recording."""
        super().on_mount()
        self.set_interval(1 / 20, self._refresh_moving)

    # What arrives -----------------------------------------------------------------------

    def grow(self, *, new: bool = True, moved: bool = False, seen: Seen | None = None) -> None:
        """Take in what came to be shown; `new`: count it as news; `moved`: not only at the end.

        `seen` is what `anchors` said before what is shown changed.
        """
        before = self.count
        first = before == 0
        had_room = before < round(self.scroll_y) + self.inner.height
        top, at = seen or self.anchors()
        if self.arrangement.update(moved=moved):
            self._anchor(top, at)
        known = self.count
        self._known = len(self.session)
        if known == before and not moved:
            return
        self.resize_lines()
        if had_room or moved or self._columns_for != self._layout_for(self.inner.width - 1):
            self.refresh()
        if not new:
            self._seen = known
        if self.following:
            self._seen = known
            self.cursor = max(known - 1, 0)
            self.scroll_to(y=max(0, known - self.inner.height), animate=False, force=True)
            self.refresh()
        if first or self.following:
            self.moved()
        self._entitle()

    def anchors(self) -> Seen:
        """Return what stands on the first visible line and under the cursor."""
        top = round(self.scroll_y)
        return (
            self.entry(top) if top < self.count else None,
            self.entry(self.cursor) if self.cursor < self.count else None,
        )

    def _anchor(self, top: int | None, at: int | None) -> None:
        """Leave what was seen where it was seen, after lines before it came or went."""
        line = self.arrangement.find(at) if at is not None else None
        above = self.cursor - round(self.scroll_y)
        self.cursor = max(min(line if line is not None else self.cursor, self.count - 1), 0)
        first = self.arrangement.find(top) if top is not None else None
        scroll = first if first is not None else self.cursor - above
        self.resize_lines()
        if scroll != round(self.scroll_y):
            self.scroll_to(y=max(scroll, 0), animate=False, force=True)
        if at is not None and line is None and self.count:
            self.moved()

    def begin_at(self, line: int, *, follow: bool) -> None:
        """Put the cursor somewhere to begin with."""
        self.following = follow
        self._seen = self.count
        self.cursor = max(0, min(line, self.count - 1))
        self.show_cursor()
        self.refresh()
        if self.count:
            self.moved()
        self._entitle()

    def set_live(self, live: bool) -> None:
        """Take note of whether more may arrive."""
        if live != self.live:
            self.live = live
            self._entitle()

    def _refresh_moving(self) -> None:
        """Draw again what changes by itself: exchanges that go on, and answers that came."""
        fresh = self.glances.take_fresh() or (self._has_lane and self._lane_at is None)
        if fresh or any(row.took is None for row in self.rows_in_sight()):
            self.refresh()

    def _entitle(self) -> None:
        said: list[str] = []
        if self.grouped:
            said.append("by connection")
        elif self.sorted_by:
            said.append(f"by {self.sorted_by} {'▼' if self.descending else '▲'}")
            late = getattr(self.arrangement, "late", 0)
            if late:
                said.append(f"{late:,} new at the end")
        new = self.count - self._seen
        if self.following and self.count and self.live:
            said.append("▼ following")
        elif not self.following and new > 0 and not self.sorted_by:
            said.append(f"▼ {new:,} new")
        self.entitle("  ".join(said))

    # What is shown, and in which order --------------------------------------------------

    def show(self, shown: Sequence[int], *, keep: bool = True) -> None:
        """Show these exchanges; with `keep` the cursor stays on its exchange or close to it."""
        self.shown = shown
        self.rearrange(keep=keep)

    def sort_by(self, column: str = "", *, descending: bool = False, grouped: bool = False) -> None:
        """Sort by a column, or group by connection; with neither, as they came."""
        self.sorted_by = "" if grouped else column
        self.descending = descending
        self.grouped = grouped
        for head in self.screen.query(TimelineHead):
            head.sorted_by, head.descending = self.sorted_by, descending
        self.refresh_head()
        self.rearrange(keep=not self.sorted_by)

    def rearrange(self, *, keep: bool = True) -> None:
        """Arrange anew what is shown, and show it when that is done."""
        if self.grouped:
            self._next = Grouped(self.session, self.shown)
        elif self.sorted_by:
            self._next = Sorted(
                self.session, self.shown, self.sorted_by, descending=self.descending
            )
        else:
            self._next = AsTheyCame(self.shown)
        self._keep = keep
        self._go_on()

    def _go_on(self) -> None:
        if self._arranging is not None:
            self._arranging.stop()
            self._arranging = None
        if self._next is None:
            return
        if not self._next.advance(SLICE):
            self._arranging = self.set_timer(PAUSE, self._go_on)
            self.entitle("sorting …")
            return
        chosen = self.chosen if self.count else self._stood_on
        above = self.cursor - round(self.scroll_y)
        arrangement, self._next = self._next, None
        arrangement.update(moved=False)
        followed = self.following and isinstance(arrangement, AsTheyCame)
        self.arrangement = arrangement
        self._lane_at = None
        self._strips.clear()
        self.resize_lines()
        self.cursor = 0
        if followed:
            self.cursor = max(self.count - 1, 0)
        elif chosen is not None and self._keep and self.count:
            self.cursor = arrangement.near(chosen)
        self.following = followed
        self._seen = self.count
        self._known = len(self.session)
        if self.count:
            self.scroll_to(y=max(self.cursor - max(above, 0), 0), animate=False, force=True)
            self.show_cursor()
        self.moved()
        self.refresh()
        self._entitle()

    def click_head(self, column: str, *, again: bool) -> None:
        """Sort by the column whose head was clicked; once more, the other way round."""
        if column in SORTABLE:
            self.sort_by(column, descending=not self.descending if again else SORTABLE[column])
        elif column in ("number", "time"):
            self.sort_by()

    # The cursor -------------------------------------------------------------------------

    def move_to(self, line: int, *, tell: bool = True) -> None:
        """Put the cursor on a line; on the last one, following begins."""
        super().move_to(line, tell=tell)
        at_end = 0 < self.count <= self.cursor + 1 and not self.sorted_by and not self.grouped
        if self.following and not at_end:
            self._seen = self.count
        self.following = at_end
        if at_end:
            self._seen = self.count
        self._entitle()

    def shows(self, exchange: int) -> bool:
        """Return whether an exchange has a line, or one that opens to it."""
        return self.settled and self.arrangement.find(exchange) is not None

    def go_to(self, exchange: int) -> None:
        """Put the cursor on an exchange, or on the line closest to it."""
        if self.count:
            if isinstance(self.arrangement, Grouped):
                connection = self.session.row(exchange).connection
                if connection in self.arrangement.closed:
                    self.flip(connection)
            self.move_to(self.arrangement.near(exchange))

    def flip(self, connection: int) -> None:
        """Close the group of a connection, or open it."""
        assert isinstance(self.arrangement, Grouped)
        self.arrangement.flip(connection)
        self.resize_lines()
        self._strips.clear()
        self.cursor = -1
        self.move_to(self.arrangement.near(-connection))
        self.refresh()
