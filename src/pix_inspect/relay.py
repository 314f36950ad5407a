"""The relay: bytes from client to daemon and back, unchanged, in order, at once.

Two blocking threads a connection, one for each direction: receive, tell the tap, send. The
tap is told before the bytes go on, so that a cause is noted before its effect. There is no
timeout. Nothing that a tap does or raises changes what is passed on.

    half-close   a side that sends no more is passed on as SHUT_WR; it may still read
    hang-up      a side that is gone has its partner hung up on, so that a daemon stops the
                 build of a client that was killed
    broken pipe  a side that takes no more makes its partner's sending fail, while what it
                 said last is still delivered

Knows sockets and threads; bytes, not meaning. Source of what a daemon expects: Nix
`monitor-fd.hh` (it watches its client for a hang-up).
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from pix_inspect.peer import peer_of
from pix_inspect.recording import Peer
from pix_inspect.sockets import Listener, peer_ids
from pix_inspect.upstream import Upstream, complaint

CLIENT, DAEMON = 0, 1
SMALL_BUFFER = 64 << 10
LARGE_BUFFER = 256 << 10
STACK = 256 << 10
"""Bytes of stack for each thread: two threads a connection, hundreds of connections."""

OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PATIENCE = 0.05
"""Seconds between tries while descriptors are short."""

_EPOCH = time.time_ns() - time.monotonic_ns()


def now() -> int:
    """Return nanoseconds since 1970 on a clock that never steps."""
    return _EPOCH + time.monotonic_ns()


class Tap(Protocol):
    """Told of everything that passes on one connection, from the threads that pass it."""

    def chunk(self, side: int, view: memoryview, time: int) -> None:
        """These bytes are about to be passed on; the view is not valid afterwards."""

    def half_close(self, side: int, time: int) -> None:
        """This side sends no more."""

    def reset(self, side: int, time: int) -> None:
        """This side hung up."""

    def closed(self, time: int) -> None:
        """All is over."""

    def note(self, note: dict[str, Any], time: int) -> None:
        """Something worth knowing happened."""


class Connection:
    """One client's connection and its two pumps."""

    def __init__(
        self,
        client: socket.socket,
        daemon: socket.socket,
        process: subprocess.Popen[bytes] | None,
        tap: Tap | None,
    ) -> None:
        self.ends = (client, daemon)
        self.process = process
        self.tap = tap
        self._fallen = threading.Lock()

    def run(self) -> None:
        """Pass bytes until both directions are over, then close both ends."""
        back = threading.Thread(target=self._pump, args=(DAEMON,), daemon=True, name="daemon side")
        back.start()
        try:
            self._pump(CLIENT)
        finally:
            back.join()
            for end in self.ends:
                end.close()
            self._tell("closed", now())
            if self.process is not None:
                self.process.wait()

    def hang_up(self) -> None:
        """End the connection: both ends see a hang-up."""
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pump(self, side: int) -> None:
        source, target = self.ends[side], self.ends[1 - side]
        buffer = memoryview(bytearray(SMALL_BUFFER))
        receive, send = source.recv_into, target.sendall
        tap = self.tap
        while True:
            try:
                n = receive(buffer)
            except OSError:  # the peer closed with bytes of ours unread
                self._tell("reset", side, now())
                self._gone(side)
                return
            if n == 0:
                break
            view = buffer[:n]
            if tap is not None:
                try:
                    tap.chunk(side, view, now())
                except Exception as error:
                    tap = None
                    self._fall(error)
            try:
                send(view)
            except OSError:
                # the target takes no more; its last words may still be on their way back
                with contextlib.suppress(OSError):
                    source.shutdown(socket.SHUT_RD)
                return
            if n == len(buffer) and n < LARGE_BUFFER:
                buffer = memoryview(bytearray(LARGE_BUFFER))
        self._tell("half_close", side, now())
        if not _hung_up(source):
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            # it may still read; that it hangs up later must not go unnoticed
            _wait_for_hang_up(source)
        self._gone(side)

    def _gone(self, side: int) -> None:
        """A side is gone: hang up on the other."""
        with contextlib.suppress(OSError):
            self.ends[1 - side].shutdown(socket.SHUT_RDWR)

    def _tell(self, what: str, *about: Any) -> None:
        tap = self.tap
        if tap is not None:
            try:
                getattr(tap, what)(*about)
            except Exception as error:
                self._fall(error)

    def _fall(self, error: Exception) -> None:
        """Let go of a tap that failed; the bytes go on."""
        with self._fallen:
            tap, self.tap = self.tap, None
        if tap is not None:
            print(f"pix-inspect: a connection is no longer recorded: {error!r}", file=sys.stderr)
            with contextlib.suppress(Exception):
                tap.note({"tap failed": repr(error)}, now())


