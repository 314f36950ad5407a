"""A client's side of a conversation that it holds itself: shake hands, ask, listen.

One operation at a time, whichever thread asks: another is refused meanwhile. Everything is
written and read by the declarations; what the daemon says while it works goes to `log`. After
an error that leaves both sides in step the dialogue goes on; after any other it is over, and
says so on the next use.

Source: Nix `worker-protocol-connection.cc`, `remote-store.cc`.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from pix.codec.declare import STDERR_FRAMES, Operation, record_of, wire_of
from pix.codec.errors import DecodeError, EncodeError, GateError, Lost
from pix.codec.gates import NEWEST, Protocol
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, WRITTEN, Bare, Carriage, pieces
from pix.codec.records import MISSING, Record
from pix.codec.values import encode
from pix.codec.wire import Reader, bytes_of, pack_string, pack_u64
from pix.codec.words import foreign
from pix.daemon.arguments import expected
from pix.daemon.errors import NixDaemonError, without_colours
from pix.daemon.handshake import handshake, turned_away
from pix.daemon.transport import Stream
from pix.daemon.upload import Pull, one_nar
from pix.protocol.logging import (
    STDERR_ERROR,
    ResultType,
    StderrError,
    StderrLast,
    StderrNext,
    StderrRead,
    StderrResult,
    StderrWrite,
)
from pix.protocol.types import TrustedFlag
from pix.protocol.unread import may_be_unread

HANDSHAKE = "the handshake"

LOG_LINES = 200
"""How many of an operation's last log lines an error keeps."""

LONGEST_ERROR = 1 << 15
"""Bytes at the end of a broken NAR in which the daemon's error is looked for."""

CLOSING = 0.05
"""Seconds to find out whether a repeated error is the second copy of one before a close."""

Log: TypeAlias = "Callable[[Any], None]"
"""Told of STDERR frames: StderrNext, StderrStartActivity, StderrStopActivity, StderrResult."""

Write: TypeAlias = "Callable[[bytes], Any]"
"""Where payload from the daemon goes."""


