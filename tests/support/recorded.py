"""Real captures through the tap and the writer into recordings, and straight into conversations.

Both get the same events at the same times, so that what a session says of a recording can be
held against what a conversation says of the streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.describe.text_and_json import json_line, text_of
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.session import Session
from tests.support.captures import Connection, Run

START = 1_700_000_000_000_000_000


class Step(NamedTuple):
    """What happened at `time`: "open", "data" of a side, "half-close", "reset" or "close"."""

    time: int
    connection: int
    what: str
    side: int
    data: bytes


def steps(connection: Connection, number: int = 1) -> Iterator[Step]:
    """What passed on a captured connection, in the order in which it was seen."""
    time = START
    yield Step(time, number, "open", CLIENT, b"")
    for event in connection.events:
        time = max(time, START + int(event["t"] * 1e9))
        side = DAEMON if event.get("dir") == "s2c" else CLIENT
        what = event.get("ev", "data")
        if what == "data":
            stream = (connection.c2s, connection.s2c)[side]
            data = stream[event["off"] : event["off"] + event["len"]]
            yield Step(time, number, "data", side, data)
        elif what == "eof":
            yield Step(time, number, "half-close", side, b"")
        elif what == "hangup":
            yield Step(time, number, "reset", side, b"")
        elif what == "close":
            yield Step(time, number, "close", side, b"")


def interleaved(connections: Iterable[Connection]) -> list[Step]:
    """Several connections, numbered from 1, in order of time."""
    runs = [steps(connection, i) for i, connection in enumerate(connections, 1)]
    return list(merge(*runs, key=lambda step: (step.time, step.connection)))


def take(tap: RecordingTap, step: Step) -> None:
    """Tell a tap of one step."""
    if step.what == "data":
        tap.chunk(step.side, memoryview(step.data), step.time)
    elif step.what == "half-close":
        tap.half_close(step.side, step.time)
    elif step.what == "reset":
        tap.reset(step.side, step.time)
    elif step.what == "close":
        tap.closed(step.time)


def record(path: Path, passed: Iterable[Step], limit: int | None = None, **options: Any) -> Path:
    """Write what passed through a tap with that payload limit into a recording."""
    writer = RecordingWriter(path, about={"test": True}, queue_limit=1 << 40, **options)
    taps: dict[int, RecordingTap] = {}
    for step in passed:
        tap = taps.get(step.connection)
        if tap is None:
            peer = Peer(pid=step.connection, uid=1000, command="nix build x")
            log = writer.open(peer, {"upstream": "/nix/socket"}, time=step.time)
            tap = taps[step.connection] = RecordingTap(log, limit)
        take(tap, step)
    writer.close()
    return path


def observe(conversation: Conversation, step: Step) -> None:
    """Tell a conversation of one step."""
    if step.what == "data":
        conversation.feed(step.side, step.data, step.time)
    elif step.what == "close":
        conversation.close(step.time)
    elif step.what != "open":
        conversation.eof(step.side, step.time)


def direct(connection: Connection) -> list[Exchange]:
    """The exchanges of a captured connection, without any recording between."""
    conversation = Conversation(detail=True)
    for step in steps(connection):
        observe(conversation, step)
    return conversation.exchanges


def pairs(runs: Iterable[Run]) -> dict[str, list[Connection]]:
    """The connections of all runs of a client and a daemon version, by that pair."""
    found: dict[str, list[Connection]] = {}
    for run in runs:
        found.setdefault(run.name.partition("/")[0], []).extend(run.connections)
    return found


def by_connection(session: Session) -> dict[int, list[int]]:
    """The indexes of a session's exchanges, by connection."""
    found: dict[int, list[int]] = {}
    for i in range(len(session)):
        found.setdefault(session.row(i).connection, []).append(i)
    return found


def in_pieces(passed: Iterable[Step], size: int) -> Iterator[Step]:
    """The same, in chunks of at most `size` bytes."""
    for step in passed:
        if step.what != "data":
            yield step
        for at in range(0, len(step.data), size):
            yield step._replace(data=step.data[at : at + size])


def shown(session: Session) -> list[str]:
    """Everything that `dump` prints of a session, as text and as JSON."""
    out: list[str] = []
    for i in range(len(session)):
        view = session.exchange(i)
        out += text_of(view, session.started)
        out.append(json_line(view, session.started))
    return out
