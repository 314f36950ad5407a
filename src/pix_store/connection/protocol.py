"""The daemon's side of one conversation: greet, take requests, log, answer.

Everything is read and written by the declarations. Source: Nix `daemon.cc`,
`worker-protocol-connection.cc`.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import Any

from pix.codec.declare import OPERATIONS, Operation, wire_of
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import GUIX_MINOR, Protocol, negotiate
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, WRITTEN, Carriage
from pix.codec.records import Field, Record
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC, ClientHello, DaemonHello
from pix.protocol.logging import (
    STDERR_LAST,
    ActivityType,
    ResultType,
    StderrNext,
    StderrRead,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
    StderrWrite,
)
from pix.protocol.types import TrustedFlag, Verbosity
from pix_store.connection.incoming import CutShort, HungUp, OutOfStep, Source, framed
from pix_store.store.refusal import COLOURED, Refusal, magenta

OLDEST_CLIENT = 18
"""Clients below 1.18 are turned away, as by Nix 2.32 and later."""

PULL = 32768
"""Bytes that STDERR_READ asks for, as Nix does."""

ACTIVITIES = 20
"""From 1.20 on activities are told; before it their text is a message."""

CHUNK = 1 << 16

_ACTIVITIES = itertools.count()


@dataclass(frozen=True, slots=True)
class Offer:
    """What the daemon says of itself: newest version and features, release, trust."""

    protocol: Protocol
    nix_version: str
    trusted: bool


@dataclass(slots=True)
class Options:
    """What the client set by SetOptions; times in seconds, 0 for none."""

    verbosity: int = Verbosity.INFO
    keep_failed: bool = False
    keep_going: bool = False
    timeout: int = 0
    max_silent: int = 0
    overrides: dict[str, str] = field(default_factory=dict)


class Talk:
    """One connection, from greeting to end.

    `protocol` is what was negotiated, `options` what the client asked for, `known` are the
    operations that can be answered.
    """

    def __init__(self, sock: socket.socket, offer: Offer, known: Container[int]) -> None:
        self.offer = offer
        self._known = known
        self.protocol = offer.protocol
        self.options = Options()
        self._sock = sock
        self._source = Source(self._receive)
        self._carriage: Carriage | None = None
        self._upload: Iterator[bytes] | None = None

    # the order of things

    def serve(self, answer: Callable[[Any], Any]) -> None:
        """Greet, then answer request after request until the client hangs up or errs.

        `answer` is called with each request and returns its reply, or raises Refusal.
        """
        try:
            if self._greet():
                while not self._source.over():
                    self._one(answer)
        except (HungUp, OSError):
            pass

    def _greet(self) -> bool:
        try:
            if self._source.word() != CLIENT_MAGIC:
                return False
            ours = self.offer.protocol
            hello = DaemonHello(
                version=ours.number,
                features=tuple(sorted(ours.features)),
                daemon_nix_version=self.offer.nix_version,
                trusted=TrustedFlag.TRUSTED if self.offer.trusted else TrustedFlag.NOT_TRUSTED,
            )
            self._send(pack_u64(DAEMON_MAGIC) + pack_u64(ours.number))
            theirs = self._source.word()
            protocol = Protocol(negotiate(theirs, ours.number))
            if theirs < 0x100 | OLDEST_CLIENT or theirs & 0xFF >= GUIX_MINOR:
                return False
            said = {
                part.name: _part(part, hello, protocol) for part in _fields(DaemonHello, protocol)
            }
            features: frozenset[str] = frozenset()
            for part in _fields(ClientHello, protocol):
                value = self._source.value(part.wire, protocol)
                if part.name == "features":
                    # the client waits for ours before it goes on
                    features = frozenset(value)
                    self._send(said.pop("features"))
            self.protocol = Protocol(protocol.minor, ours.features & features)
            self._send(b"".join(said.values()) + pack_u64(STDERR_LAST))
        except DecodeError:
            return False
        return True

    def _one(self, answer: Callable[[Any], Any]) -> None:
        """Take one request and answer it. Raises HungUp when the connection is over."""
        operation: Operation | None = None
        try:
            code = self._source.word()
            operation = OPERATIONS.get(code)
            if operation is None or code not in self._known or not self._offered(operation):
                raise Refusal(f"invalid operation {magenta(code)}", ends=True)
            try:
                request = self._source.value(operation.request, self.protocol)
            except DecodeError as error:
                raise Refusal(f"{operation.name}: {error}", ends=True) from None
            except HungUp:
                raise Refusal("unexpected end-of-file", ends=True) from None
            self._upload = self._payload(operation)
            reply = answer(request)
            self._drain()
        except (Refusal, DecodeError, CutShort, OutOfStep) as error:
            self._refuse(self._settled(error))
        except HungUp:
            if self._upload is None:
                raise
            self._refuse(Refusal("unexpected end-of-file"))
        else:
            self._reply(operation, reply)
        finally:
            self._upload = None

    def _settled(self, error: Exception) -> Refusal:
        """Get back into step with the client if that is possible; return what to tell it."""
        if isinstance(error, Refusal):
            refusal = error
        else:
            # content that is none leaves frames in step, but a bare NAR has no other end
            in_step = self._carriage in (FRAMES, PULLED) and not isinstance(error, OutOfStep)
            said = {CutShort: "unexpected end-of-file", OutOfStep: str(error)}
            refusal = Refusal(said.get(type(error), f"bad archive: {error}"), ends=not in_step)
        if refusal is error or self._carriage is FRAMES:
            try:
                self._drain()
            except (DecodeError, OutOfStep):
                refusal.ends = True
            except HungUp:
                pass  # it may still want to know why
        return refusal

    def _offered(self, operation: Operation) -> bool:
        return operation.feature is None or operation.feature in self.protocol.features

    def _refuse(self, refusal: Refusal) -> None:
        frame = refusal.frame(self.protocol, self.offer.protocol.minor)
        self.say(frame)
        if refusal.ends:
            self.say(frame)
            raise HungUp

    def _reply(self, operation: Operation, reply: Any) -> None:
        payload = operation.reply.payload
        carriage = None if payload is None else payload.carriage(self.protocol)
        nar: Iterator[bytes] | None = None
        if payload is not None and carriage is RAW_NAR:
            nar = getattr(reply, payload.name)
        elif payload is not None and carriage is WRITTEN:
            try:
                for piece in getattr(reply, payload.name):
                    self.say(StderrWrite(data=piece))
            except Refusal as refusal:
                self._refuse(refusal)
                return
        try:
            data = b"" if reply is None else encode(operation.reply, reply, self.protocol)
        except EncodeError as error:
            self._refuse(Refusal(str(error)))
            return
        self._send(pack_u64(STDERR_LAST) + data)
        if nar is not None:
            try:
                for piece in nar:
                    self._send(piece)
            except Refusal as refusal:
                self._refuse(Refusal(refusal.message, ends=True))

    # payload

    def _payload(self, operation: Operation) -> Iterator[bytes] | None:
        payload = operation.request.payload
        carriage = None if payload is None else payload.carriage(self.protocol)
        self._carriage = carriage
        if carriage is FRAMES:
            return framed(self._source)
        if carriage is RAW_NAR:
            return self._source.nar()
        if carriage is PULLED:
            return self._pulled()
        return None

    def upload(self) -> Source:
        """Return the payload of the request that is being answered."""
        assert self._upload is not None
        pieces = self._upload
        return Source(lambda: next(pieces, b""), CutShort)

    def _pulled(self) -> Iterator[bytes]:
        """Ask the client for payload as long as somebody wants more."""
        while True:
            self.say(StderrRead(length=PULL))
            n = self._source.word()
            if n > PULL:
                raise OutOfStep(f"an answer of {n} bytes to a question for {PULL}")
            yield from self._source.run(n)
            if any(b"".join(self._source.run(-n & 7))):
                raise OutOfStep("the padding of an answer is not zero")
            if n == 0:
                return

    def _drain(self) -> None:
        """Go over what is left of payload that stands in the stream, however it is answered."""
        if self._upload is not None and self._carriage is not PULLED:
            for _ in self._upload:
                pass

    # saying things

    def say(self, frame: Any) -> None:
        kind = frame.frame
        self._send(pack_u64(kind.code) + encode(kind.fields, frame, self.protocol))

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

    def result(self, activity: int, kind: ResultType, *fields: int | str) -> None:
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

    def _receive(self) -> bytes:
        return self._sock.recv(CHUNK)

    def _send(self, data: bytes | bytearray) -> None:
        self._sock.sendall(data)


def _fields(hello: type, protocol: Protocol) -> tuple[Field, ...]:
    """Return the fields of a side's greeting behind magic and version."""
    layout = wire_of(hello)
    assert isinstance(layout, Record)
    return tuple(layout.layout(protocol)[2:])


def _part(part: Field, hello: DaemonHello, protocol: Protocol) -> bytes:
    out = bytearray()
    part.wire.write(getattr(hello, part.name), out, protocol)
    return bytes(out)
