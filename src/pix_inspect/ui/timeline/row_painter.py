"""How exchanges look as lines: cells in columns, a waterfall, the heads of connections."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from rich.segment import Segment
from rich.style import Style

from pix_inspect.base.units import size
from pix_inspect.describe.text_and_json import SIGNS
from pix_inspect.session.row import Row
from pix_inspect.ui.timeline import columns
from pix_inspect.ui.timeline.columns import CLOCKS, Column, Lane
from pix_inspect.ui.timeline.connection_facts import ConnectionFacts
from pix_inspect.ui.timeline.glances import Glances
from pix_inspect.ui.timeline.marks import Marks
from pix_inspect.ui.timeline.rows import Rows
from pix_inspect.ui.widgets.lines import Toned
from pix_inspect.ui.widgets.text import fit, fit_right, safe

LOOK_BACK = 200
"""Rows in which the exchange before on the same connection is looked for."""


class RowPainter:
    """Makes the segments of the lines of a pane, in its tones; `now` is the time in ns."""

    def __init__(self, rows: Rows, marks: Marks, pane: Toned, now: Callable[[], int]) -> None:
        self.session = rows.session
        self.glances = Glances(rows.session, pane)
        self.clock = CLOCKS[0]
        self.hidden = columns.USUALLY_HIDDEN
        self.live = False
        self._rows = rows
        self._marks = marks
        self.tone = pane.tone
        self._now = now
        self._facts = ConnectionFacts(rows.session)
        self._columns: list[tuple[Column, int]] = []
        self._columns_for: Hashable = None
        self._has_lane = False
        self._lane = Lane(0, 1)
        self._lane_at: Hashable = None
        self._lane_moves = False

    # Columns ----------------------------------------------------------------------------

    def layout(self, width: int) -> Hashable:
        """Return what the columns of lines of `width` cells depend on."""
        return (width, len(str(len(self.session))), self._longest_time, self.hidden)

    def columns(self, width: int) -> list[tuple[Column, int]]:
        """The columns that fit into `width` cells, with their cells."""
        wanted = self.layout(width)
        if wanted != self._columns_for:
            count = len(self.session)
            self._columns = columns.layout(width, count, self._longest_time, self.hidden)
            self._columns_for = wanted
            self._has_lane = any(column is columns.LANE for column, _ in self._columns)
        return self._columns

    @property
    def _longest_time(self) -> int:
        if self.clock == "absolute":
            return 12
        signs = 0 if self.clock == "relative" else 1
        return len(columns.seconds(self.session.last - self.session.started)) + signs

    # Lines ------------------------------------------------------------------------------

    def rows(self, sight: range) -> list[Row]:
        """Return the exchanges on these lines."""
        entries = map(self._rows.entry, sight)
        return [self.session.row(entry) for entry in entries if entry >= 0]

    def key(self, line: int) -> Hashable:
        """Return what an exchange's line depends on; None while it changes by itself."""
        entry = self._rows.entry(line)
        if entry < 0:
            return None
        row = self.session.row(entry)
        if row.took is None:
            return None
        lane = self._lane if self._has_lane else None
        return (entry, self.glances.get(row), self._marks.notes.get(entry), lane)

    def segments(self, line: int, width: int, *, at_cursor: bool) -> Iterable[Segment]:
        """Return the cells of an exchange's line, or the head of a connection."""
        entry = self._rows.entry(line)
        if entry < 0:
            yield from self._group_head(line, -entry, width)
            return
        row = self.session.row(entry)
        mark = "◆" if entry in self._marks.notes else "▸" if at_cursor else " "
        yield Segment(mark, self.tone("mark"))
        gap = ""
        for column, cells in self.columns(width - 1):
            if column is columns.LANE:
                yield Segment(gap)
                yield from self._bar(row, cells)
            elif column is columns.ABOUT and (note := self._marks.notes.get(entry)):
                yield from self._noted(row, note, gap, cells)
            else:
                text, style = self._cell(column, cells, row, line)
                yield Segment(gap + (fit_right if column.right else fit)(text, cells), style)
            gap = " "

    def _noted(self, row: Row, note: str, gap: str, cells: int) -> Iterable[Segment]:
        """What the user noted of an exchange, before what it is about."""
        said = self.glances.get(row) or ""
        noted = safe(note, 200)
        shown = fit(f"“{noted}” ", min(len(noted) + 3, cells))
        yield Segment(gap + shown, self.tone("mark"))
        yield Segment(fit(said, max(cells - len(shown), 0)), self.tone("text"))

    def _group_head(self, line: int, number: int, width: int) -> Iterable[Segment]:
        closed = line + 1 >= len(self._rows) or self._rows.entry(line + 1) < 0
        yield Segment(" ▸ " if closed else " ▾ ", self.tone("mark"))
        name = f"connection {number}"
        yield Segment(name, self.tone("name"))
        yield Segment("  ")
        room = max(width - len(name) - 5, 0)
        yield Segment(fit(self._facts.text(number), room), self.tone("dim"))

    def _cell(self, column: Column, cells: int, row: Row, line: int) -> tuple[str, Style]:
        tone = self.tone
        match column.name:
            case "number":
                return str(row.number), tone("dim")
            case "time":
                return self._time(row, line), tone("number")
            case "connection":
                return str(row.connection), tone("dim")
            case "state":
                return SIGNS[row.state], tone(columns.tone_of(row))
            case "operation":
                known = "name" if row.kind == "operation" else "dim"
                state = columns.tone_of(row)
                name = columns.fitted(row.name, cells)
                return name, tone(state if state in ("bad", "warn") else known)
            case "about":
                said = self.glances.get(row)
                return ("…", tone("dim")) if said is None else (said, tone("text"))
            case "took":
                slow = row.took is not None and row.took >= columns.SLOW
                now = self._now() if self.live else None
                return columns.took(row, now), tone("warn" if slow else "number")
            case "frames":
                return (str(row.frames) if row.frames else ""), tone("number")
        return size(row.up if column.name == "up" else row.down), tone("number")

    def _time(self, row: Row, line: int) -> str:
        if self.clock == "absolute":
            return columns.clock(row.started)
        if self.clock == "delta":
            before = self._rows.entry(line - 1) if line else -1
            started = self.session.row(before).started if before >= 0 else row.started
            sign = "+" if row.started >= started else ""
            return sign + columns.seconds(row.started - started)
        marked = self._marks.last
        if self.clock == "marked" and marked is not None and marked < len(self.session):
            return columns.seconds(row.started - self.session.row(marked).started)
        return columns.seconds(row.started - self.session.started)

    # The waterfall ----------------------------------------------------------------------

    def measure(self, sight: range) -> None:
        """Have the waterfall, if there is one, show the stretch of time of these lines."""
        first = self._rows.entry(sight[0]) if sight else None
        moving = self.session.last if self._lane_moves else 0
        at = (self._rows.arrangement, sight, first, len(self._rows), moving)
        if self._has_lane and at != self._lane_at:
            rows = self.rows(sight)
            self._lane_at = at
            self._lane_moves = any(row.took is None for row in rows)
            self._lane = columns.lane_of(rows, self.session.last)

    def _bar(self, row: Row, cells: int) -> Iterable[Segment]:
        idle = self._idle_since(row)
        for tone, text in self._lane.bar(row, idle, self.session.last, cells):
            yield Segment(text, self.tone(tone))

    def _idle_since(self, row: Row) -> int | None:
        """Return when the connection's exchange before this one ended."""
        i = row.number - 1
        for before in range(i - 1, max(i - LOOK_BACK, -1), -1):
            other = self.session.row(before)
            if other.connection == row.connection:
                return None if other.took is None else other.started + other.took
        return None
