"""What a recording's packets are, read back; and blocks that are wrong."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from pathlib import Path

import pytest

from pix.conversation import CLIENT, DAEMON
from pix_inspect.recording import pcapng
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.stream_reader import Chunk, Event, Item
from tests.support.recording import Recording

WAIT = 60.0
"""Seconds after which a test gives up waiting for what must happen."""


def conversation() -> Recording:
    """Two connections with data both ways, elision, notes and an end."""
    made = Recording()
    first, second = made.open(), made.open(peer={"pid": 7})
    first.chunk(CLIENT, b"cxin")
    second.chunk(CLIENT, b"hello")
    first.chunk(DAEMON, b"oixd" * 9)
    first.note({"note": {"n": 1}})
    first.chunk(DAEMON, b"nar", 40_000)
    first.chunk(CLIENT, b"x" * 70_001, 140_000)
    second.reset(CLIENT)
    second.close()
    first.half_close(CLIENT)
    first.chunk(DAEMON, b"bye")
    first.half_close(DAEMON)
    return first.close()


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
    deadline = clock.monotonic() + WAIT
    while not condition():
        if clock.monotonic() > deadline:
            pytest.fail(f"waited {WAIT:.0f} s for {what}")
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
