"""The daemon's side of a connection: handshake, requests and what they carry, answers.

A daemon is a `ServedConnection` with answers. Where bytes come from and go to is its own:
`receive` returns the next ones, none at the end, `send` takes all it is given.

Whatever a request carries is consumed to its end before the next one is read, also when it is
refused. Source of the order of things: Nix `daemon.cc`, `worker-protocol-connection.cc`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pix.codec.cursor import Limits
from pix.codec.declare import OPERATIONS, Operation
from pix.codec.errors import DecodeError, Lost, PixError
from pix.codec.gates import OLDEST_MINOR, SERVE, WORKER, Protocol, is_guix, negotiate
from pix.codec.incoming import Incoming
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, Bare, Carriage
from pix.codec.values import encode
from pix.codec.wire import Reader, pack_u64
from pix.codec.words import foreign
from pix.protocol import serve
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import STDERR_LAST, StderrRead
from pix.protocol.serve import ServerHello
from pix.protocol.shake_hands import shake_hands

PULL = 32768
"""Bytes that STDERR_READ asks for, as Nix does."""

EARLY = "unexpected end-of-file"

LAST = pack_u64(STDERR_LAST)


class Refusal(PixError):
    """An error for the client.

    `status` is the exit status that a client below 1.26 is told: 1, or 100 and more for
    failed builds. `traces` say what was being done, innermost first. `ends`: the connection
    is over then, as the client's stream cannot be followed; `times` is how often the error is
    said then, None for as often as this daemon does. `astray`: its payload is not looked at,
    so that the connection is over as soon as that is taken for an operation.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 1,
        traces: Iterable[str] = (),
        ends: bool = False,
        times: int | None = None,
        astray: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.traces = tuple(traces)
        self.ends = ends
        self.times = times
        self.astray = astray


