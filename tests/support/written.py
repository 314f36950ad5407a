"""Small recordings for tests, made without a thread: blocks straight from tracks."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pix_inspect.recording import pcapng
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.stream_reader import Chunk, Event, Item
from pix_inspect.recording.stream_writer import Parts, Track
from pix_inspect.recording.tcp_headers import CLIENT_PORTS

CLIENT, DAEMON = 0, 1
START = 1_700_000_000_000_000_001
"""A time whose nanoseconds matter."""

ABOUT = {"recording": "pix-inspect", "format": 1, "needs": 1, "version": "0", "about": {}}


def section(about: object = ABOUT) -> bytes:
    return pcapng.section_header([(pcapng.COMMENT, pcapng.comment(about))])


@dataclass
class Written:
    """A recording under construction; every action takes the next nanosecond."""

    blocks: Parts = field(default_factory=lambda: [section()])
    tracks: list[Track] = field(default_factory=list)
    time: int = START

    def now(self) -> int:
        self.time += 1
        return self.time

    def open(self, **opened: Any) -> Track:
        number = len(self.tracks) + 1
        port = CLIENT_PORTS[(number - 1) % len(CLIENT_PORTS)]
        track = Track(number, port, {"connection": number, **opened}, "a peer")
        track.begin(len(self.tracks), self.now(), self.blocks)
        self.tracks.append(track)
        return track

    def chunk(self, track: Track, side: int, kept: bytes, length: int | None = None) -> None:
        size = len(kept) if length is None else length
        track.chunk(side, self.now(), kept, size, self.blocks)

    @property
    def data(self) -> bytes:
        return b"".join(self.blocks)

    def split(self) -> list[bytes]:
        """The blocks, one by one."""
        data, found, position = self.data, [], 0
        while position < len(data):
            total = pcapng.BLOCK.unpack_from(data, position)[1]
            found.append(data[position : position + total])
            position += total
        return found

    def save(self, path: Path) -> Path:
        path.write_bytes(self.data)
        return path


def conversation() -> Written:
    """Two connections with data both ways, elision, notes and an end."""
    made = Written()
    first, second = made.open(), made.open(peer={"pid": 7})
    made.chunk(first, CLIENT, b"cxin")
    made.chunk(second, CLIENT, b"hello")
    made.chunk(first, DAEMON, b"oixd" * 9)
    first.note(pcapng.comment({"note": {"n": 1}}), made.now(), made.blocks)
    made.chunk(first, DAEMON, b"nar", 40_000)
    made.chunk(first, CLIENT, b"x" * 70_001, 140_000)
    second.reset(CLIENT, made.now(), made.blocks)
    second.close(made.now(), made.blocks)
    first.half_close(CLIENT, made.now(), made.blocks)
    made.chunk(first, DAEMON, b"bye")
    first.half_close(DAEMON, made.now(), made.blocks)
    first.close(made.now(), made.blocks)
    return made


def items_of(path: Path) -> list[Item]:
    reader = RecordingReader(path)
    try:
        return reader.poll()
    finally:
        reader.close()


def chunks(items: list[Item]) -> list[Chunk]:
    return [item for item in items if isinstance(item, Chunk)]


def events(items: list[Item]) -> list[Event]:
    return [item for item in items if isinstance(item, Event)]


def kinds(items: list[Item], connection: int) -> list[tuple[str, int | None]]:
    return [(event.kind, event.side) for event in events(items) if event.connection == connection]


def stream(items: list[Item], connection: int, side: int) -> tuple[bytes, int]:
    """What was kept, with a dot for each byte that was not, and the whole length.

    Fails where chunks do not follow each other.
    """
    data, length = bytearray(), None
    for chunk in chunks(items):
        if (chunk.connection, chunk.side) == (connection, side):
            length = chunk.offset if length is None else length
            assert chunk.offset == length
            data += chunk.data + b"." * (chunk.length - len(chunk.data))
            length += chunk.length
    return bytes(data), length or 0


def wait_until(what: str, condition: Callable[[], object]) -> None:
    deadline = clock.monotonic() + 20
    while not condition():
        if clock.monotonic() > deadline:
            pytest.fail(f"waited 20 s for {what}")
        clock.sleep(0.005)


def block(
    kind: int, body: bytes = b"", total: int | None = None, again: int | None = None
) -> bytes:
    body += bytes(-len(body) & 3)
    size = len(body) + 12 if total is None else total
    tail = pcapng.U32.pack(size if again is None else again)
    return pcapng.BLOCK.pack(kind, size) + body + tail


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
