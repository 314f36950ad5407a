"""One relayed connection: two pumps, one for each direction, and the tap they tell.

Each pump is a blocking thread: receive, tell the tap, send. The tap is told before the bytes
go on, so that a cause is noted before its effect. There is no timeout for those who are
there. Nothing that a tap does or raises changes what is passed on.

    half-close   a side that sends no more is passed on as SHUT_WR; it may still read
    hang-up      a side that is gone has its partner hung up on, so that a daemon stops the
                 build of a client that was killed
    broken pipe  a side that takes no more makes its partner's sending fail, while what it
                 said last is still delivered
    stuck        that a side does not read, and that it reads again, is told to the tap
    last bytes   what a client sent before it left goes to the daemon first, however long that
                 does not read; the hang-up, which would cut it off, comes behind. Where the
                 daemon does not read, its socket is given room for all of it, so that both
                 come at once; a system that grants no such room lets the hang-up wait for
                 more than twice `net.core.wmem_max` unread bytes
    command      one that stands for the daemon is told that its client is gone, its last words
                 are recorded, and then it is ended with all that it started

A reset (the peer closed with bytes unread) is passed on as a hang-up: Unix sockets offer no
way to cause one. Source of what a daemon expects: Nix `monitor-fd.hh` (it watches its
client for a hang-up).
"""

from __future__ import annotations

import codecs
import contextlib
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue
from typing import IO, Any, Protocol

from pix_inspect.capture.command_group import GUARD, end_group, signal_group
from pix_inspect.recording.notes import (
    CommandEnded,
    Comment,
    HungUp,
    Reading,
    StandardError,
    Stuck,
    TapFailed,
    Undelivered,
)

CLIENT, DAEMON = 0, 1
SMALL_BUFFER = 4 << 10
LARGE_BUFFER = 256 << 10
"""Bytes; memory that is asked for when a read fills the small one, and given back after CALM."""
AHEAD = 512 << 10
"""Bytes of the socket that bulk goes to: whoever reads there finds some while we are elsewhere."""
CALM = 64
"""Reads in a row that would have fitted the small buffer."""
PATIENCE = 0.05
"""Seconds between tries while the system is short of something."""
BEGUN = 10.0
"""Seconds in which a thread that was started has begun."""

GLANCE = 500_000
"""Microseconds of a send in vain after which we look whether the sender is still there."""

ROOM = 2 << 20
"""Bytes of the socket to a daemon that does not read, once its client is gone: for all there is."""
_SO_SNDBUFFORCE = 32  # Linux; beyond `net.core.wmem_max`, for whoever administers the network

_EPOCH = time.time_ns() - time.monotonic_ns()


def now() -> int:
    """Return nanoseconds since 1970 on a clock that never steps."""
    return _EPOCH + time.monotonic_ns()


class Tap(Protocol):
    """Told of everything that passes on one connection, from the threads that pass it.

    Where it records, it has the connection's `number`.
    """

    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        """These bytes are about to be passed on; a view is not valid afterwards."""

    def half_close(self, side: int, time: int) -> None:
        """This side sends no more."""

    def reset(self, side: int, time: int) -> None:
        """This side hung up."""

    def closed(self, time: int) -> None:
        """All is over."""

    def note(self, note: Comment, time: int) -> None:
        """Something worth knowing happened."""


STANDARD_ERROR = 2
WORD = 8
"""Bytes: the least that a client says."""
PIECE = 4 << 10
"""Bytes of what a command writes to its standard error, in one note."""

LAST_WORDS = 1.0
"""Seconds in which what a command wrote to its standard error is read once it has ended."""


def _ended(status: int) -> str:
    """Return how a command ended."""
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


