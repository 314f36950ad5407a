"""The times in which a side did not read, from what a relay noted of it."""

from __future__ import annotations

from pix.dataclass import dataclass
from pix_inspect.recording.notes import Comment, Reading, Stuck

MOST = 1000
"""Stalls of a connection that are remembered."""


@dataclass(slots=True)
class Stall:
    """A time in which a side (0 the client, 1 the daemon) took nothing of what was for it.

    Times in nanoseconds since 1970, `until` None while it lasts; `held` are the bytes that the
    relay itself held back, beyond those that the kernel kept.
    """

    side: int
    since: int
    held: int
    until: int | None = None


def take(stalls: list[Stall], note: Comment | None, time: int) -> bool:
    """Add what a note says to a connection's stalls; return whether it was of this kind."""
    if isinstance(note, Stuck):
        if len(stalls) < MOST:
            since = time if note.since is None else min(note.since, time)
            stalls.append(Stall(note.side, since, note.held or 0))
    elif isinstance(note, Reading):
        for stall in reversed(stalls):
            if stall.side == note.side and stall.until is None:
                stall.until = time
                break
    else:
        return False
    return True
