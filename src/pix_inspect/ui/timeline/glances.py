"""What exchanges are about, found without ever making the screen wait.

A glance decodes an exchange's request. That is quick, unless its bytes are many or far
apart; such exchanges are read by a thread, and so is what would take more than its share of
a frame. Until then the answer is None.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from contextlib import suppress

from textual.widget import Widget

from pix_inspect.describe.about import about
from pix_inspect.findings.lookup import detector
from pix_inspect.session.session import Row, Session
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.text import safe

SHARE = 0.02
FRAME = 0.05
"""Seconds that may be spent on glances in each stretch of seconds."""

SMALL_RECORDING = 4 << 20
LONG = 200_000_000
LARGE = 1 << 20
MOST_KEPT = 8192
FLAG = "⚑"
"""Stands before what is irregular: a finding that is more than a note."""


def heavy(session: Session, row: Row) -> bool:
    """Return whether reading an exchange again may take long: it is large, long or going on."""
    if session.consumed < SMALL_RECORDING:
        return False
    return row.took is None or row.took > LONG or row.bytes > LARGE


class Glances:
    """What each exchange is about, as safe text, remembered for those last asked for.

    `pane` has the threads that find out what takes longer, and is drawn again when it is known.
    """

    def __init__(self, session: Session, pane: Widget) -> None:
        self._session = session
        self._pane = pane
        self._known: OrderedDict[Hashable, str] = OrderedDict()
        self._wanted: deque[tuple[Hashable, int]] = deque(maxlen=200)
        self._looking = False
        self._frame = 0.0
        self._spent = 0.0

    def get(self, row: Row) -> str | None:
        """Return what an exchange is about; None when that is being found out."""
        key = (row.number, row.up if row.took is None else -1)
        known = self._known.get(key)
        if known is not None:
            return known
        now = time.perf_counter()
        if now - self._frame > FRAME:
            self._frame, self._spent = now, 0.0
        if heavy(self._session, row) or self._spent > SHARE:
            if (key, row.number - 1) not in self._wanted:
                self._wanted.append((key, row.number - 1))
                self._look_for_last()
            return None
        said = self._look(row.number - 1)
        self._spent += time.perf_counter() - now
        self._keep(key, said)
        return said

    @property
    def settled(self) -> bool:
        """Whether everything asked for is known."""
        return not self._wanted

    def _look(self, index: int) -> str:
        view = self._session.exchange(index)
        said = safe(about(view))
        if view.row.took is None:
            return said
        found = detector(self._session).of_view(view)
        return f"{FLAG} {said}" if any(each.grade != "note" for each in found) else said

    def _keep(self, key: Hashable, said: str) -> None:
        self._known[key] = said
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)

    def _look_for_last(self) -> None:
        if self._looking or not self._wanted:
            return
        self._looking = True
        wanted = self._wanted[-1]  # what was asked for last is what is on the screen

        def found(said: str) -> None:
            self._looking = False
            self._keep(wanted[0], said)
            with suppress(ValueError):
                self._wanted.remove(wanted)
            self._pane.refresh()
            self._look_for_last()

        look, what = (lambda: self._look(wanted[1])), "cannot be read"
        in_background(self._pane, look, found, what=what, failed=found, group="glances")
