"""The screen of waits: what each open connection owes, since when, and what is in the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from pix_inspect.base.units import count, duration
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.text import fit, safe
from pix_inspect.waits.live import LiveWaits, relay_of
from pix_inspect.waits.waits import Wait, waits

AGAIN = 1.0
"""Seconds between two looks."""
HASH = re.compile(r"/[^\s,;]*/[0-9a-z]{32}-")
"""What a list leaves out of a store path."""


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

    def __init__(self, session: Session, now: Callable[[], int], *, live: bool) -> None:
        super().__init__(session.path.name)
        self.session = session
        self.now = now
        self.live = live
        self.told_at = -1
        """When the waits were that are shown, nanoseconds since 1970; -1 before the first."""
        self._looking = False
        relay = relay_of(session.path) if live else None
        self._here = LiveWaits(session, relay) if relay is not None else None

    def on_mount(self) -> None:
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
        self.list.entitle(line)

    def _say(self, found: Sequence[Wait]) -> None:
        self._looking = False
        self.told_at = self.now() if self.live else self.session.last
        self.list.say(found, "No connection is open: nobody waits for anything.")
        busy = sum(not wait.idle for wait in found)
        self.list.entitle(f"{count(len(found), 'open connection')}, {busy} not idle")
        self.explain()

    def key(self, row: Wait) -> int:
        return row.connection

    def cells(self, row: Wait, width: int) -> Iterable[Paragraph]:
        tone = "dim" if row.idle else "warn" if row.debtor == "daemon" else "text"
        yield "number", fit(f"{row.connection}", 5)
        yield tone, fit(duration(self.told_at - row.since), 10)
        yield tone, fit("idle" if row.idle else row.debtor, 8)
        owes = "" if row.idle else row.owes if row.stall is None else f"does not read {row.owes}"
        yield "name", f"{safe(owes, 200)}  "
        cause = HASH.sub("…", row.cause)
        yield "text", f"{row.work}  " if row.work else ""
        yield "warn", f"{cause}  " if cause else ""
        yield "dim", safe(row.command, 200)

    def paragraphs(self, row: Wait) -> list[Paragraph]:
        who = f"pid {row.pid}  " if row.pid is not None else ""
        said: list[Paragraph] = [
            ("name", row.sentence(self.told_at)),
            ("dim", f"Client: {who}{safe(row.command, 500)}"),
        ]
        if row.word:
            said.append(("text", f"The daemon's last word: {safe(row.word, 1000)}"))
        return said

    def go_to(self, row: Wait) -> None:
        if row.exchange is not None:
            self.dismiss(GoTo(exchange=row.exchange - 1))
        else:
            self.app.notify("this connection has made no exchange yet", markup=False)