def _hung_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


def _wait_for_hang_up(sock: socket.socket) -> None:
    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):
        poll.register(sock, 0)
        poll.poll()


class Relay:
    """Accepts clients and connects each to the daemon.

    `open_tap` is called with who connected, before anything passes. `allowed` are the user
    ids that may connect, None for all. `say` gets one line for people now and then.
    """

    def __init__(
        self,
        listener: Listener,
        upstream: Upstream,
        open_tap: Callable[[Peer], Tap | None],
        *,
        allowed: frozenset[int] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.listener = listener
        self.upstream = upstream
        self.open_tap = open_tap
        self.allowed = allowed
        self.say = say
        self.connections: set[Connection] = set()
        self._changed = threading.Condition()
        self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._stopping = 0
        self._starting = 0
        self._trouble: str | None = None

    def stop(self) -> None:
        """Stop accepting; called again, hang up on those still connected. Safe in a signal."""
        self._stopping += 1
        with contextlib.suppress(OSError):
            os.write(self._waker, b"x")

    def on_signals(self, *signals: int) -> None:
        """Let these signals stop the relay. Call from the main thread."""
        for number in signals:
            signal.signal(number, lambda *_: self.stop())

    def serve(self) -> None:
        """Accept until told to stop, then wait for the connections that are left."""
        threading.stack_size(STACK)
        listening = self.listener.sock
        listening.setblocking(False)
        poll = select.poll()
        poll.register(listening, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._stopping:
            poll.poll()
            if self._stopping:
                break
            try:
                client, _ = listening.accept()
            except OSError as error:
                if error.errno in OUT_OF_DESCRIPTORS:
                    self._report(f"cannot accept a client for now: {os.strerror(error.errno)}")
                    time.sleep(PATIENCE)  # who waits stays in the queue
                continue
            client.setblocking(True)
            self._begin(client)
        self.listener.close()
        self._wind_up()

    def _begin(self, client: socket.socket) -> None:
        _, uid, _ = peer_ids(client)
        if self.allowed is not None and uid not in self.allowed:
            self.say(f"refused a client of user {uid}; --allow-user lets others in")
            client.close()
            return
        with self._changed:
            self._starting += 1
        thread = threading.Thread(target=self._serve_one, args=(client,), daemon=True)
        while True:
            try:
                thread.start()
                return
            except RuntimeError:  # no room for another thread: those that run will end
                self._report("cannot start a thread for a client for now")
                time.sleep(PATIENCE)

    def _serve_one(self, client: socket.socket) -> None:
        connection: Connection | None = None
        try:
            tap = self._open_tap(client)
            reached = self._reach(client, tap)
            if reached is None:
                return
            connection = Connection(client, *reached, tap)
            with self._changed:
                self.connections.add(connection)
                if self._stopping > 1:
                    connection.hang_up()
            connection.run()
        finally:
            client.close()
            with self._changed:
                self._starting -= 1
                if connection is not None:
                    self.connections.discard(connection)
                self._changed.notify_all()

    def _open_tap(self, client: socket.socket) -> Tap | None:
        try:
            return self.open_tap(peer_of(client))
        except Exception as error:
            self.say(f"a connection is not recorded: {error!r}")
            return None

    def _reach(
        self, client: socket.socket, tap: Tap | None
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None] | None:
        while True:
            try:
                reached = self.upstream.connect()
            except OSError as error:
                if error.errno in OUT_OF_DESCRIPTORS:
                    self._report(f"cannot reach the daemon for now: {os.strerror(error.errno)}")
                    time.sleep(PATIENCE)
                    continue
                why = complaint(self.upstream, error)
                self._report(why)
                if tap is not None:
                    with contextlib.suppress(Exception):
                        tap.note({"upstream": why}, now())
                        tap.closed(now())
                return None
            self._trouble = None
            return reached

    def _report(self, trouble: str) -> None:
        """Say what is wrong, once until it changes."""
        if trouble != self._trouble:
            self._trouble = trouble
            self.say(trouble)

    def _wind_up(self) -> None:
        with self._changed:
            if self._starting:
                self.say(
                    f"no longer accepting; waiting for {self._starting} connected"
                    f" client{'s' if self._starting > 1 else ''} (again to hang up on them)"
                )
        hung_up = False
        while True:
            with self._changed:
                if not self._starting:
                    break
                if self._stopping > 1 and not hung_up:
                    hung_up = True
                    for connection in self.connections:
                        connection.hang_up()
                # a signal wakes the main thread only between waits
                self._changed.wait(0.1)
        os.close(self._wake)
        os.close(self._waker)
