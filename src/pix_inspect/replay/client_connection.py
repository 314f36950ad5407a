"""One connection on which recorded requests are sent again.

Its bytes go through a conversation, which says when an answer is complete and how much payload
the daemon asks for, and into a recording, from which the answers are read later. Nothing here
waits: the caller says when there is something to receive or room to send.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import time as clock
from collections import deque
from collections.abc import Iterator

from pix.codec.errors import DecodeError, EncodeError
from pix.codec.gates import SERVE, WORKER, Family, Protocol, negotiate, newest
from pix.codec.payload import FRAME_SIZE, FRAMES, PULLED, framed
from pix.codec.values import encode, fitted
from pix.codec.wire import Reader, pack_string, pack_u64
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix.conversation.notes import Note
from pix.daemon.upload import Pull
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.protocol import serve
from pix.protocol.handshake import HELLOS, ClientHello
from pix_inspect.capture.relayed_connection import Tap, now
from pix_inspect.replay.recorded import RecordedExchange
from pix_inspect.replay.translate import request_head, translated

CHUNK = 1 << 16
"""Bytes asked of the kernel at a time."""

STRING_WORD = 8

HUNG_UP = "the daemon closed the connection"


@dataclass(slots=True)
class Asked:
    """An exchange under way: which one of the recording (from 0), and payload to be pulled."""

    index: int
    pull: Pull | None = None


def other_family(wanted: Protocol, recorded: Family) -> Problem:
    """Return the error for a version of the protocol that was not recorded."""
    return Problem(
        f"{wanted.text} is a version of the {wanted.family} protocol, the recording is of the"
        f" {recorded} protocol"
    )


class ReplayedConnection:
    """A connection to the daemon. `wanted` is what to speak at most, None as was recorded.

    `asked` are the exchanges begun, in order, `done` how many of them are over. `failure` says
    why the connection is of no further use, `lost` which exchanges (from 0) were under way then.
    """

    def __init__(
        self, recorded: RecordedExchange | None, wanted: Protocol | None, tap: Tap
    ) -> None:
        self.recorded = recorded
        self.wanted = wanted
        self.tap = tap
        self.asked: list[Asked] = []
        self.done = 0
        self.failure: str | None = None
        self.lost: list[int] = []
        self.closed = False
        self.protocol: Protocol | None = None
        self.active = clock.monotonic()
        """When something last passed."""
        if wanted is not None and wanted.family is not self._family:
            raise other_family(wanted, self._family)
        self._sock: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._talk = Conversation(self)
        self._out: deque[Iterator[bytes]] = deque()
        self._left = memoryview(b"")
        self._heard = b""
        self._answers = 0
        self._said_hello = False
        self._shut = False

    # The socket -----------------------------------------------------------------------

    def open(
        self, index: int, reached: tuple[socket.socket, subprocess.Popen[bytes] | None]
    ) -> None:
        """Begin on a socket to the daemon with the handshake, exchange `index`."""
        self._sock, self._process = reached
        self._sock.setblocking(False)
        self.asked.append(Asked(index))
        self.active = clock.monotonic()
        self._out.append(iter((pack_u64(self._family.magics[CLIENT]),)))
        if self._family is SERVE:  # a server may wait for all of it
            self._said_hello = True
            self._out.append(iter((self._hello(newest(SERVE).number),)))

    @property
    def _family(self) -> Family:
        """The protocol of what was recorded."""
        return (self.recorded.view.family if self.recorded is not None else None) or WORKER

    def fileno(self) -> int:
        assert self._sock is not None
        return self._sock.fileno()

    @property
    def is_open(self) -> bool:
        """Whether there is a socket."""
        return self._sock is not None

    @property
    def left_us(self) -> bool:
        """Whether the daemon hung up on a connection that was of use until then."""
        return self.closed and self.failure == HUNG_UP and self.done > 1

    @property
    def idle(self) -> bool:
        """Whether all that was asked is answered."""
        return self.done >= len(self.asked)

    def events(self) -> int:
        """Return what to poll for."""
        sending = not self._shut and (self._left or self._out)
        return select.POLLIN | (select.POLLOUT if sending else 0)

    def send_some(self) -> None:
        """Send what there is room for."""
        assert self._sock is not None
        try:
            while self._next_piece():
                sent = self._sock.send(self._left)
                piece, self._left = self._left[:sent], self._left[sent:]
                self.active = clock.monotonic()
                time = now()
                self.tap.chunk(CLIENT, piece, time)
                self._talk.feed(CLIENT, piece, time)
        except BlockingIOError:
            pass
        except OSError:
            # the daemon takes no more; what it said last is still to be heard
            self._out.clear()
            self._left = memoryview(b"")
            self._shut = True
        except Problem as problem:
            self.fail(str(problem))
        except EncodeError as error:
            self.fail(str(error))

    def _next_piece(self) -> bool:
        while not self._left:
            if not self._out:
                return False
            piece = next(self._out[0], None)
            if piece is None:
                self._out.popleft()
            else:
                self._left = memoryview(piece)
        return True

    def receive_some(self) -> None:
        """Take in what has come."""
        assert self._sock is not None
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        time = now()
        self.active = clock.monotonic()
        if not data:
            self.tap.half_close(DAEMON, time)
            self._talk.eof(DAEMON, time)
            self.fail(HUNG_UP)
            return
        self.tap.chunk(DAEMON, memoryview(data), time)
        self._heard = (self._heard + data)[-STRING_WORD:] if len(data) < 8 else data[-8:]
        try:
            self._talk.feed(DAEMON, data, time)
        except DecodeError as error:
            self.fail(str(error))
            return
        self._go_on()

    def _go_on(self) -> None:
        """Say what the daemon waits for, if it waits for us."""
        talk = self._talk
        if talk.is_opaque(DAEMON):
            self.fail(f"the daemon's answer cannot be read: {self._reason()}")
            return
        if not self._said_hello and (version := talk.versions[DAEMON]) is not None:
            self._said_hello = True
            self._out.append(iter((self._hello(version),)))
        pending = talk.pending[0] if talk.pending else None
        if pending is not None and pending.reads > self._answers:
            self._answer()

    def _reason(self) -> str:
        handshake = self._talk.handshake
        notes = [*self._notes, *(handshake.notes if handshake is not None else ())]
        return str(notes[-1]) if notes else "out of step"

    _notes: tuple[Note, ...] = ()

    # What is said -----------------------------------------------------------------------

    def _hello(self, theirs: int) -> bytes:
        """Return the rest of our part of the handshake, once the daemon's version is known.

        What was in force when it was recorded is asked for, so that the requests' bytes can be
        the same.
        """
        hello = self._recorded_hello()
        was = self.recorded.protocol if self.recorded is not None else None
        wanted = self.wanted
        if wanted is not None:
            hello.version = wanted.number
        elif was is not None and was.minor and negotiate(hello.version, theirs) != was.minor:
            hello.version = was.number
        if isinstance(hello, ClientHello) and wanted is not None:
            hello.features = tuple(sorted(wanted.features))
        elif isinstance(hello, ClientHello) and was is not None and was.minor:
            hello.features = tuple(each for each in hello.features if each in was.features)
        family = self._family
        protocol = Protocol(negotiate(hello.version, theirs, family), family=family)
        wire = HELLOS[family][CLIENT]
        return encode(wire, fitted(wire, hello, protocol), protocol)[8:]

    def _recorded_hello(self) -> ClientHello | serve.ClientHello:
        recorded = self.recorded
        if recorded is not None and recorded.view.protocol is not None:
            end = recorded.exchange.request_end or 0
            with contextlib.suppress(DecodeError, Problem):
                data = b"".join(recorded.raw(CLIENT, 0, end))
                reader = Reader(data, recorded.protocol)
                said: ClientHello = HELLOS[self._family][CLIENT].read(reader)
                return said
        if self._family is SERVE:
            return serve.ClientHello(version=newest(SERVE).number)
        return ClientHello(version=0x126)

    def ask(self, index: int, recorded: RecordedExchange) -> None:
        """Send a recorded request. Raises EncodeError, DecodeError, Problem if it cannot be."""
        protocol = self.protocol
        assert protocol is not None
        exchange = recorded.exchange
        carriage = recorded.carriage(CLIENT)
        if protocol == recorded.protocol:
            end = exchange.request_end or exchange.start
            if carriage is PULLED:
                end = exchange.payload_start or end
            self._out.append(recorded.raw(CLIENT, exchange.start, end))
            content = recorded.content(CLIENT)
        else:
            was = recorded.protocol
            request, content = translated(
                recorded.request(), lambda: recorded.content(CLIENT), was, protocol
            )
            self._out.append(iter((request_head(request, protocol),)))
            payload = request.operation.request.payload
            carriage = None if payload is None else payload.carriage(protocol)
            if carriage is FRAMES:
                self._out.append(map(bytes, framed(content)))
            elif carriage is not None and carriage is not PULLED:
                self._out.append(iter(content))
        self._answers = 0
        pull = Pull(content) if carriage is PULLED else None
        self.asked.append(Asked(index, pull))

    def _answer(self) -> None:
        """Answer a STDERR_READ; what it asks for is the last word that the daemon said."""
        asked = self.asked[self.done]
        if asked.pull is None:
            self.fail("the daemon asks for payload that the request does not have")
            return
        self._answers += 1
        size = min(int.from_bytes(self._heard, "little"), FRAME_SIZE)
        try:
            piece = asked.pull.read(size)
        except Problem as problem:
            self.fail(str(problem))
            return
        self._out.append(iter((pack_string(piece),)))

    # What is heard ----------------------------------------------------------------------

    def started(self, exchange: Exchange) -> None:
        """Take note of an exchange that begins."""

    def ended(self, exchange: Exchange) -> None:
        """Take note of an exchange that is over."""
        if exchange.kind == "handshake":
            self.protocol = exchange.protocol
        if exchange.kind in ("handshake", "operation") and self.done < len(self.asked):
            if not exchange.settled:
                self.lost.append(self.asked[self.done].index)
            self.done += 1
        self._notes = exchange.notes

    # The end ----------------------------------------------------------------------------

    def fail(self, why: str) -> None:
        """Give the connection up; what was not answered is `lost`."""
        if self.failure is None and not self.closed:
            self.failure = why
            self.lost += [asked.index for asked in self.asked[self.done :]]
        self.close()

    def half_close(self) -> None:
        """Say that nothing more comes; the daemon's end is still awaited."""
        if self._sock is not None and not self._shut:
            self._shut = True
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
            time = now()
            self.tap.half_close(CLIENT, time)
            self._talk.eof(CLIENT, time)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._out.clear()
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        time = now()
        self._talk.close(time)
        self.tap.closed(time)
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
