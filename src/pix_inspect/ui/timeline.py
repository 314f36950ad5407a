"""The timeline: the exchanges that are shown, what arrives, and the ways through them.

Following is on only while the cursor stands on the last line; then the cursor stays at the
end. Otherwise nothing that arrives moves anything, and the title counts what is new.

Knows a session's rows and their arrangement; nothing of fields, bytes or filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from pix_inspect.passing import reader
from pix_inspect.session import STATES, Session
from pix_inspect.ui.arrangement import Arrangement, AsTheyCame, Everything, Grouped, Sorted
from pix_inspect.ui.columns import CLOCKS, SORTABLE
from pix_inspect.ui.exchange_lines import ExchangeLines, TimelineHead

FAILED = frozenset(STATES.index(state) for state in ("error", "cut", "opaque"))

SLICE = 0.012
PAUSE = 0.004
"""Seconds of arranging in one go, and between two."""


Seen = tuple[int | None, int | None]


class Timeline(ExchangeLines):
    """The exchanges that are shown."""

    TITLE = "Timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Fields", id="timeline.enter"),
        Binding("right,l", "enter", "Fields", show=False, id="timeline.right"),
        Binding("left,h", "close", "Close the connection's group", show=False,
                id="timeline.close"),
        Binding("f", "follow", "Follow", id="timeline.follow"),
        Binding("right_square_bracket", "jump_error(1)", "Next error", key_display="]", show=False,
                id="timeline.next_error"),
        Binding("left_square_bracket", "jump_error(-1)", "Previous error", key_display="[",
                show=False, id="timeline.previous_error"),
        Binding("greater_than_sign", "slowest", "Slowest exchange in sight, then anywhere",
                key_display=">", show=False, id="timeline.slowest"),
        Binding("m", "mark", "Mark or unmark the exchange", show=False, id="timeline.mark"),
        Binding("M", "note", "Write a note on the exchange", show=False, id="timeline.note"),
        Binding("apostrophe", "next_mark", "Next mark", key_display="'", show=False,
                id="timeline.next_mark"),
        Binding("t", "clock", "Time: relative, delta, of day, since mark", show=False,
                id="timeline.clock"),
        Binding("w", "lane", "Waterfall on or off", show=False, id="timeline.lane"),
        Binding("c", "columns", "Columns and order", show=False, id="timeline.columns"),
        Binding("s", "sort", "Sort: slowest, most bytes, as they came", show=False,
                id="timeline.sort"),
        Binding("b", "group", "Group by connection, or not", show=False, id="timeline.group"),
        Binding("y", "screen.copy('line')", "Copy as a line of the REPL", show=False,
                id="timeline.copy"),
        Binding("Y", "screen.copy('json')", "Copy the exchange as JSON", show=False,
                id="timeline.copy_json"),
    ]  # fmt: skip
    QUICK_SORTS = ("took", "down", "up", "")

    class Marked(Message):
        """The marks or notes have changed."""

    class NoteWanted(Message):
        """The user wants to write a note on the exchange."""

        def __init__(self, exchange: int) -> None:
            super().__init__()
            self.exchange = exchange

    class ColumnsWanted(Message):
        """The user wants to choose columns."""

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

    # Keys -------------------------------------------------------------------------------

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

    def go_to(self, exchange: int) -> None:
        """Put the cursor on an exchange, or on the line closest to it."""
        if self.count:
            if isinstance(self.arrangement, Grouped):
                connection = self.session.row(exchange).connection
                if connection in self.arrangement.closed:
                    self._flip(connection)
            self.move_to(self.arrangement.near(exchange))

    def action_enter(self) -> None:
        """Go on to the exchange's fields; on a closed group, open it."""
        if not self.count:
            return
        entry = self.entry(self.cursor)
        if entry < 0 and isinstance(self.arrangement, Grouped):
            self._flip(-entry)
        else:
            self.post_message(self.Entered(self))

    def action_close(self) -> None:
        """Close the group that the cursor is in."""
        arrangement = self.arrangement
        if isinstance(arrangement, Grouped) and self.count:
            entry = self.entry(self.cursor)
            connection = -entry if entry < 0 else self.session.row(entry).connection
            if connection not in arrangement.closed:
                self._flip(connection)

    def _flip(self, connection: int) -> None:
        assert isinstance(self.arrangement, Grouped)
        self.arrangement.flip(connection)
        self.resize_lines()
        self._strips.clear()
        self.cursor = -1
        self.move_to(self.arrangement.near(-connection))
        self.refresh()

    def action_follow(self) -> None:
        """Follow what arrives, or stay here."""
        if self.following:
            self.following = False
            self._seen = self.count
            self._entitle()
        elif self.sorted_by or self.grouped:
            self.app.notify("what is sorted or grouped is not followed: s or b", markup=False)
        else:
            self.action_last()

    def action_sort(self) -> None:
        """Sort by what one most often wants on top, in turn; lastly as they came."""
        now = self.sorted_by if self.sorted_by in self.QUICK_SORTS else ""
        after = self.QUICK_SORTS[(self.QUICK_SORTS.index(now) + 1) % len(self.QUICK_SORTS)]
        self.sort_by(after, descending=True)

    def action_group(self) -> None:
        """Put the exchanges of each connection together, or all as they came."""
        self.sort_by(grouped=not self.grouped)

    def action_columns(self) -> None:
        """Choose columns and order."""
        self.post_message(self.ColumnsWanted())

    def _lines(self, step: int) -> Iterator[tuple[int, int]]:
        """Yield lines and exchanges from the cursor on."""
        at = self.arrangement.at
        for line in range(self.cursor + step, self.count if step > 0 else -1, step):
            entry = at(line)
            if entry >= 0:
                yield line, entry

    def action_jump_error(self, step: int) -> None:
        """Go to the next exchange that did not end well."""
        state = reader(self.session, "state")
        for line, entry in self._lines(step):
            if state(entry) in FAILED:
                self.move_to(line)
                return
        where = "further on" if step > 0 else "further back"
        self.app.notify(f"no error {where}", markup=False)

    def action_next_mark(self) -> None:
        """Go to the next marked exchange, from the last one to the first."""
        found = (self.arrangement.find(mark) for mark in self.marks)
        lines = sorted(line for line in found if line is not None)
        if not lines:
            hidden = "is shown" if self.marks else "is marked: m marks one"
            self.app.notify(f"no marked exchange {hidden}", markup=False)
            return
        self.move_to(next((line for line in lines if line > self.cursor), lines[0]))

    def action_slowest(self) -> None:
        """Go to the slowest exchange in sight; from there, to the slowest of all."""
        took = self.session.column("took")
        for lines in (self.in_sight(), range(self.count)):
            best, longest = self.cursor, -1
            for line in lines:
                entry = self.entry(line)
                if entry >= 0 and not self.session.going_on(entry) and took(entry) > longest:
                    best, longest = line, took(entry)
            if best != self.cursor:
                self.move_to(best)
                return

    def action_mark(self) -> None:
        """Mark the exchange, or take its mark away."""
        entry = self.entry(self.cursor) if self.count else -1
        if entry < 0:
            return
        if entry in self.marks:
            self.note(entry, None)
        else:
            self.note(entry, self.marks.get(entry, ""))

    def note(self, exchange: int, text: str | None) -> None:
        """Mark an exchange with a note, which may be empty; None takes the mark away."""
        if text is None:
            self.marks.pop(exchange, None)
        else:
            self.marks[exchange] = text
            self.last_mark = exchange
        if self.last_mark not in self.marks:
            self.last_mark = max(self.marks, default=None)
        self.redraw()
        self.post_message(self.Marked())

    def recall(self, marks: dict[int, str]) -> None:
        """Take the marks of an earlier time."""
        self.marks.update(marks)
        self.last_mark = max(self.marks, default=None)
        self.redraw()

    def action_note(self) -> None:
        """Write a note on the exchange."""
        entry = self.entry(self.cursor) if self.count else -1
        if entry >= 0:
            self.post_message(self.NoteWanted(entry))

    def action_clock(self) -> None:
        """Show times in the next way."""
        ways = [way for way in CLOCKS if way != "marked" or self.last_mark is not None]
        self.clock = ways[(ways.index(self.clock) + 1) % len(ways) if self.clock in ways else 0]
        self._columns = []
        self.redraw()
        self.refresh_head()

    def action_lane(self) -> None:
        """Show or hide the waterfall."""
        self.hide(self.hidden ^ {"lane"})

    def hide(self, hidden: frozenset[str]) -> None:
        """Leave these columns out."""
        self.hidden = hidden
        self._columns = []
        self.redraw()
        self.refresh_head()