class Connection:
    """One client's connection and its two pumps. `say` gets one line for people."""

    def __init__(
        self,
        client: socket.socket,
        daemon: socket.socket,
        process: subprocess.Popen[bytes] | None,
        tap: Tap | None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.ends = (client, daemon)
        for end in self.ends:  # a send comes back now and then, to look how things stand
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, GLANCE))
        self.process = process
        self.answered = False
        """Whether the daemon has said anything, or closed."""
        self.spoke = False
        """Whether it has said anything."""
        self.asked = False
        """Whether the client's first piece was a word or more."""
        self.was_ended = False
        """Whether its command had to be ended by a signal."""
        self.tap = tap
        self.say = say
        self._falling = threading.Lock()

    def run(self, partner: Partner | None = None) -> None:
        """Pass bytes until both directions are over, then close both ends.

        `partner` carries the daemon's direction; one is started unless given.
        """
        try:
            heard = self._hear()
            partner = partner or Partner()
            partner.carry(self)
            self._carry(CLIENT)
            if self.process is not None:
                self._end_command(self.process)
            partner.join()
            if heard is not None:
                heard.join(LAST_WORDS)
            if self.process is not None and not self.was_ended:
                status = self.process.returncode
                if status or (status == 0 and not self.spoke):
                    self._tell("note", CommandEnded(_ended(status)), now())
        finally:
            for end in self.ends:
                end.close()
            self._tell("closed", now())

    def _hear(self) -> threading.Thread | None:
        """Begin to note what the command writes to its standard error, and to write it on."""
        if self.process is None or self.process.stderr is None:
            return None
        thread = threading.Thread(target=self._write_on, args=(self.process.stderr,), daemon=True)
        thread.start()
        return thread

    def _write_on(self, heard: IO[bytes]) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        with heard, contextlib.suppress(OSError, ValueError):
            while piece := os.read(heard.fileno(), PIECE):
                if text := decode(piece):
                    self._tell("note", StandardError(text), now())
                with contextlib.suppress(OSError):  # nobody is there to read it
                    while piece:
                        piece = piece[os.write(STANDARD_ERROR, piece) :]

    def hang_up(self, why: str) -> None:
        """End the connection: both ends see a hang-up."""
        self._tell("note", HungUp(why), now())
        for side in (CLIENT, DAEMON):
            self._gone(side)
        if self.process is not None:
            self.was_ended = True
            signal_group(self.process.pid, signal.SIGTERM)

    def _end_command(self, process: subprocess.Popen[bytes]) -> None:
        """End the command, which knows that its client is gone; its last words are heard."""
        took = end_group(process.pid, process.poll)
        GUARD.forget(process.pid)
        if took is None:
            self.say(f"process {process.pid}, which stood for the daemon, cannot be ended")
        self.was_ended |= took != 0
        # somebody outside the group may hold its streams; what was said is still read
        with contextlib.suppress(OSError):
            self.ends[DAEMON].shutdown(socket.SHUT_RD)

    def _carry(self, side: int) -> None:
        """Pump one direction; should the pump itself fail, nobody is left waiting for it."""
        try:
            self._pump(side)
        except Exception as error:
            self.say(f"a connection is given up: {error!r}")
            self.hang_up(repr(error))

    def _pump(self, side: int) -> None:
        source, target = self.ends[side], self.ends[1 - side]
        spare = memoryview(bytearray(SMALL_BUFFER))
        buffer: memoryview | None = None
        calm, is_first = 0, side == CLIENT
        receive, receive_into, clock = source.recv, source.recv_into, time.monotonic_ns
        send: Callable[[bytes | memoryview], int] = target.send
        tap = self.tap
        note = None if tap is None else tap.chunk
        if side == DAEMON:
            wait_for(source, select.POLLIN)
            self.answered = True
            with contextlib.suppress(OSError):
                self.spoke = bool(source.recv(1, socket.MSG_PEEK))
        while True:
            try:
                data = receive(SMALL_BUFFER) if buffer is None else buffer[: receive_into(buffer)]
            except MemoryError:
                if buffer is not None:
                    raise
                buffer = spare
                continue
            except OSError:  # the peer closed with bytes of ours unread
                self._tell("reset", side, now())
                self._gone(side)
                return
            if not (n := len(data)):
                break
            if is_first:
                is_first = False
                self.asked = n >= WORD
            if note is not None:
                try:
                    note(side, data, _EPOCH + clock())
                except Exception as error:
                    note = None
                    self._fall(error)
            try:
                try:
                    sent = send(data)
                except BlockingIOError:
                    sent = 0
                if sent < n:
                    self._send_slowly(side, memoryview(data)[sent:])
            except OSError:
                self._tell("note", Undelivered(side, n), now())
                if self.process is None or not hung_up(target):
                    self._refused(side)
                    return
                send = len  # nobody takes it any more, but it is recorded
            if n >= SMALL_BUFFER:
                if buffer is None:
                    with contextlib.suppress(OSError):  # no memory for it: small pieces do
                        buffer = memoryview(mmap.mmap(-1, LARGE_BUFFER))
                    _make_room(target, AHEAD)
                calm = 0
            elif buffer is not None:
                calm += 1
                if calm == CALM:
                    buffer = None
        self._tell("half_close", side, now())
        if not hung_up(source):
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            # it may still read; that it hangs up later must not go unnoticed
            wait_for(source)
        self._gone(side)

    def _send_slowly(self, side: int, rest: memoryview) -> None:
        """Send to a side that takes little or nothing, as long as it takes.

        Raises OSError when it takes no more.
        """
        source, target = self.ends[side], self.ends[1 - side]
        began, told = now(), False
        while rest:
            try:
                rest = rest[target.send(rest) :]
                if told:
                    told = False
                    self._tell("note", Reading(1 - side), now())
            except BlockingIOError:
                if not told:
                    told = True
                    self._tell("note", Stuck(1 - side, len(rest), began), now())
                if side == CLIENT and hung_up(source):
                    _make_room(target, ROOM)

    def _refused(self, side: int) -> None:
        """A side's partner takes no more; its last words may still be on their way back."""
        with contextlib.suppress(OSError):
            self.ends[side].shutdown(socket.SHUT_RD)
        wait_for(self.ends[side])
        self._gone(side)

    def _gone(self, side: int) -> None:
        """A side is gone: hang up on the other, but hear out a command."""
        heard_out = side == CLIENT and self.process is not None
        with contextlib.suppress(OSError):
            self.ends[1 - side].shutdown(socket.SHUT_WR if heard_out else socket.SHUT_RDWR)

    def _tell(self, what: str, *about: Any) -> None:
        tap = self.tap
        if tap is not None:
            try:
                getattr(tap, what)(*about)
            except Exception as error:
                self._fall(error)

    def _fall(self, error: Exception) -> None:
        """Let go of a tap that failed; the bytes go on."""
        with self._falling:
            tap, self.tap = self.tap, None
        if tap is not None:
            self.say(f"a connection is no longer recorded: {error!r}")
            with contextlib.suppress(Exception):
                tap.note(TapFailed(repr(error)), now())


