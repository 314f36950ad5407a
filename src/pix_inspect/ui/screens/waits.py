"""The screen of waits: what each open connection owes, since when, and what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.strip import Strip
from textual.timer import Timer

from pix_inspect.base.units import count, duration
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.keys_footer import KeysFooter
from pix_inspect.ui.widgets.lines import Toned
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.row_list import RowList
from pix_inspect.ui.widgets.text import fit, safe
from pix_inspect.waits.causes import process_lines, short_command
from pix_inspect.waits.live import LiveWaits, relay_of
from pix_inspect.waits.waits import ENDED, Wait, waits

AGAIN = 1.0
"""Seconds between two looks."""
COLUMNS = {"CONN": 6, "FOR": 12, "OWES": 8, "OPERATION": 19}
"""The heads of columns and their widths, each with a space at its end; the cause has the rest."""
NARROW = {"CONN": 5, "FOR": 11, "OWES": 7, "OPERATION": 13}
WIDE_FROM = 100
MOST_ROWS = 6
"""Connections that are seen at once, as long as there is much to tell of one."""


def columns(width: int) -> dict[str, int]:
    """Return the columns of a list of that width."""
    return COLUMNS if width >= WIDE_FROM else NARROW


def cell(text: str, width: int) -> str:
    """Return safe text as the cell of a column, a space behind it."""
    return f"{fit(text, width - 1)} "


class Heads(Toned):
    """What stands in the columns of the list."""

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        heads = "".join(cell(*column) for column in columns(self.size.width - 1).items())
        text = fit(f" {heads}WHAT IS IN THE WAY", self.size.width)
        return Strip([Segment(text, self.tone("label"))]).apply_style(self.rich_style)


class WaitList(RowList[Wait]):
    """The open connections, under the heads of their columns."""

    BOXED = True


class WaitingScreen(DetailScreen[Wait, "GoTo | None"]):
    """Who waits for whom; returns the exchange to go to, or None."""

    TITLE = "Who waits for whom"
    DETAIL = "What is in the way"
    HINT = "A connection stands here while it is open."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Go to the exchange", id="waits.enter"),
        Binding("H", "back", "Back", show=False, id="waits.back"),
        *KEYS,
    ]

    def __init__(
        self, session: Session, now: Callable[[], int], is_live: Callable[[], bool]
    ) -> None:
        super().__init__(session.path.name)
        self.list = WaitList("", self.cells, self.key)
        self.session = session
        self.now = now
        self.live = is_live()
        self._is_live = is_live
        self._clock: Timer | None = None
        self.told_at = -1
        """When the waits were that are shown, nanoseconds since 1970; -1 before the first."""
        self._looking = False
        self._told: int | None = None
        """The connection that is told in full."""
        relay = relay_of(session.path) if self.live else None
        self._here = LiveWaits(session, relay) if relay is not None else None

    def compose(self) -> ComposeResult:
        yield from self.head
        yield Vertical(Heads(), self.list, id="waits-frame")
        yield self.detail
        yield KeysFooter()

    def on_mount(self) -> None:
        self._look()
        if self.live:
            self._clock = self.set_interval(AGAIN, self._look)

    def _look(self) -> None:
        """Look in a thread: an exchange with a long log takes its time."""
        self.live = self.live and self._is_live()
        if not self.live and self._clock is not None:
            self._clock.stop()
        if not self._looking:
            self._looking = True
            in_background(
                self, self._find, self._say, what="waits cannot be told", failed=self._failed
            )

    def _find(self) -> Sequence[Wait]:
        return waits(self.session) if self._here is None else self._here.look()

    def _failed(self, line: str) -> None:
        """Say so where it stays: the next look may fail alike."""
        self._looking = False
        self.list.entitle(line)

    def _say(self, found: Sequence[Wait]) -> None:
        self._looking = False
        self.told_at = self.now() if self.live else self.session.last
        self.query_one("#waits-frame").styles.height = min(max(len(found), 2), MOST_ROWS) + 2
        self.list.say(found, "No connection is open: nobody waits for anything.")
        busy = sum(not wait.idle for wait in found)
        when = ENDED if found and not self.live else ""
        self.list.entitle(f"{count(len(found), 'open connection')}, {busy} not idle{when}")
        self.explain()

    def on_resize(self) -> None:
        """Draw the table of processes for the new width."""
        if self.list.rows:
            self.explain()

    def explain(self) -> None:
        """Tell the chosen row in full; of the same connection from where the user reads."""
        row = self.list.chosen
        again = row is not None and row.connection == self._told
        self._told = row.connection if row is not None else None
        self.detail.say([("dim", self.HINT)] if row is None else self.paragraphs(row), again=again)

    def key(self, row: Wait) -> int:
        return row.connection

    def cells(self, row: Wait, width: int) -> Iterable[Paragraph]:
        why = row.why
        tone = "dim" if row.idle else "text"
        if why is not None and not why.at_work:
            tone = "warn"
        widths = columns(width)
        yield "number", cell(f"{row.connection}", widths["CONN"])
        yield tone, cell(duration(self.told_at - row.since), widths["FOR"])
        yield tone, cell("nobody" if row.idle else row.debtor, widths["OWES"])
        yield "name", cell(safe(row.operation or ""), widths["OPERATION"])
        said = why.what if why is not None else row.work or safe(short_command(row.command))
        yield tone, fit(safe(said), max(width - sum(widths.values()), 0))

    def paragraphs(self, row: Wait) -> list[Paragraph]:
        why = row.why
        said: list[Paragraph] = []
        if why is not None:
            said += [("good" if why.at_work else "bad", f"{why.what}."), ("text", "")]
        said += [("text", f"• {text}") for text in row.evidence(self.told_at)]
        if why is not None and why.to_do:
            said += [("text", ""), ("name", "What to do")]
            said += [("accent", f"→ {text}") for text in why.to_do]
        pid = f" (pid {row.pid})" if row.pid is not None else ""
        if row.command or pid:
            client = safe(short_command(row.command), 500) or "unknown"
            said += [("text", ""), ("dim", f"The client: {client}{pid}")]
        tree = row.here.tree if row.here is not None else None
        if tree is not None and tree.members:
            said += [("text", ""), ("name", "The daemon's processes")]
            width = self.detail.inner.width - 1
            said += [(tone, safe(line)) for tone, line in process_lines(tree, width)]
        return said

    def go_to(self, row: Wait) -> None:
        if row.exchange is not None:
            self.dismiss(GoTo(exchange=row.exchange - 1))
        else:
            self.app.notify("this connection has made no exchange yet", markup=False)
