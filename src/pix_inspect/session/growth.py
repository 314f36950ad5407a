"""A recording gone through as it is read or grows: each exchange once, when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from pix_inspect.session.session import Session

PAUSE = 0.05
"""Seconds of reading at a time, and between two looks at a recording that grows."""


def in_order(session: Session, more_read: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Yield the exchanges (from 0) in order of start; at the end what is not over, too.

    Reads no further than it is asked; `more_read` is called whenever it has read more.
    """
    i, more = 0, True
    while more:
        more = session.poll(PAUSE)
        more_read()
        while i < len(session) and not (more and session.going_on(i)):
            yield i
            i += 1


def as_they_end(session: Session, told: threading.Event | None = None) -> Iterator[int | None]:
    """Yield exchanges (from 0) as they end, None whenever there are none for now.

    For ever, or until told to end: then what was not over, too.
    """
    told = told or threading.Event()
    seen = 0
    going_on: list[int] = []
    while True:
        ending = told.is_set()
        more = session.poll(PAUSE)
        ending = ending and not more
        looked_at = [*going_on, *range(seen, len(session))]
        seen = len(session)
        going_on = [] if ending else [i for i in looked_at if session.going_on(i)]
        still = set(going_on)
        yield from (i for i in looked_at if i not in still)
        if ending:
            return
        if not more:
            yield None
            told.wait(PAUSE)
