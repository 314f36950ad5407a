"""What `socat -x` writes of the bytes that it passes on, as the events of a recording.

    > 2026/12/01 05:09:27.000782446  length=16 from=0 to=15
     63 78 69 6e 00 00 00 00 26 01 00 00 00 00 00 00

`>` is what its first address says to the second; which of them is the client shows in the hellos.
The time is local, and its fraction microseconds, in however many digits. With -v the same stands
beside the bytes as text; -v alone has no bytes. A process of `fork` counts from 0 again, and
nothing says which one wrote what: of connections that go on at once nothing is taken from where
they do. Nor is it told when a connection was closed.
Source: socat 1.7.4, `xio-pipe.c` and `socat.c`: xiotransfer, xioprintblockheader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.base.units import count
from pix_inspect.importing.hellos import CLIENT_HELLOS
from pix_inspect.importing.opened import opened
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.remarks import Remarks

MARKS = b"><"
_HEAD = re.compile(
    rb"([<>]) (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\.(\d{1,9})  length=(\d{1,9}) from=(\d{1,19}) to=\d+"
)
_BYTES = re.compile(rb"((?: [0-9a-f]{2})+)(?:  .*)?", re.DOTALL)


class _Block(NamedTuple):
    """What one address said: `data` is of another length where lines ran into each other."""

    mark: int
    """Its place in MARKS."""
    time: int
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
    return any(map(_HEAD.match, head.splitlines()[:50]))


class Log:
    """A log of socat: `passed` yields its events, `remarks` says afterwards what it lacks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mingled: set[int] = set()
        self._strangers = 0
        self._told = Remarks()

    def passed(self) -> Iterator[Passed]:
        """Yield what happened. Raises Problem where no client says hello, or -x was left out."""
        client = self._client()
        self._mingled = self._find_mingled(client)
        number = before = 0
        for block in _blocks(self.path):
            self._told.clock(before, block.time)
            before = max(before, block.time)
            is_new = block.mark == client and block.is_hello
            number += is_new
            if not number or number in self._mingled:
                self._strangers += not number
                continue
            if is_new:
                yield Passed(number, before, "open")
            side = CLIENT if block.mark == client else DAEMON
            data = block.data if block.is_whole else b""
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
        yield from self._told.lines(str(self.path))

    def _client(self) -> int:
        """Return which mark is the client's. Raises Problem."""
        has_bytes = False
        for block in _blocks(self.path):
            if block.is_hello:
                return block.mark
            has_bytes = has_bytes or bool(block.data)
        if not has_bytes:
            raise Problem(f"{self.path}: socat -v wrote text in place of bytes: -x keeps them")
        raise Problem(f"{self.path}: no connection of a Nix client in this log of socat -x")

    def _find_mingled(self, client: int) -> set[int]:
        """Return the numbers of connections that do not go on where they had come to."""
        found: set[int] = set()
        number, said = 0, [0, 0]
        for block in _blocks(self.path):
            if block.mark == client and block.is_hello:
                number, said = number + 1, [0, 0]
            if block.start == said[block.mark]:
                said[block.mark] += block.length
            elif number:
                found |= {number} | ({number - 1} if number > 1 else set())
        return found


def _blocks(path: Path) -> Iterator[_Block]:
    with opened(path) as file:
        head, data = None, bytearray()
        for line in file:
            text = line.rstrip(b"\r\n")
            if found := _HEAD.fullmatch(text):
                if head is not None:
                    yield _block(head, data)
                head, data = found, bytearray()
            elif head is not None and (row := _BYTES.fullmatch(text)):
                data += bytes.fromhex(row[1].decode())
        if head is not None:
            yield _block(head, data)


def _block(head: re.Match[bytes], data: bytearray) -> _Block:
    mark, clock, micro, length, start = head.groups()
    try:
        second = int(datetime.strptime(clock.decode(), "%Y/%m/%d %H:%M:%S").timestamp())
    except (ValueError, OverflowError):  # no such day
        second = 0
    time = second * 10**9 + int(micro) * 1000
    return _Block(MARKS.index(mark), time, int(start), int(length), bytes(data))
