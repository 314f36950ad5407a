"""Delivery to a collector that may be away: what it does not take yet waits, up to a bound.

A thread of its own delivers, so that who makes spans never waits for the collector. What does not
fit any more is dropped and counted; that is said when it begins, and how much it was at the end.
"""

from __future__ import annotations

import threading
import time as clock
from collections import deque
from collections.abc import Callable

from pix.problem import Problem
from pix_inspect.base.units import count
from pix_inspect.export.collector import Collector, Unavailable, pause_before

BACKLOG = 32 << 20
"""Bytes of requests that wait."""
LAST_PAUSE = 0.5
"""Seconds between two tries when no more is to come."""


class Delivery:
    """Requests on their way to `collector`, in order. `say` is told what is lost, once a reason."""

    def __init__(
        self, collector: Collector, say: Callable[[str], object], backlog: int = BACKLOG
    ) -> None:
        self._collector = collector
        self._say = say
        self._backlog = backlog
        self._waiting: deque[tuple[str, int, bytes]] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._told_refusal = False
        self._why = "it has not answered yet"
        self._thread = threading.Thread(target=self._deliver, name="delivery", daemon=True)
        self.sent = self.dropped = self.refused = 0
        """Spans that were taken, that found no room, and that the collector refused for good."""
        self._thread.start()

    def put(self, signal: str, spans: int, body: bytes) -> None:
        """Have a request delivered that has so many spans. Never waits."""
        with self._changed:
            fits = self._size + len(body) <= self._backlog or not self._waiting
            if fits:
                self._waiting.append((signal, spans, body))
                self._size += len(body)
                self._changed.notify()
        if not fits:
            if not self.dropped:
                self._say(f"spans are dropped until the collector takes more: {self._why}")
            self.dropped += spans

    def end(self, seconds: float) -> int:
        """Let what waits be delivered for so long, and return how many spans were not."""
        with self._changed:
            self._ending.set()
            self._changed.notify()
        self._thread.join(seconds)
        with self._changed:
            return sum(spans for _, spans, _ in self._waiting)

    def summary(self, left: int) -> str:
        """Return what became of the spans, `left` of which still wait."""
        losses = {
            "found no room while it was away": self.dropped,
            "were refused": self.refused,
            "were rejected": self._collector.rejected,
            "were not taken in time": left,
        }
        said = [f"{count(self.sent, 'span')} sent to {self._collector.url}"]
        return ", ".join(said + [f"{n:,} {what}" for what, n in losses.items() if n])

    def _deliver(self) -> None:
        tried = 0
        while True:
            with self._changed:
                while not self._waiting:
                    if self._ending.is_set():
                        return
                    self._changed.wait()
                signal, spans, body = self._waiting[0]
            try:
                self._collector.offer(signal, body)
                self.sent += spans
            except Unavailable as unavailable:
                self._why = str(unavailable)
                self._pause(pause_before(tried, unavailable.after))
                tried += 1
                continue
            except Problem as problem:
                if not self._told_refusal:
                    self._say(str(problem))
                self._told_refusal = True
                self.refused += spans
            tried = 0
            with self._changed:
                self._waiting.popleft()
                self._size -= len(body)

    def _pause(self, seconds: float) -> None:
        if not self._ending.wait(seconds):
            return
        clock.sleep(min(seconds, LAST_PAUSE))
