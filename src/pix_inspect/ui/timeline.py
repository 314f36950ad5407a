"""The timeline: one line for each exchange, of which only the visible ones are ever made.

Following is on only while the cursor stands on the last line; then the cursor stays at the
end. Otherwise nothing that arrives moves anything, and the title counts what is new.

Knows a session's rows; nothing of fields or bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from pix_inspect.session import Row, Session
from pix_inspect.ui import columns
from pix_inspect.ui.columns import CLOCKS, Column, Lane
from pix_inspect.ui.glances import Glances
from pix_inspect.ui.lines import Lines, Toned
from pix_inspect.ui.text import fit, fit_right, safe

LOOK_BACK = 200
"""Rows in which the exchange before on the same connection is looked for."""

FARTHEST_JUMP = 2_000_000
"""Rows that a jump to an error or a mark looks through."""


class Timeline(Lines):
    """All exchanges in order of start."""

    TITLE = "Timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Fields", id="timeline.enter"),
        Binding("right,l", "enter", "Fields", show=False, id="timeline.right"),
        Binding("f", "follow", "Follow", id="timeline.follow"),
        Binding("right_square_bracket", "jump_error(1)", "Next error", key_display="]", show=False,
                id="timeline.next_error"),
        Binding("left_square_bracket", "jump_error(-1)", "Previous error", key_display="[",
                show=False, id="timeline.previous_error"),
        Binding("greater_than_sign", "slowest", "Slowest exchange in sight, then anywhere",
                key_display=">", show=False, id="timeline.slowest"),
        Binding("m", "mark", "Mark or unmark the exchange", show=False, id="timeline.mark"),
        Binding("apostrophe", "next_mark", "Next mark", key_display="'", show=False,
                id="timeline.next_mark"),
        Binding("t", "clock", "Time: relative, delta, of day, since mark", show=False,
                id="timeline.clock"),
        Binding("w", "lane", "Waterfall on or off", show=False, id="timeline.lane"),
        Binding("y", "screen.copy('value')", "Copy what it is about", show=False,
                id="timeline.copy"),
        Binding("Y", "screen.copy('json')", "Copy the exchange as JSON", show=False,
                id="timeline.copy_json"),
    ]  # fmt: skip

    def __init__(self, session: Session, now: Callable[[], int], id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self.glances = Glances(session)
        self.following = True
        self.live = False
        self.now = now
        self.marks: set[int] = set()
        self.clock = CLOCKS[0]
        self.hidden: frozenset[str] = frozenset()
        self.waiting: list[str] = []
        """What to say while there is nothing."""
        self._known = 0
        self._seen = 0
        self._last_mark: int | None = None
        self._columns: list[tuple[Column, int]] = []
        self._columns_for: Hashable = None
        self._has_lane = False
        self._lane = Lane(0, 1)
        self._lane_at: Hashable = None

    @property
    def count(self) -> int:
        """The exchanges so far."""
        return self._known

    @property
    def frame(self) -> Widget:
        """The box around heads and lines."""
        parent = self.parent
        return parent if isinstance(parent, Widget) else self

    @property
    def chosen(self) -> int | None:
        """The index of the exchange under the cursor."""
        return self.cursor if self.count else None

    def on_mount(self) -> None:
        """Begin at the end of what there is, at the first line of a finished recording."""
        super().on_mount()
        self.set_interval(1 / 20, self._refresh_moving)

    def on_unmount(self) -> None:
        """Stop looking at exchanges."""
        self.glances.close()

    # What arrives -----------------------------------------------------------------------

    def grow(self, *, new: bool = True) -> None:
        """Take in the rows that the session has by now; `new`: count them as news."""
        known = len(self.session)
        if known == self._known:
            return
        first = self._known == 0
        had_room = self._known < round(self.scroll_y) + self.inner.height
        self._known = known
        self.resize_lines()
        if had_room or self._columns_for != self._layout_for(self.inner.width - 1):
            self.refresh()
        if not new:
            self._seen = known
        if self.following:
            self._seen = known
            self.cursor = known - 1
            self.scroll_to(y=max(0, known - self.inner.height), animate=False, force=True)
            self.refresh()
        if first or self.following:
            self.moved()
        self._entitle()

    def begin_at(self, line: int, *, follow: bool) -> None:
        """Put the cursor somewhere to begin with."""
        self.following = follow
        self._seen = self._known
        self.cursor = max(0, min(line, self._known - 1))
        self.show_cursor()
        self.refresh()
        if self._known:
            self.moved()
        self._entitle()

    def set_live(self, live: bool) -> None:
        """Take note of whether more may arrive."""
        if live != self.live:
            self.live = live
            self._entitle()

    def _refresh_moving(self) -> None:
        """Draw again what changes by itself: exchanges that go on, and answers that came."""
        if self.glances.take_fresh():
            self.refresh()
            return
        top = round(self.scroll_y)
        for line in range(top, min(top + self.inner.height, self._known)):
            if self.session.row(line).took is None or self._lane_at is None:
                self.refresh()
                return

    def _entitle(self) -> None:
        new = self._known - self._seen
        if self.following:
            self.entitle("▼ following" if self._known and self.live else "")
        else:
            self.entitle(f"▼ {new:,} new" if new > 0 else "")

    # Drawing ----------------------------------------------------------------------------

    def nothing(self) -> list[str]:
        """Say how to get something to look at."""
        return self.waiting

    @property
    def columns(self) -> list[tuple[Column, int]]:
        """The columns that fit, with their cells."""
        return self._fitted_columns(self.inner.width - 1)

    def _fitted_columns(self, width: int) -> list[tuple[Column, int]]:
        wanted = self._layout_for(width)
        if not self._columns or wanted != self._columns_for:
            self._columns = columns.layout(width, self._known, self._longest_time, self.hidden)
            self._columns_for = wanted
            self._has_lane = any(column is columns.LANE for column, _ in self._columns)
            self._strips.clear()
            self._refresh_head()
        return self._columns

    def _layout_for(self, width: int) -> Hashable:
        return (width, len(str(self._known)), self._longest_time)

    @property
    def _longest_time(self) -> int:
        if self.clock == "absolute":
            return 12
        signs = 0 if self.clock == "relative" else 1
        return len(columns.seconds(self.session.last - self.session.started)) + signs

    def _refresh_head(self) -> None:
        for head in self.screen.query(TimelineHead):
            head.refresh()

    def key(self, line: int) -> Hashable:
        """Strips of exchanges that are over are kept."""
        row = self.session.row(line)
        if row.took is None:
            return None
        lane = None
        if self._has_lane:
            self._measure_lane()
            lane = (self._lane.start, self._lane.end)
        return (self.glances.get(row), line in self.marks, lane)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of an exchange's line."""
        row = self.session.row(line)
        mark = "◆" if line in self.marks else "▸" if line == self.cursor else " "
        yield Segment(mark, self.tone("mark"))
        gap = ""
        for column, cells in self._fitted_columns(width - 1):
            if column is columns.LANE:
                yield Segment(gap)
                yield from self._bar(row, line, cells)
                continue
            text, style = self._cell(column, row)
            yield Segment(gap + (fit_right if column.right else fit)(text, cells), style)
            gap = " "

    def _cell(self, column: Column, row: Row) -> tuple[str, Style]:
        tone = self.tone
        match column.name:
            case "number":
                return str(row.number), tone("dim")
            case "time":
                return self._time(row), tone("number")
            case "connection":
                return str(row.connection), tone("dim")
            case "state":
                return columns.sign(row), tone(columns.tone_of(row))
            case "operation":
                known = "name" if row.kind == "operation" else "dim"
                state = columns.tone_of(row)
                return columns.name_of(row), tone(state if state in ("bad", "warn") else known)
            case "about":
                said = self.glances.get(row)
                return ("…", tone("dim")) if said is None else (said, tone("text"))
            case "took":
                slow = row.took is not None and row.took >= columns.SLOW
                now = self.now() if self.live else None
                return columns.took(row, now), tone("warn" if slow else "number")
        up, down = columns.sizes(row)
        return (up if column.name == "up" else down), tone("number")

    def _time(self, row: Row) -> str:
        if self.clock == "absolute":
            return columns.clock(row.started)
        if self.clock == "delta":
            before = self.session.row(row.number - 2).started if row.number > 1 else row.started
            return "+" + columns.seconds(row.started - before)
        if self.clock == "marked" and self._last_mark is not None:
            return columns.seconds(row.started - self.session.row(self._last_mark).started)
        return columns.seconds(row.started - self.session.started)

    # The waterfall ----------------------------------------------------------------------

    def _measure_lane(self) -> None:
        top = round(self.scroll_y)
        bottom = min(top + self.inner.height, self._known)
        rows = [self.session.row(line) for line in range(top, bottom)]
        moving = any(row.took is None for row in rows)
        at = (top, bottom, self.session.last if moving else 0)
        if at != self._lane_at:
            self._lane_at = at
            self._lane = columns.lane_of(rows, self.session.last)

    def _bar(self, row: Row, line: int, cells: int) -> Iterable[Segment]:
        self._measure_lane()
        idle = self._idle_since(row, line)
        for tone, text in self._lane.bar(row, idle, self.session.last, cells):
            yield Segment(text, self.tone(tone))

    def _idle_since(self, row: Row, line: int) -> int | None:
        """Return when the connection's exchange before this one ended."""
        for before in range(line - 1, max(line - LOOK_BACK, -1), -1):
            other = self.session.row(before)
            if other.connection == row.connection:
                return None if other.took is None else other.started + other.took
        return None

    # Keys -------------------------------------------------------------------------------

    def move_to(self, line: int, *, tell: bool = True) -> None:
        """Put the cursor on a line; on the last one, following begins."""
        super().move_to(line, tell=tell)
        at_end = self.cursor >= self.count - 1
        if self.following and not at_end:
            self._seen = self._known
        self.following = at_end
        if at_end:
            self._seen = self._known
        self._entitle()

    def action_enter(self) -> None:
        """Go on to the exchange's fields."""
        if self.count:
            self.post_message(self.Entered(self))

    def action_follow(self) -> None:
        """Follow what arrives, or stay here."""
        if self.following:
            self.following = False
            self._seen = self._known
            self._entitle()
        else:
            self.action_last()

    def action_jump_error(self, step: int) -> None:
        """Go to the next exchange that did not end well."""
        self._jump(step, lambda line: self.session.row(line).state in ("error", "cut", "opaque"))

    def action_next_mark(self) -> None:
        """Go to the next marked exchange, from the last one to the first."""
        marks = sorted(self.marks)
        if not marks:
            self.app.notify("no exchange is marked: m marks one", markup=False)
            return
        self.move_to(next((mark for mark in marks if mark > self.cursor), marks[0]))

    def _jump(self, step: int, wanted: object) -> None:
        assert callable(wanted)
        line = self.cursor + step
        for _ in range(FARTHEST_JUMP):
            if not 0 <= line < self.count:
                break
            if wanted(line):
                self.move_to(line)
                return
            line += step
        where = "further on" if step > 0 else "further back"
        self.app.notify(f"no error {where}", markup=False)

    def action_slowest(self) -> None:
        """Go to the slowest exchange in sight; from there, to the slowest of all."""
        top = round(self.scroll_y)
        near = range(top, min(top + self.inner.height, self.count))
        for lines in (near, range(max(0, self.count - FARTHEST_JUMP), self.count)):
            slowest = self._slowest(lines)
            if slowest is not None and slowest != self.cursor:
                self.move_to(slowest)
                return

    def _slowest(self, lines: Sequence[int]) -> int | None:
        return max(lines, key=lambda line: self.session.row(line).took or 0, default=None)

    def action_mark(self) -> None:
        """Mark the exchange, or take its mark away."""
        if not self.count:
            return
        if self.cursor in self.marks:
            self.marks.discard(self.cursor)
        else:
            self.marks.add(self.cursor)
            self._last_mark = self.cursor
        if self._last_mark not in self.marks:
            self._last_mark = max(self.marks, default=None)
        self.redraw()

    def action_clock(self) -> None:
        """Show times in the next way."""
        ways = [way for way in CLOCKS if way != "marked" or self._last_mark is not None]
        self.clock = ways[(ways.index(self.clock) + 1) % len(ways) if self.clock in ways else 0]
        self._columns = []
        self.redraw()
        self._refresh_head()

    def action_lane(self) -> None:
        """Show or hide the waterfall."""
        self.hidden = self.hidden ^ {"lane"}
        self._columns = []
        self.redraw()
        self._refresh_head()


class TimelineHead(Toned):
    """The heads of the timeline's columns."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()
        self.timeline = timeline

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        timeline = self.timeline
        words = [" "]
        for i, (column, cells) in enumerate(timeline.columns):
            head = column.head
            if column is columns.TIME and timeline.clock != "relative":
                head = {"delta": "delta", "absolute": "clock", "marked": "since ◆"}[timeline.clock]
            words.append((" " if i else "") + (fit_right if column.right else fit)(head, cells))
        text = safe("".join(words))
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(
            self.size.width, self.rich_style
        )