class Dialogue:
    """One connection, from handshake to end.

    `protocol` is what was negotiated, `nix_version` the daemon's release where it says so
    (1.33), `trusted` whether it trusts us (1.35), `failure` why the dialogue is over.
    """

    def __init__(self, stream: Stream, log: Log | None = None) -> None:
        self.stream = stream
        self.log = log
        self.protocol = NEWEST
        self.nix_version: str | None = None
        self.trusted: TrustedFlag | int = TrustedFlag.UNKNOWN
        self.failure: str | None = None
        self._going_on: str | None = None
        self._claim = threading.Lock()
        self._owner: int | None = None
        self._ended_elsewhere = False
        self._in_step = True
        self._verdict: StderrLast | NixDaemonError | None = None
        self._last_error: StderrError | None = None
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._pull: Pull | None = None
        self._write: Write | None = None

    def handshake(self, ours: Protocol) -> None:
        """Say who we are, and learn who the daemon is.

        `ours` is the newest version and all features that we are willing to speak.
        Raises NixDaemonError, also for a daemon that is too old.
        """
        with self._operation(HANDSHAKE):
            agreed = handshake(self.stream, ours)
            self.protocol = agreed.protocol
            self.nix_version = agreed.nix_version
            self.trusted = agreed.trusted
            try:
                self._conclude()
            except Lost as lost:
                raise turned_away(ours, lost) from None

    def ask(self, request: Any, write: Write | None = None) -> Any:
        """Send a request and return its reply, an object of the operation's `Reply`.

        Payload goes to `write`, or into the reply's payload field when that is None.
        Raises EncodeError, before anything is sent, for what this version cannot carry;
        NixDaemonError for everything else.
        """
        head = self._head(request)
        operation: Operation = request.operation
        collected = bytearray()
        with self._operation(operation.name, self._may_be_unread(request)):
            self._ask(request, head, write or collected.extend)
            reply = self._reply(operation)
            carriage = _carriage(operation.reply, self.protocol)
            if isinstance(carriage, Bare):
                for piece in self._bare(carriage):
                    (write or collected.extend)(piece)
        if operation.reply.payload is not None:
            setattr(reply, operation.reply.payload.name, bytes(collected))
        return reply

    def ask_for_nar(self, request: Any) -> Iterator[bytes]:
        """Send a request whose reply is a NAR, and yield that, in pieces as they come.

        An iterator that is given up ends the dialogue: there is no way to stop the daemon.
        Raises as `ask`.
        """
        head = self._head(request)
        operation: Operation = request.operation
        with self._operation(operation.name, self._may_be_unread(request)):
            self._ask(request, head, None)
            self._reply(operation)
            yield from self._bare(RAW_NAR)

    def ended(self) -> str | None:
        """Return why the dialogue is over, None while it is not. Looks between operations."""
        if self._claim.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._claim.release()
        return self.failure

    def end(self) -> None:
        """Be over; another thread's operation is interrupted, and fails."""
        self.failure = self.failure or "it was closed"
        if self._owner in (None, threading.get_ident()):
            self.stream.close()
        else:
            self._ended_elsewhere = True
            self.stream.interrupt()

    def detach(self) -> socket.socket:
        """Hand the socket over to the caller. Raises NixDaemonError in mid-operation."""
        with self._claimed("handing over the socket"):
            self.failure = "its socket was handed over"
            return self.stream.detach()

    @contextmanager
    def _operation(self, name: str, unread: bool = False) -> Iterator[None]:
        """What is said inside belongs to `name`; a failure that leaves doubts ends the dialogue.

        `unread`: when the daemon refuses it, it may not have read all of it.
        """
        with self._claimed(name), self._failures(name, unread):
            yield

    @contextmanager
    def _failures(self, name: str, unread: bool) -> Iterator[None]:
        self._in_step = True
        self._verdict = None
        self._lines.clear()
        try:
            yield
        except NixDaemonError as error:
            self._last_error = error.frame
            if error.frame is None or not self._in_step or name == HANDSHAKE:
                self._fail(f"{name}: {error}")
            elif unread:
                self._fail(f"{name}: {error}; the daemon may be out of step")
            raise
        except Lost as error:
            raise self._fail(f"{name}: {error}") from None
        except DecodeError as error:
            raise self._fail(f"{name}: the daemon's answer cannot be read: {error}") from None
        except BaseException as error:
            # the caller's own: a callback, a source or a target that failed, an interrupt
            self._fail(f"{name} was left unfinished ({type(error).__name__})")
            raise
        else:
            self._last_error = None
        finally:
            self._pull = self._write = None

    @contextmanager
    def _claimed(self, name: str) -> Iterator[None]:
        """Have the connection to oneself. Raises NixDaemonError where it is over, or another's."""
        if not self._claim.acquire(blocking=False):
            busy = self._going_on or "another operation"
            raise NixDaemonError(f"{busy} is still going on: open another connection for this")
        self._going_on, self._owner = name, threading.get_ident()
        try:
            if name != HANDSHAKE:
                self._look()
            if self.failure is not None:
                raise NixDaemonError(f"this connection is over: {self.failure}; connect again")
            yield
        finally:
            if self._ended_elsewhere:
                self.stream.close()
            self._going_on = self._owner = None
            self._claim.release()

    def _look(self) -> None:
        """See whether the daemon said anything, or left, in between."""
        if self.failure is None:
            try:
                if self.stream.heard():
                    self._fail(self._after("the daemon said more than it was asked for"))
            except Lost as error:
                self._fail(self._after(str(error)))

    def _after(self, what: str) -> str:
        before = self._last_error
        if before is None:
            return what
        message = NixDaemonError.said(before, has_status=self._has_status).message
        return f"the daemon gave up after its last error: {message}"

    def _fail(self, why: str) -> NixDaemonError:
        """End the dialogue; return the error that says why."""
        self.failure = self.failure or why
        self.stream.close()
        return NixDaemonError(why, log=tuple(self._lines))

    @property
    def _has_status(self) -> bool:
        return record_of(StderrError).has("status", self.protocol)

    def _may_be_unread(self, request: Any) -> bool:
        return may_be_unread(request, self.protocol, self.trusted, self.nix_version)

    def _head(self, request: Any) -> bytes:
        """Return the request without its payload. Raises EncodeError, NixDaemonError."""
        operation = getattr(request, "operation", None)
        if not isinstance(operation, Operation):
            raise expected("a request", request)
        protocol = self.protocol
        if operation.family is not protocol.family:
            raise NixDaemonError(
                f"{operation.name} is of the {operation.family} protocol, this connection speaks"
                f" the {protocol.family} protocol"
            )
        if operation.feature is not None and operation.feature not in protocol.features:
            raise NixDaemonError(f"{operation.name} needs the feature {operation.feature}")
        if not operation.life.is_there(protocol.minor):
            raise NixDaemonError(
                f"{operation.name} came with {operation.life.introduced};"
                f" this daemon is spoken to in {protocol.text}"
            )
        try:
            fields = encode(operation.request, request, protocol)
            payload = operation.request.payload
            if payload is not None:
                source = getattr(request, payload.name)
                if source is MISSING:
                    raise GateError(payload.name, "is needed: the payload")
                pieces(source)
        except EncodeError as error:
            raise error.inside(operation.name) from None
        return pack_u64(operation.number) + fields

    def _ask(self, request: Any, head: bytes, write: Write | None) -> None:
        """Send the request and hear the daemon out, up to its reply."""
        operation: Operation = request.operation
        carriage = _carriage(operation.request, self.protocol)
        if _carriage(operation.reply, self.protocol) is WRITTEN:
            self._write = write
        source: Any = None
        if operation.request.payload is not None:
            source = getattr(request, operation.request.payload.name)
        if carriage is PULLED:
            self._pull = Pull(source)
        self._send(head)
        if carriage is FRAMES:
            self._send_frames(source)
        elif carriage is RAW_NAR:
            self._send_nar(source)
        elif isinstance(carriage, Bare):
            for piece in pieces(source):
                self._send(piece)
        self._conclude()

    def _send(self, data: bytes | bytearray | memoryview, listening: bool = False) -> None:
        has_log = self.protocol.family.has_log
        try:
            self.stream.send(data, self._listen if listening and has_log else None)
        except Lost:
            if not has_log:
                raise
            # a daemon that hung up may have said why
            self._in_step = False
            self._pull = None
            self._conclude()
            raise

    def _send_frames(self, source: Any) -> None:
        for piece in pieces(source):
            self._send(pack_u64(len(piece)) + piece, listening=True)
            if self._interrupted():
                break
        self._send(bytes(8))
        # Nix drains the frames before it reports an error: one that came earlier was raised
        # before anybody read them, and the daemon now takes their lengths for operations
        self._in_step = not isinstance(self._verdict, NixDaemonError)

    def _send_nar(self, source: Any) -> None:
        for piece in one_nar(source):
            if self._interrupted() and isinstance(self._verdict, NixDaemonError):
                self._in_step = False
                break
            self._send(piece, listening=True)

    def _interrupted(self) -> bool:
        """Whether the daemon has come to its end already, in the middle of our payload."""
        if not self.protocol.family.has_log:
            return False
        if self._verdict is None and self.stream.heard():
            self._listen()
        return self._verdict is not None

    def _listen(self) -> None:
        """Take the frames that have come."""
        cursor = self.stream.cursor
        while self._verdict is None and cursor.pos < cursor.end:
            self._verdict = self._frame()

    def _conclude(self) -> None:
        """Hear the daemon out, where it says anything before it answers.

        Raises NixDaemonError when what it says last is an error.
        """
        if not self.protocol.family.has_log:
            return
        while self._verdict is None:
            self._verdict = self._frame()
        if isinstance(self._verdict, NixDaemonError):
            raise self._verdict

    def _frame(self) -> StderrLast | NixDaemonError | None:
        """Take one STDERR frame; return it when it is the last."""
        stream = self.stream
        code = stream.word()
        kind = STDERR_FRAMES.get(code)
        if kind is None:
            raise DecodeError(stream.cursor.offset - 8, "a STDERR frame", foreign(code))
        base = stream.cursor.offset
        frame = stream.value(kind.fields, self.protocol)
        if isinstance(frame, StderrLast):
            return frame
        if isinstance(frame, StderrError):
            return self._error(frame)
        if isinstance(frame, StderrRead):
            self._answer(frame.length, base)
        elif isinstance(frame, StderrWrite):
            if self._write is None:
                raise DecodeError(base - 8, "no STDERR_WRITE in this operation", "one")
            self._write(bytes_of(frame.data))
        else:
            self._note(frame)
            if self.log is not None:
                self.log(frame)
        return None

    def _error(self, frame: StderrError) -> NixDaemonError:
        error = NixDaemonError.said(frame, has_status=self._has_status, log=tuple(self._lines))
        if frame == self._last_error and self.stream.hangs_up(CLOSING):
            # the second copy of the error before: this request was not looked at
            raise self._fail(self._after(""))
        return error

    def _answer(self, length: int, offset: int) -> None:
        """Answer STDERR_READ with one string; an empty one says that there is no more."""
        if self._pull is None:
            raise DecodeError(offset - 8, "no STDERR_READ in this operation", "one")
        piece = self._pull.read(length)
        self._send(pack_string(piece))

    def _note(self, frame: Any) -> None:
        """Keep the text of a log frame for an error to come."""
        text = None
        if isinstance(frame, StderrNext):
            text = frame.text
        elif isinstance(frame, StderrResult) and frame.type == ResultType.BUILD_LOG_LINE:
            text = next((value for value in frame.fields if isinstance(value, str)), None)
        if text:
            self._lines.extend(without_colours(text).rstrip("\n").split("\n"))

    def _reply(self, operation: Operation) -> Any:
        return self.stream.value(operation.reply, self.protocol)

    def _bare(self, carriage: Carriage) -> Iterator[bytes]:
        """Yield what stands bare in the stream. Raises what the daemon says in its midst."""
        tail: deque[bytes] = deque()
        scanner = carriage.scan(self.stream.cursor)
        passing = self.stream.passing(scanner)
        start = self.stream.cursor.offset
        try:
            while True:
                try:
                    piece = next(passing)
                except StopIteration as stop:
                    whole = stop.value
                    break
                tail.append(piece)
                if sum(map(len, tail)) - len(tail[0]) >= LONGEST_ERROR:
                    tail.popleft()
                yield piece
        except Lost as lost:
            self._in_step = False
            said = self._last_words(b"".join(tail))
            if said is not None:
                raise said from None
            at = self.stream.cursor.received - start
            raise Lost(
                f"{lost}, {at} bytes into the {'NAR' if carriage is RAW_NAR else carriage.name}"
            ) from None
        if not whole:
            self._in_step = False
            self._verdict = None
            self._conclude()

    def _last_words(self, tail: bytes) -> NixDaemonError | None:
        """Return the error at the end of a NAR that broke off inside a file's contents.

        Nothing marks it there: it is taken for contents, so its bytes are in `tail`.
        """
        if not self.protocol.family.has_log:
            return None
        fields = wire_of(StderrError)
        word = pack_u64(STDERR_ERROR)
        at = tail.find(word)
        while at >= 0:
            reader = Reader(tail[at + 8 :], self.protocol)
            try:
                frame = fields.read(reader)
                end = at + 8 + reader.pos
                if tail[end:] in (b"", tail[at:end]):
                    return NixDaemonError.said(
                        frame, has_status=self._has_status, log=tuple(self._lines)
                    )
            except DecodeError:
                pass
            at = tail.find(word, at + 1)
        return None


def _carriage(part: Record, protocol: Protocol) -> Carriage | None:
    return None if part.payload is None else part.payload.carriage(protocol)
