"""What exchanges are about, found without ever making the screen wait.

A glance decodes an exchange's request. That is quick, unless its bytes are many or far
apart; such exchanges are read by a thread, and so is what would take more than its share of
a frame. Until then the answer is None.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable

from pix_inspect.describe.about import about
from pix_inspect.findings.lookup import detector
from pix_inspect.session.session import Row, Session
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
    """What each exchange is about, as safe text, remembered for those last asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: OrderedDict[Hashable, str] = OrderedDict()
        self._wanted: deque[tuple[Hashable, int]] = deque(maxlen=200)
        self._lock = threading.Lock()
        self._more = threading.Event()
        self._thread: threading.Thread | None = None
        self._frame = 0.0
        self._spent = 0.0
        self._fresh = False
        self._closed = False

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
            self._want(key, row.number - 1)
            return None
        said = self._look(row.number - 1)
        self._spent += time.perf_counter() - now
        self._keep(key, said)
        return said

    def take_fresh(self) -> bool:
        """Return whether answers have come since the last call."""
        fresh, self._fresh = self._fresh, False
        return fresh

    @property
    def settled(self) -> bool:
        """Whether everything asked for is known."""
        return not self._wanted and not self._more.is_set()

    def close(self) -> None:
        self._closed = True
        self._more.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self, index: int) -> str:
        view = self._session.exchange(index)
        said = safe(about(view))
        if view.row.took is None:
            return said
        found = detector(self._session).of(index)
        return f"{FLAG} {said}" if any(each.grade != "note" for each in found) else said

    def _keep(self, key: Hashable, said: str) -> None:
        with self._lock:
            self._known[key] = said
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)

    def _want(self, key: Hashable, index: int) -> None:
        if (key, index) not in self._wanted:
            self._wanted.append((key, index))
            self._more.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="glances", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while self._more.wait() and not self._closed:
            try:
                key, index = self._wanted[-1]  # what was asked for last is what is on the screen
            except IndexError:
                self._more.clear()
                if self._wanted:
                    self._more.set()
                continue
            try:
                said = self._look(index)
            except Exception as error:  # a glance at damaged bytes must not end the thread
                said = safe(f"cannot be read: {error}")
            self._keep(key, said)
            self._fresh = True
            try:
                self._wanted.remove((key, index))
            except ValueError:
                continue