class ServedConnection:
    """One client. `protocol` is what was negotiated.

    `pulled`: the payload of the request that is being answered comes when it is asked for.

    `limits` and `longest`, in bytes, bound what a request may be without its payload.
    """

    def __init__(
        self,
        receive: Callable[[], bytes],
        send: Callable[[bytes], Any],
        limits: Limits | None = None,
        longest: int | None = None,
    ) -> None:
        self.send = send
        self.protocol = Protocol(OLDEST_MINOR)
        self._incoming = Incoming(receive, lambda: Lost("the client hung up"), limits, longest)
        self._payload: Iterator[bytes] | None = None
        self.pulled = False

    # What a daemon is made of ------------------------------------------------------------

    def offers(self, operation: Operation) -> bool:
        """Return whether an operation is answered at all."""
        return operation.feature is None or operation.feature in self.protocol.features

    def answer(self, request: Any) -> Any:
        """Return what `reply` is to say. Raises Refusal."""
        raise NotImplementedError

    def reply(self, operation: Operation, answer: Any) -> bool:
        """Say the answer; return whether the connection goes on."""
        raise NotImplementedError

    def refuse(self, refusal: Refusal) -> None:
        """Say that there is no answer."""
        raise NotImplementedError

    # The order of things -----------------------------------------------------------------

    def serve(self, hello: DaemonHello | ServerHello, oldest: int = OLDEST_MINOR) -> None:
        """Shake hands, then answer request after request until the client hangs up or errs.

        With a ServerHello it is the serve protocol, in which a refusal is the end.

        `oldest` is the oldest minor version that is spoken. Raises Refusal, which nobody can
        be told, for a client of a version that is not.
        """
        try:
            self._handshake(hello, oldest)
            while not self._incoming.over() and self._one():
                pass
        except (Lost, DecodeError, OSError):
            pass

    def _handshake(self, hello: DaemonHello | ServerHello, oldest: int) -> None:
        family = SERVE if isinstance(hello, ServerHello) else WORKER
        heard = serve.ClientHello(version=0) if family is SERVE else ClientHello(version=0)
        oldest = max(family.oldest, oldest) if family is WORKER else family.oldest

        def negotiated(name: str) -> Protocol | None:
            if heard.magic != family.magics[0]:
                raise DecodeError(0, "the client's magic", foreign(heard.magic))
            if name != "version":
                return None
            minor = negotiate(heard.version, hello.version, family)
            protocol = Protocol(minor, family=family)
            too_old = min(heard.version, protocol.number) < family.major << 8 | oldest
            if too_old or (family is WORKER and is_guix(heard.version)):
                raise Refusal(f"a client of version {heard.version:#x} was turned away")
            return protocol

        receive = self._incoming.value
        last = LAST if family.has_log else b""
        self.protocol = shake_hands(hello, heard, self.send, receive, negotiated, last)

    def _one(self) -> bool:
        """Take one request and answer it; return whether the connection goes on."""
        self._payload = None
        try:
            operation, request = self._request()
            answer = self.answer(request)
            self._settle()
        except Lost:
            if self._payload is None:
                raise
            self.refuse(Refusal(EARLY))
            return False
        except (Refusal, DecodeError) as error:
            refusal = error if isinstance(error, Refusal) else Refusal(f"bad archive: {error}")
            if refusal.astray:
                self.refuse(refusal)
                self.refuse(self.unknown(self._incoming.word()))
                return False
            try:
                self._settle()
            except Refusal:
                refusal.ends = True
            except Lost:
                pass  # it may still want to know why
            self.refuse(refusal)
            return not refusal.ends and self.protocol.family.has_log
        return self.reply(operation, answer)

    def _request(self) -> tuple[Operation, Any]:
        """Take the next request. Raises Lost where there is none, Refusal."""
        code = self._incoming.word()
        operation = OPERATIONS.get(self.protocol.family.code(code))
        if operation is None or not self.offers(operation):
            raise self.unknown(code)
        try:
            request = self._incoming.value(operation.request, self.protocol)
        except DecodeError as error:
            raise self.unreadable(operation, error) from None
        except Lost:
            raise Refusal(EARLY, ends=True) from None
        payload = operation.request.payload
        carriage = None if payload is None else payload.carriage(self.protocol)
        self.pulled = carriage is PULLED
        self._payload = None if carriage is None else self._carried(carriage)
        return operation, request

    def unknown(self, code: int) -> Refusal:
        """Return the error for an operation that is not offered."""
        return Refusal(f"there is no operation {foreign(code)}", ends=True)

    def unreadable(self, operation: Operation, error: DecodeError) -> Refusal:
        """Return the error for a request whose fields are not what they should be."""
        return Refusal(f"{operation.name}: {error}", ends=True)

    # Payload -----------------------------------------------------------------------------

    def payload(self) -> Iterator[bytes]:
        """Return the payload of the request that is being answered, in pieces as they come."""
        return self._payload or iter(())

    def content(self, early: str = EARLY) -> Incoming:
        """Return the same, to be read as values; `early` is the Refusal at an early end."""
        pieces = self.payload()
        return Incoming(lambda: next(pieces, b""), lambda: Refusal(early))

    def _carried(self, carriage: Carriage) -> Iterator[bytes]:
        """Yield payload. Raises Refusal where the stream cannot be followed any further."""
        try:
            if carriage is FRAMES:
                yield from self._incoming.frames()
            elif carriage is RAW_NAR:
                yield from self._incoming.nar()
            elif isinstance(carriage, Bare):
                yield from self._incoming.passing(carriage.scan(self._incoming.cursor))
            elif carriage is PULLED:
                yield from iter(self._pull, b"")
        except DecodeError as error:
            what = "bad archive: " if carriage is RAW_NAR else ""
            raise Refusal(f"{what}{error}", ends=True) from None

    def _pull(self) -> bytes:
        """Ask the client for payload and return its answer, taken to the end of its padding."""
        self.say(StderrRead(length=PULL))
        incoming = self._incoming
        return Reader(incoming.take(incoming.cursor.text(PULL))).string()

    def _settle(self) -> None:
        """Go over what is left of payload that comes without being asked for."""
        if not self.pulled:
            for _ in self.payload():
                pass

    # Saying things -----------------------------------------------------------------------

    def say(self, frame: Any) -> None:
        """Send a STDERR frame."""
        kind = frame.frame
        self.send(pack_u64(kind.code) + encode(kind.fields, frame, self.protocol))
