"""A side that does not read: what a relay remarks of it, and what that comes to, read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SIDES = ("client", "daemon")
STUCK, GOING_ON = "does not read", "reads again"
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


def stuck(side: int, held: int, since: int) -> dict[str, Any]:
    """Return the remark that a side takes nothing while bytes for it are held back."""
    return {STUCK: SIDES[side], "held": held, "since": since}


def going_on(side: int) -> dict[str, Any]:
    """Return the remark that a side takes bytes again."""
    return {GOING_ON: SIDES[side]}


def take(stalls: list[Stall], remark: object, time: int) -> bool:
    """Add what a remark says to a connection's stalls; return whether it was of this kind."""
    if not isinstance(remark, dict):
        return False
    if (side := _side(remark.get(STUCK))) is not None:
        held, since = remark.get("held"), remark.get("since")
        if len(stalls) < MOST:
            stalls.append(
                Stall(
                    side,
                    min(since, time) if type(since) is int and since >= 0 else time,
                    held if type(held) is int and held >= 0 else 0,
                )
            )
        return True
    if (side := _side(remark.get(GOING_ON))) is not None:
        for stall in reversed(stalls):
            if stall.side == side and stall.until is None:
                stall.until = time
                break
        return True
    return False


def _side(name: object) -> int | None:
    return SIDES.index(name) if isinstance(name, str) and name in SIDES else None
