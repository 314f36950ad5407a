"""The daemon's side of one conversation: who it is, what it logs, how it refuses.

Source: Nix `daemon.cc`, `logging.cc`.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
from collections.abc import Callable, Container
from typing import Any
from typing import Protocol as Interface

from pix.codec.cursor import Limits
from pix.codec.declare import Operation
from pix.codec.errors import DecodeError, EncodeError, TooLarge
from pix.codec.gates import Protocol
from pix.codec.incoming import Incoming
from pix.codec.payload import RAW_NAR, WRITTEN
from pix.codec.values import encode
from pix.dataclass import dataclass, field
from pix.protocol.handshake import DaemonHello
from pix.protocol.logging import (
    ActivityType,
    ResultType,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
    StderrWrite,
)
from pix.protocol.types import TrustedFlag, Verbosity
from pix.serving import EARLY, LAST, Refusal, ServedConnection
from pix_store.store.refusal import COLOURED, error_frame, magenta, too_large

OLDEST_CLIENT = 18
"""Clients below 1.18 are turned away, as by Nix 2.32 and later."""

ACTIVITIES = 20
"""From 1.20 on activities are told; before it their text is a message."""

CHUNK = 1 << 16
LIMITS = Limits(string=32 << 20, count=1 << 22)
LONGEST = 64 << 20
"""Bytes of one request without its payload."""

_ACTIVITIES = itertools.count()


class Streams(Interface):
    """What is read and written like a socket."""

    def recv(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Write all of these."""

    def fileno(self) -> int:
        """Return the descriptor where a hang-up shows."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the daemon says of itself: newest version and features, release, trust."""

    protocol: Protocol
    nix_version: str
    trusted: bool


@dataclass(slots=True)
class Options:
    """What the client set by SetOptions; times in seconds, 0 for none.

    With no `jobs` nothing is built; `cores` are those that a build may use, 0 for all.
    """

    verbosity: int = Verbosity.INFO
    keep_failed: bool = False
    keep_going: bool = False
    timeout: int = 0
    max_silent: int = 0
    jobs: int = 1
    cores: int = 1
    overrides: dict[str, str] = field(default_factory=dict)


class Connection(ServedConnection):
    """One connection. `options` is what the client asked for.

    `known` are the operations that can be answered, `answering` is called with each request
    and returns its reply, or raises Refusal.
    """

    def __init__(self, sock: socket.socket | Streams, offer: Offer, known: Container[int]) -> None:
        super().__init__(lambda: sock.recv(CHUNK), sock.sendall, LIMITS, LONGEST)
        self.offer = offer
        self.options = Options()
        self.answering: Callable[[Any], Any]
        self._known = known
        self._sock = sock

    def converse(self, answering: Callable[[Any], Any]) -> None:
        """Answer request after request by `answering`. Raises Refusal for a client too old."""
        self.answering = answering
        hello = DaemonHello(
            version=self.offer.protocol.number,
            features=tuple(sorted(self.offer.protocol.features)),
            daemon_nix_version=self.offer.nix_version,
            trusted=TrustedFlag.TRUSTED if self.offer.trusted else TrustedFlag.NOT_TRUSTED,
        )
        self.serve(hello, OLDEST_CLIENT)

    def offers(self, operation: Operation) -> bool:
        return operation.code in self._known and super().offers(operation)

    def unknown(self, code: int) -> Refusal:
        if code >= 1 << 32:
            return Refusal(too_large(code, 32), ends=True, times=1)
        return Refusal(f"invalid operation {magenta(code)}", ends=True)

    def unreadable(self, operation: Operation, error: DecodeError) -> Refusal:
        if isinstance(error, TooLarge):
            return Refusal(too_large(error.value, error.bits), ends=True)
        return super().unreadable(operation, error)

    def content(self, early: str | None = None) -> Incoming:
        framed = "reached end of FramedSource" if not self.pulled else EARLY
        return super().content(early or framed)

    def answer(self, request: Any) -> Any:
        return self.answering(request)

    def refuse(self, refusal: Refusal) -> None:
        frame = error_frame(refusal, self.protocol, self.offer.protocol.minor)
        # what ends a connection is said before the work began and after it failed
        for _ in range(1 + refusal.ends if refusal.times is None else refusal.times):
            self.say(frame)

    def reply(self, operation: Operation, answer: Any) -> bool:
        payload = operation.reply.payload
        carriage = None if payload is None else payload.carriage(self.protocol)
        try:
            if payload is not None and carriage is WRITTEN:
                for piece in getattr(answer, payload.name):
                    self.say(StderrWrite(data=piece))
            data = b"" if answer is None else encode(operation.reply, answer, self.protocol)
        except (Refusal, EncodeError) as error:
            self.refuse(error if isinstance(error, Refusal) else Refusal(str(error)))
            return True
        self.send(LAST + data)
        try:
            if payload is not None and carriage is RAW_NAR:
                for piece in getattr(answer, payload.name):
                    self.send(piece)
        except Refusal as refusal:
            self.refuse(Refusal(refusal.message, ends=True))
            return False
        return True

    # saying things

    def note(self, text: str, level: int = Verbosity.INFO) -> None:
        """Send a message, if the client wants messages of that level."""
        if level <= self.options.verbosity:
            self.say(StderrNext(text=text + "\n"))

    def start(
        self,
        kind: ActivityType,
        text: str = "",
        fields: tuple[int | str, ...] = (),
        level: int = Verbosity.ERROR,
        parent: int = 0,
    ) -> int:
        """Tell of the beginning of an activity; return its number."""
        number = (os.getpid() << 32) + next(_ACTIVITIES)
        if self.protocol.minor < ACTIVITIES:
            if text:
                self.note(text + "...", level)
            return number
        self.say(
            StderrStartActivity(
                id=number, level=level, type=kind, text=text, fields=fields, parent=parent
            )
        )
        return number

    def stop(self, activity: int) -> None:
        """Tell of the end of an activity."""
        if self.protocol.minor >= ACTIVITIES:
            self.say(StderrStopActivity(id=activity))

    def result(self, activity: int, kind: int, *fields: int | str) -> None:
        """Tell news of an activity."""
        if kind == ResultType.BUILD_LOG_LINE and self.offer.protocol.minor < COLOURED:
            self.say(StderrNext(text=f"{fields[0]}\n"))  # Nix 2.3 says it twice
        if self.protocol.minor >= ACTIVITIES:
            self.say(StderrResult(id=activity, type=kind, fields=fields))

    # the socket

    def gone(self) -> bool:
        """Return whether the client has hung up."""
        poll = select.poll()
        poll.register(self._sock, select.POLLRDHUP if hasattr(select, "POLLRDHUP") else 0)
        try:
            return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
        except OSError:
            return True

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for its end."""
        return self._sock.fileno()
