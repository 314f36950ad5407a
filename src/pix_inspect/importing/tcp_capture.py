"""TCP connections to one port in a packet capture, as the events of a recording.

A daemon is reached over TCP through a bridge, such as `socat TCP-LISTEN:PORT,fork
UNIX-CONNECT:SOCKET`. Which port that is has to be said; what else a capture holds is counted. A
capture may be in several files, as `tcpdump -C` and `dumpcap -b` write them.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.base.units import count
from pix_inspect.importing.hellos import CLIENT_HELLOS, DAEMON_HELLOS
from pix_inspect.importing.opened import opened
from pix_inspect.importing.packet_files import Packet, PacketFile
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.remarks import Remarks
from pix_inspect.importing.tcp_segments import End, Segment, Unread, segment
from pix_inspect.importing.tcp_streams import Connection
from pix_inspect.recording.tcp_headers import ACK, SYN

MOST_PORTS = 8
"""Ports that are named where none was said."""


class Capture:
    """A capture: `passed` yields its events, `remarks` says afterwards what it lacks."""

    def __init__(self, paths: list[Path], port: int) -> None:
        self.paths = paths
        self.name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and the others"
        self._port = port
        self._unread: Counter[Unread] = Counter()
        self._others = 0
        self._connections: list[Connection] = []
        self._damage: list[tuple[Path, int]] = []
        """Files that are damaged, and where."""
        self._told = Remarks()

    def passed(self) -> Iterator[Passed]:
        """Yield what happened. Raises Problem where the port has no connections."""
        with contextlib.ExitStack() as stack:
            files = [(PacketFile(stack.enter_context(opened(path))), path) for path in self.paths]
            files.sort(key=lambda each: each[0].began)
            packets = [file for file, _ in files]
            self._note(chain.from_iterable(packets))
            self._damage = [(path, at) for file, path in files if (at := file.damage) is not None]
            self._connections = [each for each in self._connections if each.settle()]
            if not self._connections:
                there = ports(chain.from_iterable(packets))
                raise Problem(
                    f"{self.name}: nothing passed to TCP port {self._port} in it; {there}"
                )
            yield from self._take(chain.from_iterable(packets))

    def remarks(self) -> Iterator[str]:
        """Yield in words what was left out, and what is missing."""
        name = self.name
        if self._others:
            yield f"{name}: {count(self._others, 'packet')} not of TCP port {self._port} left out"
        for reason in (Unread.LINK, Unread.FRAGMENT, Unread.CUT):
            if number := self._unread[reason]:
                yield f"{name}: {count(number, 'packet')} left out: {reason.value}"
        joined = sum(each.joined for each in self._connections)
        if joined:
            yield (
                f"{name}: {count(joined, 'connection')} had begun before the capture: what passed"
                " before is not there, and the version has to be guessed"
            )
        if cut := sum(each.cut for each in self._connections):
            what = count(cut, "byte")
            yield f"{name}: the snapshot length cut off {what}: `tcpdump -s 0` keeps them"
        if lost := sum(each.missing for each in self._connections) - cut:
            yield (
                f"{name}: {count(lost, 'byte')} passed that the capture missed; a larger buffer"
                " (`tcpdump -B 65536`) misses less"
            )
        for path, at in self._damage:
            yield f"{path}: is cut off or damaged at offset {at}: the rest is not read"
        yield from self._told.lines(name)

    def _note(self, packets: Iterable[Packet]) -> None:
        """Go through the capture for the first time."""
        current: dict[tuple[End, End], Connection] = {}
        for number, packet in enumerate(packets):
            found = segment(packet)
            if isinstance(found, Unread):
                self._unread[found] += 1
                self._others += found is Unread.OTHER
                continue
            way = self._way(found, current)
            if way is None:
                self._others += 1
                continue
            side, ends = way
            connection = current.get(ends)
            begins = side == CLIENT and found.flags & (SYN | ACK) == SYN
            if connection is None or (begins and not connection.again(found)):
                connection = current[ends] = Connection(number, ends)
                self._connections.append(connection)
            connection.note(side, found)

    def _way(
        self, found: Segment, known: dict[tuple[End, End], Connection]
    ) -> tuple[int, tuple[End, End]] | None:
        """Return whose segment it is, and the two ends, the client's first."""
        to, back = (found.source, found.target), (found.target, found.source)
        if found.target.port == found.source.port == self._port:
            answers = back in known or found.flags & (SYN | ACK) == SYN | ACK
            return (DAEMON, back) if answers else (CLIENT, to)
        if found.target.port == self._port:
            return CLIENT, to
        return (DAEMON, back) if found.source.port == self._port else None

    def _take(self, packets: Iterable[Packet]) -> Iterator[Passed]:
        """Go through it again, and tell what passed."""
        waiting = self._connections[::-1]
        current: dict[tuple[End, End], Connection] = {}
        time = before = opened_so_far = 0
        for number, packet in enumerate(packets):
            self._told.clock(before, packet.time)
            before, time = packet.time, max(time, packet.time)
            found = segment(packet)
            if isinstance(found, Unread):
                continue
            if waiting and waiting[-1].began == number:
                connection = waiting.pop()
                earlier = current.get(connection.ends)
                if earlier is not None:
                    yield from earlier.finish(time)
                opened_so_far += 1
                connection.number = opened_so_far
                current[connection.ends] = connection
                yield connection.open(time)
            way = self._way(found, current)
            connection_now = None if way is None else current.get(way[1])
            if way is not None and connection_now is not None:
                yield from connection_now.take(way[0], found, number, time)
        for connection in current.values():
            yield from connection.finish(time)


def ports(packets: Iterable[Packet]) -> str:
    """Return in words which TCP ports were connected to, those that speak Nix first."""
    servers: dict[tuple[End, End], End] = {}
    speaks: set[int] = set()
    read = 0
    for packet in packets:
        read += 1
        found = segment(packet)
        if isinstance(found, Unread):
            continue
        ends = (min(found.source, found.target), max(found.source, found.target))
        if found.flags & SYN:
            servers[ends] = found.source if found.flags & ACK else found.target
        else:  # clients' ports are high ones
            servers.setdefault(ends, min(found.source, found.target, key=lambda end: end.port))
        if found.data.startswith(CLIENT_HELLOS):
            servers[ends] = found.target
            speaks.add(found.target.port)
        elif found.data.startswith(DAEMON_HELLOS):
            speaks.add(found.source.port)
    seen = Counter(end.port for end in servers.values())
    if not seen:
        return f"there is no TCP among its {count(read, 'packet')}"
    order = sorted(seen, key=lambda port: (port not in speaks, -seen[port], port))
    words = [
        f"{port} ({count(seen[port], 'connection')}{', where Nix is spoken' * (port in speaks)})"
        for port in order[:MOST_PORTS]
    ]
    more = [f"{len(order) - MOST_PORTS} more"] if len(order) > MOST_PORTS else []
    return f"ports there: {', '.join(words + more)}"
