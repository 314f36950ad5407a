"""A recording as trace events, which Perfetto, chrome://tracing and speedscope open.

A process is a client, a thread a connection; operations are slices, what the daemon works on
lies within them. Work that overlaps gets threads of its own below its connection's. Arrows lead
from a request's end to its reply; counters say bytes and open builds. Source: the Trace Event
Format; times there are microseconds, here from the recording's start.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any

from pix.codec.gates import WORKER
from pix.protocol.logging import ActivityType
from pix_inspect.describe.about import about, short, short_command
from pix_inspect.session.activities import Activity, activities
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import ConnectionRow, Session

MOST_FRAMES = 10_000
"""Log frames of an exchange that are looked at."""
LANES = 1000
"""Threads of a connection: its own and those for work that overlaps."""

Event = dict[str, Any]


def trace_events(session: Session, numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield a JSON document with the exchanges of these numbers (from 0), piece by piece."""
    yield b'{"displayTimeUnit": "ns", "traceEvents": [\n'
    separator = b""
    for event in _events(session, numbers):
        # a lone surrogate, which JSON can escape, is refused by strict readers
        yield separator + json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
        separator = b",\n"
    yield b"\n]}\n"


def _events(session: Session, numbers: Iterable[int]) -> Iterator[Event]:
    lanes = Lanes(session)
    named: set[int] = set()
    for i in numbers:
        view = session.exchange(i)
        connection = session.connections[view.row.connection]
        if connection.number not in named:
            named.add(connection.number)
            yield from _names(connection)
        yield from lanes.exchange(view, connection)
    yield from lanes.rest()


def process(connection: ConnectionRow) -> int:
    """Return the number that stands for a client."""
    return connection.peer.pid or 1_000_000_000 + connection.number


def thread(connection: ConnectionRow, lane: int = 0) -> int:
    """Return the number that stands for a connection, or for a lane beside it."""
    return connection.number * LANES + lane


def counter(name: str, at: float, values: dict[str, int]) -> Event:
    """Return an event that says what something comes to at a time (µs)."""
    return {"ph": "C", "pid": 0, "tid": 0, "name": name, "ts": at, "args": values}


def _names(connection: ConnectionRow) -> Iterator[Event]:
    where = {"ph": "M", "pid": process(connection), "tid": thread(connection)}
    name = short_command(connection.peer)[:200] or "client"
    yield {**where, "name": "process_name", "args": {"name": name}}
    yield {**where, "name": "thread_name", "args": {"name": f"connection {connection.number}"}}
    yield {**where, "name": "thread_sort_index", "args": {"sort_index": thread(connection)}}


class Lanes:
    """Lays slices side by side, so that those of one thread lie within or behind each other."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lanes: dict[int, list[list[int]]] = {}
        """By connection, for each of its lanes: when the slices end that are open, inmost last."""
        self._passed = [0, 0]
        self._running: list[int] = []
        """When builds end that have begun."""

    def _at(self, time: int) -> float:
        return (time - self._session.started) / 1e3

    def _lane(self, connection: int, begun: int, over: int) -> int:
        """Return the first lane in which a slice lies within what is open, or behind it."""
        lanes = self._lanes.setdefault(connection, [])
        for lane, ends in enumerate(lanes):
            while ends and ends[-1] <= begun:
                ends.pop()
            if not ends or over <= ends[-1] or lane == LANES - 1:
                break
        else:
            lane = len(lanes)
            lanes.append([])
        lanes[lane].append(over)
        return lane

    def exchange(self, view: ExchangeView, connection: ConnectionRow) -> Iterator[Event]:
        """Yield the events of one exchange."""
        row = view.row
        end = row.started + row.took if row.took is not None else self._session.last
        lane = self._lane(connection.number, row.started, end)
        where: Event = {"pid": process(connection), "tid": thread(connection, lane)}
        where["cat"] = f"nix.{connection.family or WORKER}"
        said = {
            "about": about(view), "exchange": row.number, "state": row.state,
            "request bytes": row.up, "reply bytes": row.down,
        }  # fmt: skip
        begins, ends = self._at(row.started), self._at(end)
        span = {"ts": begins, "dur": ends - begins, "args": said}
        yield {**where, "ph": "X", "name": row.name, **span}
        flow = {**where, "name": "request and reply", "id": row.number}
        yield {**flow, "ph": "s", "ts": begins}
        yield {**flow, "ph": "f", "bp": "e", "ts": ends}
        self._passed[0] += row.up
        self._passed[1] += row.down
        counted = {"to the daemon": self._passed[0], "to the client": self._passed[1]}
        yield counter("bytes", ends, counted)
        yield from self._work(view, connection, end)

    def _work(self, view: ExchangeView, connection: ConnectionRow, end: int) -> Iterator[Event]:
        found: list[tuple[int, int, int, Activity]] = []
        stack = [activities(view.log[:MOST_FRAMES])]
        while stack:  # activities may be nested as deep as the daemon likes: no recursion
            for each in stack.pop().inside:
                if isinstance(each, Activity):
                    stack.append(each)
                    begun = each.part.time if each.part is not None else None
                    if begun is not None:
                        found.append((begun, -(each.ended or end), len(found), each))
        for begun, over, _, activity in sorted(found):
            lane = self._lane(connection.number, begun, -over)
            yield from self._slice(activity, connection, lane, begun, -over)

    def _slice(
        self, activity: Activity, connection: ConnectionRow, lane: int, begun: int, over: int
    ) -> Iterator[Event]:
        fields = (each for each in activity.fields if isinstance(each, str) and each)
        said = {"about": next(fields, ""), "text": activity.text}
        kind = activity.kind.label if activity.known else activity.text
        if activity.ended is None:
            said["ended"] = "not within the operation"
        args = {key: text for key, text in said.items() if text}
        yield {
            "ph": "X", "cat": "activity", "pid": process(connection),
            "tid": thread(connection, lane),
            "name": " ".join(filter(None, (kind, short(said["about"])))) or "activity",
            "ts": self._at(begun), "dur": max(over - begun, 0) / 1e3,
            **({"args": args} if args else {}),
        }  # fmt: skip
        if activity.kind == ActivityType.BUILD:
            yield from self._builds(begun)
            heapq.heappush(self._running, over)
            yield self._count(begun)

    def _builds(self, until: int) -> Iterator[Event]:
        while self._running and self._running[0] <= until:
            yield self._count(heapq.heappop(self._running))

    def _count(self, time: int) -> Event:
        running = {"running": len(self._running)}
        return {
            "ph": "C",
            "pid": 0,
            "tid": 0,
            "name": "builds",
            "ts": self._at(time),
            "args": running,
        }

    def rest(self) -> Iterator[Event]:
        """Yield what is left to say when all exchanges were told."""
        yield from self._builds(1 << 62)
        for number, lanes in self._lanes.items():
            row = self._session.connections[number]
            for lane in range(1, len(lanes)):
                name = {"name": f"connection {number}, beside"}
                where = {"pid": process(row), "tid": thread(row, lane)}
                yield {"ph": "M", **where, "name": "thread_name", "args": name}