class Partner:
    """A thread that waits for the connection whose second direction it carries.

    It is started before the connection's own: where threads are short, none is left with one
    direction. Raises RuntimeError or MemoryError on creation when there is no room for it. Not a
    `Thread`, whose start waits for ever for one that has no memory to begin with.
    """

    __slots__ = ("_done", "_given")

    def __init__(self) -> None:
        self._given: SimpleQueue[Connection | None] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        start_new_thread(self._work, ())

    def carry(self, connection: Connection | None) -> None:
        """Carry the daemon's direction of a connection; of None nothing is left to do.

        Raises queue.Empty for a thread that found no memory to begin with.
        """
        self._given.put(connection)
        if connection is not None:
            self._done.get(timeout=BEGUN)

    def join(self) -> None:
        """Wait until that direction is over."""
        self._done.get()

    def _work(self) -> None:
        self._done.put(None)
        try:
            connection = self._given.get()
            if connection is not None:
                connection._carry(DAEMON)
        finally:
            self._done.put(None)


def _make_room(sock: socket.socket, size: int) -> None:
    """Have a socket take what its peer does not read yet, as far as the system grants it."""
    for option in (socket.SO_SNDBUF, _SO_SNDBUFFORCE):
        with contextlib.suppress(OSError):
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < size:
                sock.setsockopt(socket.SOL_SOCKET, option, size)


def hung_up(sock: socket.socket) -> bool:
    """Whether the other side is gone entirely."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


def wait_for(sock: socket.socket, events: int = 0) -> None:
    """Wait until the other side is gone entirely, or for one of these events."""
    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):
        poll.register(sock, events)
        poll.poll()
