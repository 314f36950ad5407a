"""One client of a daemon that is played from a recording.

Requests are taken in by the declarations, whatever their size, and answered with what the
daemon said when it was recorded: log frames, error or reply, payload; byte for byte where the
client speaks the version of the recording, else written anew. What has no answer gets an error
that says so, and the connection goes on.

Source of the order of things: Nix `daemon.cc`, `worker-protocol-connection.cc`.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Generator, Iterator
from typing import Any

from pix.codec.declare import OPERATIONS, Operation, wire_of
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import GUIX_MINOR, OLDEST_MINOR, Protocol, negotiate
from pix.codec.payload import FRAMES, PULLED, RAW_NAR, WRITTEN
from pix.codec.records import Record
from pix.codec.values import encode, fitted
from pix.codec.wire import Reader, pack_u64
from pix.codec.words import foreign
from pix.conversation.exchange import DAEMON
from pix.daemon.transport import Lost, Stream
from pix.problem import Problem
from pix.protocol.handshake import CLIENT_MAGIC, ClientHello, DaemonHello
from pix.protocol.logging import STDERR_LAST, STDERR_READ, StderrError, StderrRead
from pix_inspect.replay.answers import Candidate, Digest, Repertoire
from pix_inspect.replay.recorded import ELIDED, RecordedExchange, RecordedSession
from pix_inspect.replay.translate import frame_bytes, newest
from pix_inspect.session.exchange_view import Part

PULL = 32768
"""Bytes that STDERR_READ asks for at most, as Nix does."""

LAST = pack_u64(STDERR_LAST)


class Unanswered(Exception):
    """There is no answer to a request; says why. `ends`: nor can the connection go on."""

    def __init__(self, why: str, *, ends: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.ends = ends


def greeting_of(recorded: RecordedSession) -> DaemonHello:
    """Return what the recorded daemon said of itself. Raises Problem where it never did."""
    for indexes in recorded.connections.values():
        if recorded.session.row(indexes[0]).kind != "handshake":
            continue
        exchange = recorded.exchange(indexes[0])
        reply = exchange.view.part("reply")
        if reply is None or reply.error is not None or reply.end is None:
            continue
        data = b"".join(exchange.raw(DAEMON, reply.start, reply.end))
        try:
            said: DaemonHello = wire_of(DaemonHello).read(Reader(data, exchange.protocol))
        except DecodeError:
            continue
        return said
    raise Problem(f"{recorded.path} has no whole handshake: it does not say which daemon to play")


class PlayedConnection:
    """Serves one client. `say` gets a line about each request that has no answer."""

    def __init__(
        self,
        stream: Stream,
        hello: DaemonHello,
        repertoire: Repertoire,
        *,
        pace: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.stream = stream
        self.hello = hello
        self.repertoire = repertoire
        self.pace = pace
        self.say = say
        self.protocol = Protocol(hello.version & 0xFF)

    def serve(self) -> None:
        """Greet, then answer request after request until the client is gone."""
        try:
            if self._greet():
                while self._one():
                    pass
        except (Lost, DecodeError):
            pass
        finally:
            self.stream.close()

    # The handshake ---------------------------------------------------------------------

    def _greet(self) -> bool:
        stream = self.stream
        if stream.word() != CLIENT_MAGIC:
            return False
        hello = self.hello
        stream.send(pack_u64(hello.magic) + pack_u64(hello.version))
        theirs = stream.word()
        minor = negotiate(theirs, hello.version)
        if not OLDEST_MINOR <= minor < GUIX_MINOR:
            self.say(f"a client of version {theirs:#x} was turned away")
            return False
        protocol = Protocol(minor)
        features: frozenset[str] = frozenset()
        for part in _behind_version(ClientHello, protocol):
            data = stream.value(part.wire.program(protocol))
            if part.name == "features":
                features = frozenset(part.wire.read(Reader(data, protocol)))
                # the client waits for ours before it goes on
                self._say_of_us(protocol, "features")
        self._say_of_us(protocol, "daemon_nix_version", "trusted")
        stream.send(LAST)
        self.protocol = Protocol(minor, features & frozenset(hello.features))
        return True

    def _say_of_us(self, protocol: Protocol, *names: str) -> None:
        out = bytearray()
        for part in _behind_version(DaemonHello, protocol):
            if part.name in names:
                part.wire.write(getattr(self.hello, part.name), out, protocol)
        self.stream.send(out)

    # Requests ---------------------------------------------------------------------------

    def _one(self) -> bool:
        """Take one request and answer it; False when the connection is over."""
        code = self.stream.word()
        started = clock.monotonic()
        operation = OPERATIONS.get(code)
        try:
            if operation is None:
                raise Unanswered(f"there is no operation {foreign(code)}", ends=True)
            data = self.stream.value(operation.request.program(self.protocol))
            request = operation.request.read(Reader(data, self.protocol))
            index = self._answer_to(request, operation)
            if index is None:  # SetOptions of a recording without any
                self.stream.send(LAST)
                return True
            return self._play(self.repertoire.recorded.exchange(index), operation, started)
        except DecodeError as error:
            return self._refuse(f"the request cannot be read: {error}", ends=True)
        except Unanswered as unanswered:
            return self._refuse(unanswered.why, ends=unanswered.ends)

    def _answer_to(self, request: Any, operation: Operation) -> int | None:
        """Return the exchange (from 0) that answers a request, whose payload is then read."""
        repertoire = self.repertoire
        payload = operation.request.payload
        carriage = None if payload is None else payload.carriage(self.protocol)
        digest = Digest()
        if carriage is PULLED:
            asked, _ = newest(request, lambda: iter(()), self.protocol)
            found = repertoire.candidates(asked)
            if found:
                self._pull(found, digest)
        else:
            pieces: Iterator[bytes] = iter(())
            if carriage is FRAMES:
                pieces = self._frames()
            elif carriage is RAW_NAR:
                pieces = self.stream.passing(RAW_NAR.scan(self.stream.cursor))
            try:
                asked, content = newest(request, lambda: pieces, self.protocol)
                digest.of(content)
            except EncodeError as error:
                raise Unanswered(str(error)) from None
            finally:
                for _ in pieces:  # the next request comes behind it
                    pass
            found = repertoire.candidates(asked)
        if not found and operation.name == "SetOptions":
            return None
        index = repertoire.chosen(asked, found, digest)
        if index is None:
            raise Unanswered(repertoire.regrets(asked))
        return index

    def _frames(self) -> Iterator[bytes]:
        """Yield the content of frames up to the empty one."""
        while n := self.stream.word():
            yield from self.stream.passing(self._skip(n))

    def _skip(self, size: int) -> Generator[None, None, bool]:
        cursor = self.stream.cursor
        cursor.pos += size
        yield from cursor.arrived()
        return True

    def _pull(self, found: list[Candidate], digest: Digest) -> None:
        """Ask for payload until it is that of a candidate, or can be of none."""
        waiting = b""
        for size in sorted({each.size for each in found}):
            while digest.size < size:
                if not waiting and not (waiting := self._pulled()):
                    return
                taken = waiting[: size - digest.size]
                waiting = waiting[len(taken) :]
                digest.add(taken)
            if any(each.digest in (None, digest.value) for each in found if each.size == size):
                return  # what was said beyond that is dropped, as daemons do

    def _pulled(self) -> bytes:
        """Return the client's answer to STDERR_READ."""
        self.stream.send(frame_bytes(StderrRead(length=PULL), self.protocol))
        n = self.stream.word()
        if n > PULL:
            raise Unanswered("a longer answer to STDERR_READ than was asked", ends=True)
        answer = b"".join(self.stream.passing(self._skip(n)))
        for _ in self.stream.passing(self._skip(-n & 7)):
            pass
        return answer

    # Answers ----------------------------------------------------------------------------

    def _play(self, recorded: RecordedExchange, asked: Operation, started: float) -> bool:
        """Say what the daemon said; False when it closed the connection then."""
        view, exchange = recorded.view, recorded.exchange
        same = recorded.protocol == self.protocol and exchange.operation is asked
        try:
            for part in view.log:
                assert part.frame is not None
                if part.frame.frame.code != STDERR_READ:
                    self._wait(recorded, part.time, started)
                    self._say(recorded, part, same)
            self._wait(recorded, exchange.ended, started)
            error = view.part("error")
            if error is not None and exchange.reply is None:
                self._say(recorded, error, same)
            elif exchange.reply is not None:
                self._reply(recorded, asked, same)
            return not self._closed_then(recorded)
        except (DecodeError, EncodeError) as problem:
            was, now = recorded.protocol, self.protocol
            why = f"the answer #{recorded.number} of {was} cannot be given in {now}: {problem}"
            raise Unanswered(why) from None
        except Problem as problem:
            raise Unanswered(str(problem)) from None

    def _wait(self, recorded: RecordedExchange, time: int | None, started: float) -> None:
        if self.pace and time is not None:
            due = started + (time - recorded.row.started) / 1e9
            clock.sleep(max(due - clock.monotonic(), 0))

    def _say(self, recorded: RecordedExchange, part: Part, same: bool) -> None:
        if same and part.end is not None:
            for piece in recorded.raw(DAEMON, part.start, part.end):
                self.stream.send(piece)
        else:
            self.stream.send(frame_bytes(recorded.frame(part), self.protocol))

    def _reply(self, recorded: RecordedExchange, asked: Operation, same: bool) -> None:
        exchange = recorded.exchange
        assert exchange.reply is not None
        start, end = exchange.reply
        stop = exchange.daemon_end or end or start
        if recorded.lacks(DAEMON, start, stop):
            raise Unanswered(f"the answer #{recorded.number}: {ELIDED}")
        if same:
            self.stream.send(LAST)
            for piece in recorded.raw(DAEMON, start, stop):
                self.stream.send(piece)
            return
        data = self._fitted(recorded.reply(), recorded.operation, asked)
        self.stream.send(LAST + data)
        carriage = recorded.carriage(DAEMON)
        if carriage is not None and carriage is not WRITTEN:
            for piece in recorded.content(DAEMON):
                self.stream.send(piece)

    def _fitted(self, reply: Any, was: Operation, asked: Operation) -> bytes:
        """Return a recorded reply as one to the operation asked, in the client's version."""
        if was is not asked:
            names = {part.name for part in asked.reply.fields}
            known = {part.name for part in was.reply.fields} & names
            reply = asked.reply.kind(**{name: getattr(reply, name) for name in known})
        return encode(asked.reply, fitted(asked.reply, reply, self.protocol), self.protocol)

    def _closed_then(self, recorded: RecordedExchange) -> bool:
        """Whether the daemon broke off there: nothing more was asked, and its end came first."""
        return not recorded.row.complete and recorded.row.state in ("cut", "opaque")

    def _refuse(self, why: str, *, ends: bool) -> bool:
        """Say that there is no answer; False when the connection cannot go on."""
        self.say(why)
        error = StderrError(message=f"pix-inspect replay: {why}")
        self.stream.send(frame_bytes(error, self.protocol))
        return not ends


def _behind_version(hello: type, protocol: Protocol) -> tuple[Any, ...]:
    """Return the fields of a side's greeting behind magic and version."""
    layout = wire_of(hello)
    assert isinstance(layout, Record)
    return layout.layout(protocol)[2:]
