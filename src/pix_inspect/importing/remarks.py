"""What is to be said of a capture that was imported: what it lacks, what could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from pix_inspect.base.units import count as counted
from pix_inspect.base.units import duration

SET_BACK = 10**9
"""Nanoseconds back from which on it is the clock, and not two processors."""


class Remarks:
    """What a capture lacks, and what in it could not be taken for what it is."""

    def __init__(self) -> None:
        self.joined = 0
        """Connections that were under way when strace came."""
        self.cut = 0
        """Bytes that strace left out of strings."""
        self.silent: set[int] = set()
        """Connections of which one direction is not there."""
        self.odd = 0
        """Lines that are not strace's, or broken; the `first` of them."""
        self.first = 0
        self.back = 0
        """The largest step back of the clock, in ns."""

    def clock(self, before: int, now: int) -> None:
        """Take note of two times, in ns, as they follow each other in the capture."""
        if before - now >= SET_BACK:
            self.back = max(self.back, before - now)

    def lines(self, name: str) -> Iterator[str]:
        """Yield them in words."""
        if self.joined:
            yield (
                f"{name}: {counted(self.joined, 'connection')} had begun before strace came: what"
                " passed before is not there, and the version has to be guessed"
            )
        if self.cut:
            yield f"{name}: strace cut off {counted(self.cut, 'byte')}: -s 1000000 keeps them"
        if self.silent:
            which = ", ".join(map(str, sorted(self.silent)[:10]))
            yield (
                f"{name}: of connection {which} one direction only is in the log: the other may be"
                " on a descriptor that was not traced, or not known to belong to it"
            )
        if self.odd:
            what = counted(self.odd, "line")
            yield f"{name}: {what} not understood, the first is line {self.first}"
        if self.back:
            yield (
                f"{name}: the clock was set back by up to {duration(self.back)}: times stand still"
                " until it has caught up"
            )
