"""The pcap that sockdump writes of a Unix socket (`--format pcap`), as the events of a recording.

    link type   147 (USER0)
    packet      u64 and u64, big-endian: the processes, then what one of them sent

sockdump in Python says first who is sent to, the one in Go who sends; which it is shows when a
daemon answers. A daemon's process that listens is not the one that answers, so a connection is
known by its client's process. Where that has two at once, what it sends cannot be told apart, and
is left out from there on. Nothing says when a connection was closed.
Source: sockdump.py of mechpen/sockdump, internal/sockdump/output.go of Asphaltt/sockdump.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.base.units import count
from pix_inspect.importing.hellos import CLIENT_HELLOS, DAEMON_HELLOS
from pix_inspect.importing.opened import opened
from pix_inspect.importing.packet_files import PacketFile
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.remarks import Remarks
from pix_inspect.recording.notes import Peer

USER0 = 147
_PROCESSES = Struct(">QQ")


class _Sent(NamedTuple):
    """What a process sent to another: `data` of `length` bytes."""

    time: int
    sender: int
    receiver: int
    data: bytes
    length: int


class Dump:
    """A file of sockdump: `passed` yields its events, `remarks` says afterwards what it lacks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._strangers = 0
        self._mingled: set[int] = set()
        self._damage: int | None = None
        self._told = Remarks()

    def passed(self) -> Iterator[Passed]:
        """Yield what happened. Raises Problem where no client says hello."""
        with opened(self.path) as file:
            packets = PacketFile(file)
            found = False
            for event in self._events(packets, _sender_first(packets)):
                found = True
                yield event
            self._damage = packets.damage
        if not found:
            raise Problem(
                f"{self.path}: no connection of a Nix client in this file of sockdump; start"
                " sockdump on the daemon's socket before the client"
            )

    def remarks(self) -> Iterator[str]:
        """Yield in words what was left out."""
        if self._strangers:
            yield (
                f"{self.path}: {count(self._strangers, 'packet')} left out: of connections that had"
                " begun before sockdump came, or of others"
            )
        if self._mingled:
            which = ", ".join(map(str, sorted(self._mingled)[:10]))
            yield (
                f"{self.path}: process {which} had two connections at once, which sockdump does not"
                " tell apart: what they sent is left out from there on"
            )
        if self._damage is not None:
            yield f"{self.path}: is cut off or damaged at offset {self._damage}"
        yield from self._told.lines(str(self.path))

    def _events(self, packets: PacketFile, sender_first: bool) -> Iterator[Passed]:
        mingled = _mingled(packets, sender_first)
        hellos: Counter[int] = Counter()
        numbers: dict[int, int] = {}
        """By client's process, the number of its connection."""
        count_of = before = time = 0
        for sent in _sent(packets, sender_first):
            self._told.clock(before, sent.time)
            before, time = sent.time, max(time, sent.time)
            if sent.data.startswith(CLIENT_HELLOS):
                hellos[sent.sender] += 1
                if hellos[sent.sender] == mingled.get(sent.sender):
                    self._mingled.add(sent.sender)
                    del numbers[sent.sender]
                elif sent.sender not in self._mingled:
                    if sent.sender in numbers:
                        yield Passed(numbers[sent.sender], time, "close")
                    count_of += 1
                    numbers[sent.sender] = count_of
                    yield Passed(count_of, time, "open", peer=Peer(pid=sent.sender))
            side, client = CLIENT, sent.sender
            if client not in hellos:
                side, client = DAEMON, sent.receiver
            if client in numbers:
                missing = sent.length - len(sent.data)
                yield Passed(numbers[client], time, "data", side, sent.data, missing)
            elif client not in self._mingled:
                self._strangers += 1


def _sent(packets: PacketFile, sender_first: bool) -> Iterator[_Sent]:
    for packet in packets:
        if packet.link == USER0 and len(packet.data) >= _PROCESSES.size:
            one, other = _PROCESSES.unpack_from(packet.data)
            sender, receiver = (one, other) if sender_first else (other, one)
            data = packet.data[_PROCESSES.size :]
            length = max(packet.length - _PROCESSES.size, len(data))
            yield _Sent(packet.time, sender, receiver, data, length)


def _sender_first(packets: PacketFile) -> bool:
    """Whether the process that sends stands first: its place in a hello and in the answer."""
    asked: set[int] = set()
    for sent in _sent(packets, True):
        if sent.data.startswith(CLIENT_HELLOS):
            asked.add(sent.sender)
        elif sent.data.startswith(DAEMON_HELLOS):
            return sent.receiver in asked
    return False


def _mingled(packets: PacketFile, sender_first: bool) -> dict[int, int]:
    """Return by client's process the connection, from 1, during which another goes on."""
    found: dict[int, int] = {}
    hellos: Counter[int] = Counter()
    answers: dict[int, int | None] = {}
    for sent in _sent(packets, sender_first):
        if sent.data.startswith(CLIENT_HELLOS):
            hellos[sent.sender] += 1
            answers[sent.sender] = None
        elif sent.sender not in hellos and sent.receiver in hellos:
            if sent.data.startswith(DAEMON_HELLOS):
                answers[sent.receiver] = sent.sender
            elif answers[sent.receiver] != sent.sender and hellos[sent.receiver] > 1:
                found.setdefault(sent.receiver, hellos[sent.receiver])
    return found
