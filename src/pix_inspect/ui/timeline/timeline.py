"""The timeline: the keys of the exchanges that are shown, and the ways through them.

From error to error, to the slowest, from mark to mark; marks and notes, columns and clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from pix_inspect.session.row import STATES
from pix_inspect.ui.timeline.arranged_lines import ArrangedLines
from pix_inspect.ui.timeline.arrangement import Grouped
from pix_inspect.ui.timeline.columns import CLOCKS

FAILED = frozenset(STATES.index(state) for state in ("error", "cut", "opaque"))


class Timeline(ArrangedLines):
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

    def action_enter(self) -> None:
        """Go on to the exchange's fields; on a closed group, open it."""
        if not self.count:
            return
        entry = self.entry(self.cursor)
        if entry < 0 and isinstance(self.arrangement, Grouped):
            self.flip(-entry)
        else:
            self.post_message(self.Entered(self))

    def action_close(self) -> None:
        """Close the group that the cursor is in."""
        arrangement = self.arrangement
        if isinstance(arrangement, Grouped) and self.count:
            entry = self.entry(self.cursor)
            connection = -entry if entry < 0 else self.session.row(entry).connection
            if connection not in arrangement.closed:
                self.flip(connection)

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
        state = self.session.column("state")
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
        self.hidden = hidden
        self._columns = []
        self.redraw()
        self.refresh_head()
