"""Sessions to start from, and how they are broken.

A session is what passed: pieces of either side's stream in their order. They come from the
shared captures where those are, and from the recordings that are part of the project.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random
from typing import TypeAlias

from pix.codec.wire import pack_u64
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.stream_reader import Chunk
from tests.support import captures
from tests.support.places import RECORDINGS

Session: TypeAlias = "list[tuple[int, bytes]]"

LARGEST = 24 << 10
"""Sessions above this many bytes are left out: they would only slow the loop down."""


def captured() -> Iterator[Session]:
    """Yield the sessions of the shared captures, nothing where there are none."""
    try:
        runs = captures.runs()
    except captures.Missing as why:
        print(f"without the shared captures: {why}", file=sys.stderr)
        return
    for run in runs:
        for connection in run.connections:
            streams = (connection.c2s, connection.s2c)
            session: Session = []
            for event in connection.events:
                if "len" in event:
                    side = CLIENT if event["dir"] == "c2s" else DAEMON
                    start = event["off"]
                    session.append((side, streams[side][start : start + event["len"]]))
            yield session


def recorded() -> Iterator[Session]:
    """Yield the sessions of the project's recordings that kept all their bytes."""
    for path in sorted(RECORDINGS.glob("*.pcapng")):
        sessions: dict[int, Session] = {}
        for item in RecordingReader(path).poll():
            if isinstance(item, Chunk) and len(item.data) == item.length:
                sessions.setdefault(item.connection, []).append((item.side, bytes(item.data)))
        yield from sessions.values()


def corpus() -> list[Session]:
    """Return distinct sessions of a handy size, in the same order every time."""
    found: dict[tuple[tuple[int, bytes], ...], None] = {}
    for source in (captured(), recorded()):
        for session in source:
            if 0 < sum(len(data) for _, data in session) <= LARGEST:
                found.setdefault(tuple(session))
    return [list(session) for session in found]


WORDS = [
    *(1 << bit for bit in (0, 3, 8, 15, 16, 26, 28, 30, 31, 32, 33, 40, 60, 62, 63)),
    *((1 << bit) - 1 for bit in (8, 16, 31, 32, 63, 64)),
    *((1 << 64) - n for n in (2, 7, 8, 9, 16)),
    *(code for code in OPERATIONS if code >= 0),
    *STDERR_FRAMES,
    0,
    0x6E697863,
    0x6478696F,
    0xAB9A9FF0,
    0x161,
    *(0x100 | minor for minor in range(10, 40)),
]


def mutated(session: Session, others: list[Session], random: Random) -> Session:
    """Return the session with one to four things wrong: flipped, cut, spliced, wild lengths."""
    pieces = [(side, bytearray(data)) for side, data in session]
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(pieces))
        side, data = pieces[at]
        place = random.randrange(len(data) + 1)
        match random.randrange(10):
            case 0 if data:
                data[place % len(data)] ^= 1 << random.randrange(8)
            case 1 | 2 | 3:
                place &= ~7
                data[place : place + 8] = pack_u64(random.choice(WORDS))
            case 4:
                del data[place : place + random.choice((1, 8, 16, 64, 1 << 20))]
            case 5:
                data[place:place] = data[place : place + random.choice((8, 24, 200))]
            case 6:
                _, other = random.choice(random.choice(others))
                start = random.randrange(len(other) + 1) & ~7
                data[place & ~7 : place] = other[start : start + random.choice((8, 40, 400))]
            case 7:
                data[place:place] = random.randbytes(random.choice((1, 7, 8, 30)))
            case 8:
                pieces[at] = (1 - side, data) if random.random() < 0.3 else (side, data)
                swap = random.randrange(len(pieces))
                pieces[at], pieces[swap] = pieces[swap], pieces[at]
            case _:
                del pieces[at + 1 :]
                del data[place:]
    return [(side, bytes(data)) for side, data in pieces if data] or [(side, b"\0")]


def packed(session: Session) -> bytes:
    """Return a session as the bytes that `unpacked` takes: side, length, data, again and again."""
    out = bytearray()
    for side, data in session:
        for start in range(0, len(data), 0xFFFF):
            part = data[start : start + 0xFFFF]
            out += bytes([side]) + len(part).to_bytes(2, "little") + part
    return bytes(out)


def unpacked(data: bytes) -> Session:
    """Return the session that any bytes stand for."""
    session = []
    at = 0
    while at + 3 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 3], "little")
        session.append((data[at] & 1, data[at + 3 : at + 3 + length]))
        at += 3 + length
    return session
