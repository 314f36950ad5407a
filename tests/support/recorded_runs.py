"""Captured runs written as a recording: what passed, when, and how each connection ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pix.conversation import CLIENT, DAEMON
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import ConnectionLog, RecordingWriter
from tests.support.captures import Connection, Run
from tests.support.recording import START

ASLEEP = 1000.0
"""Seconds for which the writer does not look by itself."""


def play(log: ConnectionLog, connection: Connection, start: int, keep: int | None = None) -> int:
    """Record a captured connection, of each chunk only `keep` bytes; return when it was over."""
    time = start
    for event in connection.events:
        time = start + int(event["t"] * 1e9)
        side = DAEMON if event.get("dir") == "s2c" else CLIENT
        if "off" in event:
            data = connection.s2c if side else connection.c2s
            kept = data[event["off"] :][: min(event["len"], keep or event["len"])]
            log.chunk(side, time, kept, event["len"])
        elif event["ev"] == "eof":
            log.half_close(side, time)
        elif event["ev"] == "close":
            log.close(time)
    return time + 1000


def record(path: Path, runs: Sequence[Run], keep: int | None = None) -> list[Connection]:
    """Record captured runs into one file; return their connections in order of number."""
    writer = RecordingWriter(path, about={}, interval=ASLEEP, queue_limit=1 << 30)
    connections, time = [], START
    for run in runs:
        for connection in run.connections:
            time = play(writer.open(Peer(command=run.name), {}, time=time), connection, time, keep)
            connections.append(connection)
    writer.close()
    assert writer.lost == 0
    return connections
