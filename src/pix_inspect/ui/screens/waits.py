"""The screen of waits: what each open connection owes, since when, and what is in the way.

Looked at again every second. `enter` goes to the exchange that is not over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from pix_inspect.base.units import count, duration
from pix_inspect.session.session import Session
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.prose import Paragraph, Prose
from pix_inspect.ui.widgets.text import fit, safe
from pix_inspect.waits.live import LiveWaits, relay_of
from pix_inspect.waits.waits import Wait, waits

AGAIN = 1.0
"""Seconds between two looks."""
HASH = re.compile(r"/[^\s,;]*/[0-9a-z]{32}-")
"""What a list leaves out of a store path."""


class WaitsList(Lines):
    """One line for each open connection."""

    TITLE = "Who waits for whom"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", "Go to the exchange", id="waits.enter"),
        Binding("right,l", "enter", "Go to the exchange", show=False, id="waits.right"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Wait] = []
        self.now = -1

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Wait | None:
        """The wait under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def say(self, rows: Sequence[Wait], now: int) -> None:
        """Show what is so now; the cursor stays with its connection."""
        chosen = self.chosen
        self.rows, self.now = rows, now
        numbers = [wait.connection for wait in rows]
        if chosen is not None and chosen.connection in numbers:
            self.cursor = numbers.index(chosen.connection)
        self.cursor = min(self.cursor, max(len(rows) - 1, 0))
        self.resize_lines()
        self.redraw()

    def nothing(self) -> list[str]:
        """Say that nobody waits, or that this is being found out."""
        if self.now < 0:
            return ["", "  looking …"]
        return ["", "  No connection is open: nobody waits for anything."]

    def key(self, line: int) -> Hashable:
        """A wait grows with time."""
        return (self.now, line, line == self.cursor)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return the cells of a wait."""
        wait = self.rows[line]
        tone = "dim" if wait.idle else "warn" if wait.debtor == "daemon" else "text"
        yield Segment("▸" if line == self.cursor else " ", self.tone("mark"))
        yield Segment(fit(f"{wait.connection}", 5), self.tone("number"))
        yield Segment(fit(duration(self.now - wait.since), 10), self.tone(tone))
        yield Segment(fit("idle" if wait.idle else wait.debtor, 8), self.tone(tone))
        owes = (
            "" if wait.idle else wait.owes if wait.stall is None else f"does not read {wait.owes}"
        )
        yield Segment(f"{safe(owes, 200)}  ", self.tone("name"))
        cause = HASH.sub("…", wait.cause)
        yield Segment(f"{wait.work}  " if wait.work else "", self.tone("text"))
        yield Segment(f"{cause}  " if cause else "", self.tone("warn"))
        yield Segment(safe(wait.command, 200), self.tone("dim"))

    def action_enter(self) -> None:
        """Go to the exchange that is not over."""
        if self.chosen is not None and self.chosen.exchange is not None:
            self.post_message(self.Entered(self))


class Account(Prose):
    """One wait in full."""

    TITLE = "What is in the way"


class WaitingScreen(Screen["int | None"]):
    """Who waits for whom; returns the number of the exchange to go to, or None."""

    TITLE = "Who waits for whom"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next pane", show=False, id="waits.next"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False,
                id="waits.previous"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="waits.help"),
        Binding("escape,q,H", "back", "Back", key_display="esc", id="waits.back"),
    ]  # fmt: skip

    def __init__(self, session: Session, now: Callable[[], int], *, live: bool) -> None:
        super().__init__()
        self.session = session
        self.now = now
        self.live = live
        self._looking = False
        relay = relay_of(session.path) if live else None
        self._here = LiveWaits(session, relay) if relay is not None else None

    def compose(self) -> ComposeResult:
        yield WaitsList(id="waits")
        yield Account(id="account")
        yield Footer(show_command_palette=False)

    @property
    def list(self) -> WaitsList:
        return self.query_one(WaitsList)

    def on_mount(self) -> None:
        self.list.focus()
        self._look()
        if self.live:
            self.set_interval(AGAIN, self._look)

    def _look(self) -> None:
        """Look in a thread: an exchange with a long log takes its time."""
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
        if self.query(WaitsList):
            self.list.entitle(line)

    def _say(self, found: Sequence[Wait]) -> None:
        self._looking = False
        if not self.query(WaitsList):  # it was left meanwhile
            return
        self.list.say(found, self.now() if self.live else self.session.last)
        busy = sum(not wait.idle for wait in found)
        self.list.entitle(f"{count(len(found), 'open connection')}, {busy} not idle")
        self._tell()

    def _tell(self) -> None:
        wait = self.list.chosen
        account = self.query_one(Account)
        if wait is None:
            account.say([("dim", "A connection stands here while it is open.")])
            return
        said: list[Paragraph] = [("name", wait.sentence(self.list.now))]
        who = f"pid {wait.pid}  " if wait.pid is not None else ""
        said.append(("dim", f"Client: {who}{safe(wait.command, 500)}"))
        if wait.word:
            said.append(("text", f"The daemon's last word: {safe(wait.word, 1000)}"))
        account.say(said)

    def on_lines_moved(self, message: Lines.Moved) -> None:
        """Tell more of the chosen wait, or go to its exchange."""
        wait = self.list.chosen
        if message.pane is not self.list or wait is None:
            return
        if isinstance(message, Lines.Entered):
            self.dismiss(wait.exchange)
        else:
            self._tell()

    on_lines_entered = on_lines_moved

    def action_back(self) -> None:
        """Go back to the timeline as it was."""
        self.dismiss(None)
