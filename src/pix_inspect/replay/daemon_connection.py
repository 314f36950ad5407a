"""One client of a daemon that is played from a recording.

Requests are taken in by the declarations, whatever their size, and answered with what the
daemon said when it was recorded: log frames, error or reply, payload; byte for byte where the
client speaks the version of the recording, else written anew. What has no answer gets an error
that says so, and the connection goes on.

Source of the order of things: Nix `daemon.cc`, `worker-protocol-connection.cc`.
"""

from __future__ import annotations

import socket
import time as clock
from collections.abc import Callable
from typing import Any

from pix.codec.declare import Operation
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.payload import WRITTEN
from pix.codec.values import encode, fitted
from pix.codec.wire import Reader
from pix.conversation.exchange import DAEMON
from pix.problem import Problem
from pix.protocol.handshake import HELLOS, DaemonHello
from pix.protocol.logging import STDERR_READ, StderrError
from pix.protocol.operations import AddPermRoot, SetOptions
from pix.protocol.serve import ServerHello
from pix.serving import LAST, Refusal, ServedConnection
from pix_inspect.replay.answers import Candidate, Digest, Repertoire
from pix_inspect.replay.recorded import ELIDED, RecordedExchange, RecordedSession
from pix_inspect.replay.translate import frame_bytes, newest
from pix_inspect.session.exchange_view import Part

CHUNK = 1 << 16


def recorded_hello(recorded: RecordedSession) -> DaemonHello | ServerHello:
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
            wire = HELLOS[exchange.protocol.family][DAEMON]
            said: DaemonHello = wire.read(Reader(data, exchange.protocol))
        except DecodeError:
            continue
        return said
    raise Problem(f"{recorded.path} has no daemon's whole handshake: there is none to play")


