"""The timeline: the exchanges that are shown, in columns below their heads, and its keys.

Following is on only while the cursor stands on the last line; then the cursor stays at the
end. Otherwise nothing that arrives moves anything, and the title counts what is new. While
exchanges are arranged anew, those on the screen stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer

from pix.dataclass import dataclass
from pix_inspect.session.row import STATES
from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.arrangement import Grouped
from pix_inspect.ui.timeline.columns import CLOCKS, LANE, SORTABLE
from pix_inspect.ui.timeline.marks import Marks
from pix_inspect.ui.timeline.rows import Rows
from pix_inspect.ui.timeline.timeline_lines import TimelineHead, TimelineLines
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.lines import Lines

SLICE = 0.012
PAUSE = 0.004
"""Seconds of arranging in one go, and between two."""

FAILED = frozenset(STATES.index(state) for state in ("error", "cut", "opaque"))

QUICK_SORTS = ("took", "down", "up", "")
"""What one most often wants on top, in turn."""

Seen = tuple[int | None, int | None]
"""What stands on the first visible line and under the cursor."""


class Timeline(Vertical):
    """The exchanges that are shown, with a cursor that finds its way."""

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
        Binding("s", "sort", "Sort: slowest, most bytes, in order of start", show=False,
                id="timeline.sort"),
        Binding("b", "group", "Group by connection, or not", show=False, id="timeline.group"),
        Binding("y", "screen.copy('line')", "Copy as a line of the REPL", show=False,
                id="timeline.copy"),
        Binding("Y", "screen.copy('json')", "Copy the exchange as JSON", show=False,
                id="timeline.copy_json"),
    ]  # fmt: skip

    class Chosen(Message):
        """Another exchange was chosen, or none."""

    class Entered(Message):
        """The user wants more of the chosen exchange."""

    class Marked(Message):
        """The marks or notes have changed."""

    @dataclass(eq=False)
    class NoteWanted(Message):
        """The user wants to write a note on the exchange."""

        exchange: int

    def __init__(self, session: Session, now: Callable[[], int], id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self.rows = Rows(session)
        self.marks = Marks()
        self.lines = TimelineLines(self.rows, self.marks, now, self._placed, id="timeline")
        self.painter = self.lines.painter
        self.following = True
        self._seen = 0
        self._keep = True
        self._stood_on: int | None = None
        self._arranging: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self.lines.head
        yield self.lines

    def on_mount(self) -> None:
        self._entitle()

    @property
    def chosen(self) -> int | None:
        """The index of the exchange under the cursor; on a head, of the handshake."""
        return self.rows.chosen(self.lines.cursor)

    @property
    def entry(self) -> int | None:
        """What the cursor stands on: an exchange, or a connection, negative."""
        cursor = self.lines.cursor
        return self.rows.entry(cursor) if cursor < len(self.rows) else None

    # What arrives -----------------------------------------------------------------------

    def grow(self, *, new: bool = True, moved: bool = False, seen: Seen | None = None) -> None:
        """Take in what came to be shown; `new`: count it as news; `moved`: not only at the end.

        `seen` is what `anchors` said before what is shown changed.
        """
        lines = self.lines
        before = lines.count
        had_room = before < round(lines.scroll_y) + lines.inner.height
        top, at = seen or self.anchors()
        if self.rows.take_in(moved=moved):
            self._anchor(top, at)
        known = lines.count
        if known == before and not moved:
            return
        lines.resize_lines()
        if had_room or moved or self.painter.layout(lines.inner.width - 1) != lines.layout_drawn:
            lines.refresh()
        if not new:
            self._seen = known
        if self.following:
            self._seen = known
            lines.cursor = max(known - 1, 0)
            lines.scroll_to(y=max(0, known - lines.inner.height), animate=False, force=True)
            lines.refresh()
        if not before or self.following:
            lines.moved()
        self._entitle()

    def anchors(self) -> Seen:
        """Return what stands on the first visible line and under the cursor."""
        top = round(self.lines.scroll_y)
        return (self.rows.entry(top) if top < len(self.rows) else None, self.entry)

    def _anchor(self, top: int | None, at: int | None) -> None:
        """Leave what was seen where it was seen, after lines before it came or went."""
        lines, find = self.lines, self.rows.arrangement.find
        line = find(at) if at is not None else None
        above = lines.cursor - round(lines.scroll_y)
        lines.cursor = max(min(line if line is not None else lines.cursor, lines.count - 1), 0)
        first = find(top) if top is not None else None
        scroll = first if first is not None else lines.cursor - above
        lines.resize_lines()
        if scroll != round(lines.scroll_y):
            lines.scroll_to(y=max(scroll, 0), animate=False, force=True)
        if at is not None and line is None and lines.count:
            lines.moved()

    def begin_at(self, line: int, *, follow: bool) -> None:
        """Put the cursor somewhere to begin with."""
        self.following = follow
        self._seen = self.lines.count
        self.lines.cursor = max(0, min(line, self.lines.count - 1))
        self.lines.show_cursor()
        self.lines.refresh()
        if self.lines.count:
            self.lines.moved()
        self._entitle()

    def set_live(self, live: bool) -> None:
        """Take note of whether more may arrive."""
        if live != self.painter.live:
            self.painter.live = live
            self._entitle()

    def renew(self) -> None:
        """Draw exchanges again that went on when they were drawn."""
        if self.lines.moving:
            self.lines.refresh()

    def _entitle(self) -> None:
        rows, said = self.rows, [self.TITLE]
        if rows.grouped:
            said.append("by connection")
        elif rows.sorted_by:
            said.append(f"by {rows.sorted_by} {'▼' if rows.descending else '▲'}")
            if rows.late:
                said.append(f"{rows.late:,} new at the end")
        new = len(rows) - self._seen
        if self.following and len(rows) and self.painter.live:
            said.append("▼ following")
        elif not self.following and new > 0 and not rows.sorted_by:
            said.append(f"▼ {new:,} new")
        self.border_title = Content("  ".join(said))

    # What is shown, and in which order --------------------------------------------------

    def show(self, shown: Sequence[int], *, keep: bool = True) -> None:
        """Show these exchanges; with `keep` the cursor stays on its exchange or close to it."""
        self.rows.shown = shown
        self._rearrange(keep=keep)

    def sort_by(self, column: str = "", *, descending: bool = False, grouped: bool = False) -> None:
        """Sort by a column, or group by connection; with neither, in order of start."""
        self.rows.sorted_by = "" if grouped else column
        self.rows.descending = descending
        self.rows.grouped = grouped
        self.lines.head.refresh()
        self._rearrange(keep=not self.rows.sorted_by)

    def _rearrange(self, *, keep: bool) -> None:
        self._keep = keep
        self.rows.rearrange()
        self._go_on()

    def _go_on(self) -> None:
        """Arrange more, and show it when all is arranged."""
        if self._arranging is not None:
            self._arranging.stop()
            self._arranging = None
        if not self.rows.advance(SLICE):
            self._arranging = later(self, PAUSE, self._go_on)
            self.border_title = Content(f"{self.TITLE}  sorting …")
            return
        lines = self.lines
        chosen = self.chosen if lines.count else self._stood_on
        above = lines.cursor - round(lines.scroll_y)
        self.rows.turn()
        self.following = self.following and self.rows.as_they_came
        lines.redraw()
        lines.resize_lines()
        lines.cursor = 0
        if self.following:
            lines.cursor = max(lines.count - 1, 0)
        elif chosen is not None and self._keep and lines.count:
            lines.cursor = self.rows.near(chosen)
        self._seen = lines.count
        if lines.count:
            lines.scroll_to(y=max(lines.cursor - max(above, 0), 0), animate=False, force=True)
            lines.show_cursor()
        lines.moved()
        self._entitle()

    def click_head(self, column: str) -> bool:
        """Sort by a column, once more the other way round; return whether one can sort by it."""
        if column in SORTABLE:
            again = self.rows.sorted_by == column
            most_first = not self.rows.descending if again else SORTABLE[column]
            self.sort_by(column, descending=most_first)
        elif column in ("number", "time"):
            self.sort_by()
        else:
            return False
        return True

    def on_timeline_head_chosen(self, message: TimelineHead.Chosen) -> None:
        message.stop()
        self.click_head(message.column)

    # The cursor -------------------------------------------------------------------------

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Say which exchange is chosen; it is remembered for when nothing is shown."""
        message.stop()
        self._stood_on = self._stood_on if self.chosen is None else self.chosen
        self.post_message(self.Chosen())

    def on_lines_entered(self, message: Lines.Entered) -> None:
        message.stop()
        self.post_message(self.Entered())

    def _placed(self) -> None:
        """Begin or end following, as the cursor was put on the last line or elsewhere."""
        at_end = 0 < self.lines.count <= self.lines.cursor + 1 and not (
            self.rows.sorted_by or self.rows.grouped
        )
        if self.following or at_end:
            self._seen = self.lines.count
        self.following = at_end
        self._entitle()

    def go_to(self, exchange: int) -> None:
        """Put the cursor on an exchange, or on the line closest to it."""
        if self.lines.count:
            connection, groups = self.session.row(exchange).connection, self.rows.groups
            if groups is not None and connection in groups.closed:
                self._flip(groups, connection)
            self.lines.move_to(self.rows.near(exchange))

    def _flip(self, groups: Grouped, connection: int) -> None:
        """Close the group of a connection, or open it."""
        groups.flip(connection)
        self.lines.resize_lines()
        self.lines.redraw()
        self.lines.cursor = -1
        self.lines.move_to(self.rows.near(-connection))

    # Keys -------------------------------------------------------------------------------

    def action_enter(self) -> None:
        """Go on to the exchange's fields; on a closed group, open it."""
        entry, groups = self.entry, self.rows.groups
        if entry is not None and entry < 0 and groups is not None:
            self._flip(groups, -entry)
        elif entry is not None:
            self.post_message(self.Entered())

    def action_close(self) -> None:
        """Close the group that the cursor is in."""
        entry, groups = self.entry, self.rows.groups
        if entry is not None and groups is not None:
            connection = -entry if entry < 0 else self.session.row(entry).connection
            if connection not in groups.closed:
                self._flip(groups, connection)

    def action_follow(self) -> None:
        """Follow what arrives, or stay here."""
        if self.following:
            self.following = False
            self._seen = self.lines.count
            self._entitle()
        elif self.rows.sorted_by or self.rows.grouped:
            self.app.notify("what is sorted or grouped is not followed: s or b", markup=False)
        else:
            self.lines.action_last()

    def action_sort(self) -> None:
        """Sort by what one most often wants on top, in turn; lastly the order of start."""
        now = self.rows.sorted_by if self.rows.sorted_by in QUICK_SORTS else ""
        after = QUICK_SORTS[(QUICK_SORTS.index(now) + 1) % len(QUICK_SORTS)]
        self.sort_by(after, descending=True)

    def action_group(self) -> None:
        """Put the exchanges of each connection together, or all in order of start."""
        self.sort_by(grouped=not self.rows.grouped)

    def action_jump_error(self, step: int) -> None:
        """Go to the next exchange that did not end well."""
        state, entry = self.session.column("state"), self.rows.entry
        lines = self.lines
        for line in range(lines.cursor + step, lines.count if step > 0 else -1, step):
            found = entry(line)
            if found >= 0 and state(found) in FAILED:
                lines.move_to(line)
                return
        where = "further on" if step > 0 else "further back"
        self.app.notify(f"no error {where}", markup=False)

    def action_next_mark(self) -> None:
        """Go to the next marked exchange, from the last one to the first."""
        found = map(self.rows.arrangement.find, self.marks.notes)
        lines = sorted(line for line in found if line is not None)
        if not lines:
            hidden = "is shown" if self.marks.notes else "is marked: m marks one"
            self.app.notify(f"no marked exchange {hidden}", markup=False)
            return
        cursor = self.lines.cursor
        self.lines.move_to(next((line for line in lines if line > cursor), lines[0]))

    def action_slowest(self) -> None:
        """Go to the slowest exchange in sight; from there, to the slowest of all."""
        took = self.session.column("took")
        for lines in (self.lines.in_sight, range(self.lines.count)):
            best, longest = self.lines.cursor, -1
            for line in lines:
                entry = self.rows.entry(line)
                if entry >= 0 and not self.session.going_on(entry) and took(entry) > longest:
                    best, longest = line, took(entry)
            if best != self.lines.cursor:
                self.lines.move_to(best)
                return
        self.app.notify("nothing here is slower", markup=False)

    def action_mark(self) -> None:
        """Mark the exchange, or take its mark away."""
        entry = self.entry
        if entry is not None and entry >= 0:
            self.note(entry, None if entry in self.marks.notes else "")

    def note(self, exchange: int, text: str | None) -> None:
        """Mark an exchange with a note, which may be empty; None takes the mark away."""
        self.marks.note(exchange, text)
        self.lines.redraw()
        self.post_message(self.Marked())

    def action_note(self) -> None:
        """Write a note on the exchange."""
        entry = self.entry
        if entry is not None and entry >= 0:
            self.post_message(self.NoteWanted(entry))

    def action_clock(self) -> None:
        """Show times in the next way."""
        ways = [way for way in CLOCKS if way != "marked" or self.marks.last is not None]
        now = self.painter.clock
        self.painter.clock = ways[(ways.index(now) + 1) % len(ways) if now in ways else 0]
        self._redraw()

    def action_lane(self) -> None:
        """Show or hide the waterfall."""
        if LANE.name in self.painter.hidden or LANE in dict(self.lines.columns):
            self.hide(self.painter.hidden ^ {LANE.name})
        if LANE.name not in self.painter.hidden and LANE not in dict(self.lines.columns):
            self.app.notify("there is no room for the waterfall now", markup=False)

    def action_columns(self) -> None:
        """Have the user choose columns."""
        from pix_inspect.ui.timeline.column_dialog import ColumnDialog

        self.app.push_screen(ColumnDialog(self))

    def hide(self, hidden: frozenset[str]) -> None:
        """Leave out these columns."""
        self.painter.hidden = hidden
        self._redraw()

    def _redraw(self) -> None:
        self.lines.redraw()
        self.lines.head.refresh()
