"""The timeline's columns: what each shows of a row, how wide it is, and which give way first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pix.dataclass import dataclass
from pix_inspect.base.units import duration
from pix_inspect.session.row import COLUMNS as OF_ROWS
from pix_inspect.session.row import Row

SLOW = 100_000_000
VERY_SLOW = 1_000_000_000
"""Nanoseconds from which a duration gets a sign of its own."""

MINUTE = 60_000_000_000

LEAST_ABOUT = 14
"""Cells of the flexible column for which others give way."""
ENOUGH_ABOUT = 24
"""Cells of it beyond which others get more: names of operations, that they stand there whole."""
LONGEST_NAME = 27

CLOCKS = ("relative", "delta", "absolute", "marked")
"""What the time column can show: since the start, since the row before, the time of day,
and since the exchange that was marked last."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, cells, whether flush right, and its rank (the highest gives way first).

    `width` 0 stands for all that is left.
    """

    name: str
    head: str
    width: int
    right: bool
    rank: int


NUMBER = Column("number", "#", 5, True, 0)
TIME = Column("time", "time", 8, True, 3)
CONNECTION = Column("connection", "con", 3, True, 5)
STATE = Column("state", "", 1, False, 0)
OPERATION = Column("operation", "operation", 18, False, 0)
ABOUT = Column("about", "about", 0, False, 0)
TOOK = Column("took", "took", 8, True, 2)
UP = Column("up", "up ↑", 8, True, 7)
DOWN = Column("down", "down ↓", 8, True, 6)
FRAMES = Column("frames", "log", 5, True, 8)
LANE = Column("lane", "waterfall", 16, False, 9)
COLUMNS = (NUMBER, TIME, CONNECTION, STATE, OPERATION, ABOUT, TOOK, UP, DOWN, FRAMES, LANE)

USUALLY_HIDDEN = frozenset(["frames"])

SORTABLE = {
    name: column.most_first for name, column in OF_ROWS.items() if column.most_first is not None
}
"""Columns to sort by, beside the order of start; True: with the most first."""


def layout(
    width: int, rows: int, times: int = 0, hidden: frozenset[str] = USUALLY_HIDDEN
) -> list[tuple[Column, int]]:
    """Return the columns that fit into `width` cells and how many each gets.

    `rows` is the largest number to show, `times` the cells of the longest time; `hidden`
    columns are left out in any case.
    """
    number = max(3, len(str(rows)))
    widths = {column: column.width for column in COLUMNS if column.name not in hidden}
    widths[NUMBER] = number
    if TIME in widths:
        widths[TIME] = max(TIME.width, times)
    gaps = len(widths) - 1
    for column in sorted(widths, key=lambda column: -column.rank):
        left = width - sum(widths.values()) - gaps
        least = LEAST_ABOUT + (6 if column is LANE else 0)
        if left >= least or not column.rank:
            break
        del widths[column]
        gaps -= 1
    left = max(width - sum(widths.values()) - gaps, 0)
    if OPERATION in widths:
        more = max(0, min(left - ENOUGH_ABOUT, LONGEST_NAME - widths[OPERATION]))
        widths[OPERATION] += more
        left -= more
    if LANE in widths:
        more = max(0, (left - ENOUGH_ABOUT) // 2)
        widths[LANE] += more
        left -= more
    widths[ABOUT] = left
    return [(column, widths[column]) for column in COLUMNS if column in widths]


def took(row: Row, now: int | None = None) -> str:
    """Return a duration, slow ones with a sign; `now` is up to when it goes on, if it does."""
    lasted = row.took
    if lasted is None:
        if now is None or now < row.started:
            return "…"
        lasted = now - row.started
    sign = "▲" if lasted >= VERY_SLOW else "△" if lasted >= SLOW else ""
    text = duration(lasted) + ("…" if row.took is None else "")
    if lasted >= MINUTE:  # two numbers: 2m05s, 1h02m
        text = text.replace(" min", "m").replace(" h ", "h").replace(" s", "s").replace(" ", "")
    return sign + text


def fitted(name: str, width: int) -> str:
    """Return an operation's name; before it is cut, what tells the protocol gives way."""
    short = name.removeprefix("serve.")
    return name if len(name) <= width or short == name else f"…{short}"


def seconds(ns: int) -> str:
    """Return nanoseconds as seconds to the microsecond."""
    sign = "-" if ns < 0 else ""
    whole, rest = divmod(abs(ns) // 1000, 1_000_000)
    return f"{sign}{whole}.{rest:06}"


def clock(ns: int) -> str:
    """Return the local time of day of a time since 1970, to the millisecond."""
    return time.strftime("%H:%M:%S", time.localtime(ns // 1_000_000_000)) + (
        f".{ns // 1_000_000 % 1000:03}"
    )


def tone_of(row: Row) -> str:
    """Return how an exchange's state looks."""
    return {"ok": "good", "error": "bad", "open": "accent"}.get(row.state, "warn")


@dataclass(frozen=True, slots=True)
class Lane:
    """The stretch of time that a waterfall shows, in nanoseconds since 1970."""

    start: int
    end: int

    def bar(self, row: Row, waited_from: int | None, now: int, width: int) -> list[tuple[str, str]]:
        """Return an exchange's bar as runs of tone and text, `width` cells in all.

        `waited_from`: since when the connection had been idle, if it was; `now` ends what
        is still going on.
        """
        span = max(self.end - self.start, 1)

        def cell(at: int) -> int:
            return max(0, min(width, (at - self.start) * width // span))

        first = min(cell(row.started), width - 1)
        end = row.started + row.took if row.took is not None else now
        last = max(cell(end), first + 1)
        idle = first if waited_from is None else min(cell(waited_from), first)
        runs = [("dim", " " * idle), ("dim", "┄" * (first - idle))]
        if (end - row.started) * width < span:
            runs.append((tone_of(row), "▏" if row.state != "error" else "✗"))
        else:
            runs.append((tone_of(row), ("▓" if row.took is None else "█") * (last - first)))
        used = sum(len(text) for _, text in runs)
        return [*(run for run in runs if run[1]), ("dim", " " * (width - used))]


def lane_of(rows: Sequence[Row], now: int) -> Lane:
    """Return the stretch of time that these rows cover."""
    if not rows:
        return Lane(0, 1)
    ends = [row.started + row.took if row.took is not None else now for row in rows]
    return Lane(min(row.started for row in rows), max(ends))
