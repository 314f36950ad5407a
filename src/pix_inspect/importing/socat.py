"""What `socat -x` writes of the bytes that it passes on, as the events of a recording.

    > 2026/12/01 05:09:27.000782446  length=16 from=0 to=15
     63 78 69 6e 00 00 00 00 26 01 00 00 00 00 00 00

`>` is what its first address says to the second; which of them is the client shows in the hellos.
The time is local, and its fraction microseconds, in however many digits. With -v the same stands
beside the bytes as text; -v alone has no bytes. A process of `fork` counts from 0 again, and
nothing says which one wrote what: of connections that go on at once nothing is taken. Nor is it
told when a connection was closed.
Source: socat 1.7.4, `xio-pipe.c` and `socat.c`: xiotransfer, xioprintblockheader.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.base.units import count
from pix_inspect.importing.hellos import CLIENT_HELLOS
from pix_inspect.importing.opened import opened
from pix_inspect.importing.raw_streams import LATEST, Passed
from pix_inspect.importing.remarks import Remarks

MARKS = b"><"
_HEAD = re.compile(
    rb"([<>]) (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\.(\d{1,9})  length=(\d{1,9}) from=(\d{1,19}) to=\d+"
)
_LONGEST = 1 << 24
"""Characters of a line that are read at once, three for a byte; a block is of 8 KiB without -b."""
_TOGETHER = 8
"""So many connections back, one is looked for that may have gone on."""


class _Block(NamedTuple):
    """What one address said: `data` is of another length where lines ran into each other."""

    mark: int
    """Its place in MARKS."""
    time: int
    """0 where there is none."""
    start: int
    length: int
    data: bytes

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.length

    @property
    def is_hello(self) -> bool:
        return self.start == 0 and self.data.startswith(CLIENT_HELLOS)


def is_socat(head: bytes) -> bool:
    """Whether a file that begins with these bytes looks like what socat -x or -v writes."""
    return any(map(_HEAD.match, head.splitlines()))


class Log:
    """A log of socat: `passed` yields its events, `remarks` says afterwards what it lacks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mingled: set[int] = set()
        self._strangers = 0
        self._torn = 0
        self._told = Remarks()

    def passed(self) -> Iterator[Passed]:
        """Yield what happened. Raises Problem where no client says hello, or -x was left out."""
        client = self._client()
        self._mingled = self._find_mingled(client)
        number = before = 0
        for block in _blocks(self.path):
            time = block.time or before
            self._told.clock(before, time)
            before = max(before, time)
            is_new = block.mark == client and block.is_hello
            number += is_new
            if not number or number in self._mingled:
                self._strangers += not number
                continue
            if is_new:
                yield Passed(number, before, "open")
            side = CLIENT if block.mark == client else DAEMON
            data = block.data if block.is_whole else b""
            self._torn += not block.is_whole
            yield Passed(number, before, "data", side, data, block.length - len(data))

    def remarks(self) -> Iterator[str]:
        """Yield in words what was left out."""
        if self._strangers:
            yield (
                f"{self.path}: {count(self._strangers, 'block')} left out: of connections that had"
                " begun before socat wrote, or of others"
            )
        if self._mingled:
            which = ", ".join(map(str, sorted(self._mingled)[:10]))
            yield (
                f"{self.path}: connection {which} went on at once with another, which socat does"
                " not tell apart: what they said is left out; without `fork` there is one"
            )
        if self._torn:
            yield (
                f"{self.path}: {count(self._torn, 'block')} cut off, or run into another line:"
                " these bytes are not there"
            )
        yield from self._told.lines(str(self.path))

    def _client(self) -> int:
        """Return which mark is the client's. Raises Problem."""
        has_bytes = False
        for block in _blocks(self.path):
            if block.is_hello:
                return block.mark
            has_bytes = has_bytes or bool(block.data)
        if not has_bytes:
            raise Problem(
                f"{self.path}: no bytes in this log of socat: -v writes text, -x keeps them"
            )
        raise Problem(f"{self.path}: no connection of a Nix client in this log of socat -x")

    def _find_mingled(self, client: int) -> set[int]:
        """Return the numbers of connections that do not go on where they had come to, and of those
        before them that may have gone on there.
        """
        found: set[int] = set()
        number = 0
        reached: deque[list[int]] = deque([[0, 0]], maxlen=_TOGETHER)
        for block in _blocks(self.path):
            if block.mark == client and block.is_hello:
                number += 1
                reached.append([0, 0])
            mark = block.mark
            if block.start == reached[-1][mark]:
                reached[-1][mark] += block.length
            elif number:
                found |= {number, max(number - 1, 1)}
                for back, said in enumerate(reversed(reached)):
                    if number > back and said[mark] == block.start:
                        found.add(number - back)
                        said[mark] += block.length
        return found


def _blocks(path: Path) -> Iterator[_Block]:
    with opened(path) as file:
        head, data = None, bytearray()
        while line := file.readline(_LONGEST):
            text = line.rstrip(b"\r\n")
            if found := _HEAD.fullmatch(text):
                if head is not None:
                    yield _block(head, data)
                head, data = found, bytearray()
            elif head is not None and len(data) <= int(head[4]):
                data += _row(text)
        if head is not None:
            yield _block(head, data)


def _row(text: bytes) -> bytes:
    """Return the bytes that a line has in hexadecimal; none where it is anything else."""
    digits = text.partition(b"  ")[0]
    try:
        found = bytes.fromhex(digits.decode())
    except ValueError:
        return b""
    return found if len(digits) == 3 * len(found) and text.startswith(b" ") else b""


def _block(head: re.Match[bytes], data: bytearray) -> _Block:
    mark, clock, micro, length, start = head.groups()
    try:
        second = int(datetime.strptime(clock.decode(), "%Y/%m/%d %H:%M:%S").timestamp())
    except (ValueError, OverflowError):  # no such day
        second = 0
    time = second * 10**9 + int(micro) * 1000 if 0 < second < LATEST else 0
    return _Block(MARKS.index(mark), time, int(start), int(length), bytes(data))
