"""How exchanges look as lines: cells in columns, a waterfall, the heads of connections."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from pix_inspect.session.session import Row, Session
from pix_inspect.ui.timeline import columns
from pix_inspect.ui.timeline.arrangement import Arrangement, AsTheyCame, Everything
from pix_inspect.ui.timeline.columns import CLOCKS, Column, Lane
from pix_inspect.ui.timeline.connection_facts import ConnectionFacts
from pix_inspect.ui.timeline.glances import Glances
from pix_inspect.ui.widgets.lines import Lines, Toned
from pix_inspect.ui.widgets.text import fit, fit_right, safe

LOOK_BACK = 200
"""Rows in which the exchange before on the same connection is looked for."""


class ExchangeLines(Lines):
    """Exchanges as lines, in the order of an arrangement."""

    def __init__(self, session: Session, now: Callable[[], int], id: str | None = None) -> None:
        super().__init__(id=id)
        self.session = session
        self.arrangement: Arrangement = AsTheyCame(Everything(session))
        self.glances = Glances(session)
        self.facts = ConnectionFacts(session)
        self.live = False
        self.now = now
        self.marks: dict[int, str] = {}
        """The marked exchanges with what was noted of each, by index from 0."""
        self.clock = CLOCKS[0]
        self.hidden = columns.USUALLY_HIDDEN
        self.waiting: list[str] = []
        """What to say while there is nothing."""
        self.last_mark: int | None = None
        """The exchange that was marked last, of those that are marked."""
        self._columns: list[tuple[Column, int]] = []
        self._columns_for: Hashable = None
        self._has_lane = False
        self._lane = Lane(0, 1)
        self._lane_at: Hashable = None
        self._lane_moves = False

    @property
    def count(self) -> int:
        """The lines of the arrangement."""
        return len(self.arrangement)

    def entry(self, line: int) -> int:
        """Return what stands on a line: an exchange from 0, or a connection, negative."""
        return self.arrangement.at(line)

    def on_unmount(self) -> None:
        self.glances.close()

    def in_sight(self) -> range:
        """The lines that are visible."""
        top = round(self.scroll_y)
        return range(top, min(top + self.inner.height, self.count))

    def rows_in_sight(self) -> list[Row]:
        """The exchanges that are visible."""
        entries = map(self.entry, self.in_sight())
        return [self.session.row(entry) for entry in entries if entry >= 0]

    # Columns ----------------------------------------------------------------------------

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
            rows = len(self.session)
            self._columns = columns.layout(width, rows, self._longest_time, self.hidden)
            self._columns_for = wanted
            self._has_lane = any(column is columns.LANE for column, _ in self._columns)
            self._strips.clear()
            self.refresh_head()
            self.call_later(self.refresh)
        return self._columns

    def _layout_for(self, width: int) -> Hashable:
        return (width, len(str(len(self.session))), self._longest_time, self.hidden)

    @property
    def _longest_time(self) -> int:
        if self.clock == "absolute":
            return 12
        signs = 0 if self.clock == "relative" else 1
        return len(columns.seconds(self.session.last - self.session.started)) + signs

    def refresh_head(self) -> None:
        """Draw the heads of the columns again."""
        for head in self.screen.query(TimelineHead):
            head.refresh()

    # Lines ------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return visible lines, all in the same columns: these are settled before any is drawn."""
        self._fitted_columns(self.inner.width - 1)
        return super().render_lines(crop)

    def key(self, line: int) -> Hashable:
        """Strips of exchanges that are over are kept."""
        entry = self.entry(line)
        if entry < 0:
            return None
        row = self.session.row(entry)
        if row.took is None:
            return None
        lane = None
        if self._has_lane:
            self._measure_lane()
            lane = (self._lane.start, self._lane.end)
        return (entry, self.glances.get(row), self.marks.get(entry), lane)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of an exchange's line, or the head of a connection."""
        entry = self.entry(line)
        if entry < 0:
            yield from self._group_head(line, -entry, width)
            return
        row = self.session.row(entry)
        mark = "◆" if entry in self.marks else "▸" if line == self.cursor else " "
        yield Segment(mark, self.tone("mark"))
        gap = ""
        for column, cells in self._fitted_columns(width - 1):
            if column is columns.LANE:
                yield Segment(gap)
                yield from self._bar(row, cells)
            elif column is columns.ABOUT and self.marks.get(entry):
                yield from self._noted(row, self.marks[entry], gap, cells)
            else:
                text, style = self._cell(column, row, line)
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
        closed = line + 1 >= self.count or self.entry(line + 1) < 0
        yield Segment(" ▸ " if closed else " ▾ ", self.tone("mark"))
        name = f"connection {number}"
        yield Segment(name, self.tone("name"))
        yield Segment("  ")
        room = max(width - len(name) - 5, 0)
        yield Segment(fit(self.facts.text(number), room), self.tone("dim"))

    def _cell(self, column: Column, row: Row, line: int) -> tuple[str, Style]:
        tone = self.tone
        match column.name:
            case "number":
                return str(row.number), tone("dim")
            case "time":
                return self._time(row, line), tone("number")
            case "connection":
                return str(row.connection), tone("dim")
            case "state":
                return columns.sign(row), tone(columns.tone_of(row))
            case "operation":
                known = "name" if row.kind == "operation" else "dim"
                state = columns.tone_of(row)
                return row.name, tone(state if state in ("bad", "warn") else known)
            case "about":
                said = self.glances.get(row)
                return ("…", tone("dim")) if said is None else (said, tone("text"))
            case "took":
                slow = row.took is not None and row.took >= columns.SLOW
                now = self.now() if self.live else None
                return columns.took(row, now), tone("warn" if slow else "number")
            case "frames":
                return (str(row.frames) if row.frames else ""), tone("number")
        up, down = columns.sizes(row)
        return (up if column.name == "up" else down), tone("number")

    def _time(self, row: Row, line: int) -> str:
        if self.clock == "absolute":
            return columns.clock(row.started)
        if self.clock == "delta":
            before = self.entry(line - 1) if line else -1
            started = self.session.row(before).started if before >= 0 else row.started
            sign = "+" if row.started >= started else ""
            return sign + columns.seconds(row.started - started)
        if self.clock == "marked" and self.last_mark is not None:
            return columns.seconds(row.started - self.session.row(self.last_mark).started)
        return columns.seconds(row.started - self.session.started)

    # The waterfall ----------------------------------------------------------------------

    def _measure_lane(self) -> None:
        sight = self.in_sight()
        first = self.entry(sight[0]) if sight else None
        moving = self.session.last if self._lane_moves else 0
        at = (sight, first, self.count, moving)
        if at != self._lane_at:
            rows = self.rows_in_sight()
            self._lane_at = at
            self._lane_moves = any(row.took is None for row in rows)
            self._lane = columns.lane_of(rows, self.session.last)

    def _bar(self, row: Row, cells: int) -> Iterable[Segment]:
        self._measure_lane()
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