class PlayedConnection(ServedConnection):
    """Serves one client. `narrate` gets a line about each request that has no answer."""

    def __init__(
        self,
        sock: socket.socket,
        hello: DaemonHello | ServerHello,
        repertoire: Repertoire,
        *,
        pace: bool = False,
        narrate: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(lambda: sock.recv(CHUNK), sock.sendall)
        self.hello = hello
        self.repertoire = repertoire
        self.pace = pace
        self.narrate = narrate
        self.started = 0.0
        self.asked: Any = None

    def play(self) -> None:
        """Shake hands, then answer request after request until the client is gone."""
        try:
            self.serve(self.hello)
        except Refusal as refusal:
            self.narrate(refusal.message)

    @property
    def last(self) -> bytes:
        """What stands before a reply."""
        return LAST if self.protocol.family.has_log else b""

    # Requests ---------------------------------------------------------------------------

    def answer(self, request: Any) -> RecordedExchange | None:
        """Return the exchange that answers a request, None for SetOptions without any."""
        self.started = clock.monotonic()
        self.asked = request
        index = self._answer_to(request)
        return None if index is None else self.repertoire.recorded.exchange(index)

    def _answer_to(self, request: Any) -> int | None:
        """Return the exchange (from 0) that answers a request, whose payload is then read."""
        repertoire = self.repertoire
        digest = Digest()
        if self.pulled:
            asked, _ = newest(request, lambda: iter(()), self.protocol)
            found = repertoire.candidates(asked)
            if found:
                self._compare(found, digest)
        else:
            try:
                asked, content = newest(request, self.payload, self.protocol)
                digest.of(content)
            except EncodeError as error:
                raise Refusal(str(error)) from None
            found = repertoire.candidates(asked)
        if not found and isinstance(request, SetOptions):
            return None
        index = repertoire.chosen(asked, found, digest)
        if index is None:
            raise Refusal(repertoire.regrets(asked))
        return index

    def _compare(self, found: list[Candidate], digest: Digest) -> None:
        """Ask for payload until it is that of a candidate, or can be of none."""
        pieces, waiting = self.payload(), b""
        for size in sorted({each.size for each in found}):
            while digest.size < size:
                if not waiting and not (waiting := next(pieces, b"")):
                    return
                taken = waiting[: size - digest.size]
                waiting = waiting[len(taken) :]
                digest.add(taken)
            if any(each.digest in (None, digest.value) for each in found if each.size == size):
                return  # what was said beyond that is dropped, as daemons do

    # Answers ----------------------------------------------------------------------------

    def refuse(self, refusal: Refusal) -> None:
        self.narrate(refusal.message)
        if not self.protocol.family.has_log:
            return  # the end of the stream is all that can be said
        self.say(StderrError(message=f"pix-inspect replay: {refusal.message}"))

    def say(self, frame: Any) -> None:
        self.send(frame_bytes(frame, self.protocol))

    def reply(self, operation: Operation, answer: RecordedExchange | None) -> bool:
        """Say what the daemon said; False when it closed the connection then."""
        if answer is None:
            self.send(LAST)
            return True
        try:
            self._play(answer, operation)
        except (DecodeError, EncodeError) as problem:
            was, now = answer.protocol, self.protocol
            why = f"the answer #{answer.number} of {was} cannot be given in {now}: {problem}"
            self.refuse(Refusal(why))
        except (Problem, Refusal) as problem:
            self.refuse(Refusal(str(problem)))
        else:  # nothing more was asked, and the daemon's end came first
            return answer.row.complete or answer.row.state not in ("cut", "opaque")
        return self.protocol.family.has_log

    def _play(self, recorded: RecordedExchange, asked: Operation) -> None:
        view, exchange = recorded.view, recorded.exchange
        same = recorded.protocol == self.protocol and exchange.operation is asked
        for part in view.log:
            assert part.frame is not None
            if part.frame.frame.code != STDERR_READ:
                self._wait(recorded, part.time)
                self._frame(recorded, part, same)
        self._wait(recorded, exchange.ended)
        error = view.part("error")
        if error is not None and exchange.reply is None:
            self._frame(recorded, error, same)
        elif exchange.reply is not None:
            self._reply(recorded, asked, same)

    def _wait(self, recorded: RecordedExchange, time: int | None) -> None:
        if self.pace and time is not None:
            due = self.started + (time - recorded.row.started) / 1e9
            clock.sleep(max(due - clock.monotonic(), 0))

    def _frame(self, recorded: RecordedExchange, part: Part, same: bool) -> None:
        if same and part.end is not None:
            for piece in recorded.raw(DAEMON, part.start, part.end):
                self.send(piece)
        else:
            self.say(recorded.frame(part))

    def _reply(self, recorded: RecordedExchange, asked: Operation, same: bool) -> None:
        exchange = recorded.exchange
        assert exchange.reply is not None
        start, end = exchange.reply
        stop = exchange.daemon_end or end or start
        if recorded.lacks(DAEMON, start, stop):
            raise Refusal(f"the answer #{recorded.number}: {ELIDED}")
        if same and not isinstance(self.asked, AddPermRoot):
            self.send(self.last)
            for piece in recorded.raw(DAEMON, start, stop):
                self.send(piece)
            return
        reply = recorded.reply()
        if isinstance(self.asked, AddPermRoot):  # the link may be in another temporary folder
            reply.gc_root = self.asked.gc_root
        data = self._fitted(reply, recorded.operation, asked)
        self.send(self.last + data)
        carriage = recorded.carriage(DAEMON)
        if carriage is not None and carriage is not WRITTEN:
            for piece in recorded.content(DAEMON):
                self.send(piece)

    def _fitted(self, reply: Any, was: Operation, asked: Operation) -> bytes:
        """Return a recorded reply as one to the operation asked, in the client's version."""
        if was is not asked:
            names = {part.name for part in asked.reply.fields}
            known = {part.name for part in was.reply.fields} & names
            reply = asked.reply.kind(**{name: getattr(reply, name) for name in known})
        return encode(asked.reply, fitted(asked.reply, reply, self.protocol), self.protocol)
