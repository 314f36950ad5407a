"""Troubles that come again and again, said so that a person can read it.

Each is said when it begins, and again when it comes back after things went well or when it
has lasted a while, with how often it happened in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pix.dataclass import dataclass

SOON = 5.0
"""Seconds within which a trouble that comes back is not news."""

LONG = 60.0
"""Seconds after which a trouble that lasts is worth another line."""

MOST = 32


@dataclass(slots=True)
class _Trouble:
    said: float
    """When, in seconds of the monotonic clock."""
    unsaid: int = 0
    over: bool = False


class Troubles:
    """Passes troubles on to `say`; any thread may report."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._known: dict[str, _Trouble] = {}
        self._lock = threading.Lock()

    def report(self, what: str) -> None:
        """Say what is wrong, or count it if it was said."""
        now = self._clock()
        with self._lock:
            known = self._known.get(what)
            if known is None:
                if len(self._known) >= MOST:
                    del self._known[next(iter(self._known))]
                self._known[what] = _Trouble(now)
                line = what
            elif now - known.said < (SOON if known.over else LONG):
                known.unsaid += 1
                return
            else:
                line = f"{what} ({known.unsaid + 1} times since)" if known.unsaid else what
                self._known[what] = _Trouble(now)
        self._say(line)

    def over(self) -> None:
        """Take note that things go well: what is reported from now on is a new trouble."""
        if self._known:
            with self._lock:
                for trouble in self._known.values():
                    trouble.over = True