class TimelineHead(Toned):
    """The heads of the timeline's columns."""

    class Chosen(Message):
        """A column's head was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, timeline: ExchangeLines) -> None:
        super().__init__()
        self.timeline = timeline
        self.sorted_by = ""
        self.descending = False

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        timeline = self.timeline
        words = [" "]
        for i, (column, cells) in enumerate(timeline.columns):
            head = column.head
            if column is columns.TIME and timeline.clock != "relative":
                head = {"delta": "delta", "absolute": "clock", "marked": "since ◆"}[timeline.clock]
            if column.name == self.sorted_by:
                head = f"{head.removesuffix(' ↑').removesuffix(' ↓')} {'▼▲'[not self.descending]}"
            words.append((" " if i else "") + (fit_right if column.right else fit)(head, cells))
        text = safe("".join(words))
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(
            self.size.width, self.rich_style
        )

    def on_click(self, event: events.Click) -> None:
        """Have the timeline sorted by the column that was clicked."""
        column = self.column_at(event.x)
        if column is not None:
            self.post_message(self.Chosen(column.name))

    def column_at(self, x: int) -> Column | None:
        """Return the column whose head stands at a cell."""
        left = 1
        for column, cells in self.timeline.columns:
            if left <= x < left + cells:
                return column
            left += cells + 1
        return None
