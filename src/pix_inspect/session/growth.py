"""A recording gone through while it grows: each exchange once, when it is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pix_inspect.session.session import Session

PAUSE = 0.05
"""Seconds of reading at a time, and between two looks at a recording that grows."""


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
