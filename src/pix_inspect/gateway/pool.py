"""Connections to the daemon: one for each call under way, kept for the next call afterwards.

A connection is given the options of whoever uses it, when those are not the ones that it was
given last. What ended a call badly, or was left in the middle, is closed: so the daemon stops
working for a client that went away.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from pix.daemon import DaemonConnection, NixDaemonError
from pix.problem import Problem
from pix.protocol.operations import SetOptions
from pix.protocol.types import DISABLE_SET_OPTIONS
from pix.sockets import connect
from pix.worker_service.methods import Method
from pix_inspect.capture.command_group import GUARD, end_group
from pix_inspect.capture.relayed_connection import Tap, now
from pix_inspect.capture.upstream import SocketUpstream, Upstream, complaint
from pix_inspect.gateway.listening import Caller
from pix_inspect.gateway.recorded import RecordedSocket
from pix_inspect.gateway.statuses import Unreachable
from pix_inspect.machine.relay_chain import sign_client
from pix_inspect.recording.notes import Called, GrpcCall

MOST_IDLE = 16
"""Connections kept that nobody uses: each is a process of the daemon."""
IDLE = 60.0
"""Seconds that one is kept."""
PATIENCE = 20.0
"""Seconds that a daemon has to accept a connection."""
LAST = 5.0
"""Seconds that calls have to give their connections back in when all is over."""


class Ending:
    """What ends the wait of a call that is over before its answer: cancelled, or too late."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hang_up: Callable[[], Any] | None = None
        self.over = False

    def end(self) -> None:
        """Hang up on the daemon, now or as soon as there is a connection."""
        with self._lock:
            self.over = True
            if self._hang_up is not None:
                self._hang_up()

    @contextlib.contextmanager
    def by(self, hang_up: Callable[[], Any]) -> Iterator[None]:
        """Inside, the end of the call hangs up so."""
        with self._lock:
            self._hang_up = hang_up
            if self.over:
                hang_up()
        try:
            yield
        finally:
            with self._lock:
                self._hang_up = None


class Connection:
    """A connection to the daemon, and what it was told last."""

    def __init__(self, daemon: DaemonConnection, tap: Tap | None) -> None:
        self.daemon = daemon
        self.tap = tap
        self.process: subprocess.Popen[bytes] | None = None
        self.options: SetOptions | None = None
        self.since = 0.0
        """Since when nobody uses it."""

    def close(self) -> None:
        """Hang up, and see a command that stands for the daemon to its end."""
        self.daemon.close()
        if self.process is not None:
            end_group(self.process.pid, self.process.poll)
            GUARD.forget(self.process.pid)


class Pool:
    """The connections to one daemon. `open_tap` records each, where it is given."""

    def __init__(self, upstream: Upstream, open_tap: Callable[[], Tap] | None = None) -> None:
        self.upstream = upstream
        self._open_tap = open_tap
        self._idle: list[Connection] = []
        self._used: set[Connection] = set()
        self._lock = threading.Condition()
        self._closing = threading.Event()
        threading.Thread(target=self._tidy, daemon=True, name="idle connections").start()

    @contextlib.contextmanager
    def connection(
        self, caller: Caller, method: Method, ending: Ending, log: Callable[[Any], None]
    ) -> Iterator[DaemonConnection]:
        """Give a connection for a call of `caller`; it goes back unless it is over then.

        Raises Unreachable, NixDaemonError.
        """
        connection = self._take(ending)
        keep = False
        try:
            with self._in_use(connection, caller, method, ending, log):
                keep = not method.streams  # one that broke off may look as if it were whole
                yield connection.daemon
            keep = True
        finally:
            self._give_back(connection, keep=keep and not ending.over)

    @contextlib.contextmanager
    def rooted(
        self, caller: Caller, method: Method, ending: Ending, log: Callable[[Any], None]
    ) -> Iterator[DaemonConnection]:
        """Give the connection that lives as long as the caller's own: roots stay as long."""
        with caller.lock:
            connection = caller.roots
            if connection is None or connection.daemon.ended() is not None:
                self.let_go(caller)
                connection = self._take(ending)
                caller.roots = connection
            with self._in_use(connection, caller, method, ending, log):
                yield connection.daemon
            if caller.gone:
                self.let_go(caller)

    def let_go(self, caller: Caller) -> None:
        """Close the connection that holds a caller's roots."""
        connection, caller.roots = caller.roots, None
        if connection is not None:
            self._give_back(connection, keep=False)

    @contextlib.contextmanager
    def _in_use(
        self,
        connection: Connection,
        caller: Caller,
        method: Method,
        ending: Ending,
        log: Callable[[Any], None],
    ) -> Iterator[None]:
        daemon = connection.daemon
        with ending.by(daemon.interrupt):
            if connection.tap is not None:
                connection.tap.note(Called(GrpcCall(method.name, str(caller))), now())
            daemon.log = log
            try:
                wanted = caller.options or SetOptions()
                if (
                    connection.options != wanted
                    and DISABLE_SET_OPTIONS not in daemon.protocol.features
                ):
                    connection.options = None
                    daemon.call(wanted)
                    connection.options = wanted
                yield
            finally:
                daemon.log = None

    def _take(self, ending: Ending) -> Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
                if connection is not None:
                    self._used.add(connection)
            if connection is None:
                return self._new(ending)
            if connection.daemon.ended() is None:
                return connection
            self._give_back(connection, keep=False)

    def _new(self, ending: Ending) -> Connection:
        sock, process = self._reached()
        tap = None if self._open_tap is None else self._open_tap()
        if tap is not None:
            sock = RecordedSocket(sock, tap)
        connection = Connection(DaemonConnection(), tap)
        connection.process = process
        with self._lock:
            self._used.add(connection)
        try:
            with ending.by(lambda: _hang_up(sock)):
                connection.daemon.over(sock)
        except BaseException as error:
            self._give_back(connection, keep=False)
            if isinstance(error, NixDaemonError):
                raise Unreachable(f"no daemon at {self.upstream}: {error}") from None
            raise
        return connection

    def _reached(self) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        upstream = self.upstream
        try:
            if isinstance(upstream, SocketUpstream):
                return connect(upstream.path, PATIENCE, before=_signed), None
            return upstream.connect()
        except (OSError, Problem) as error:
            raise Unreachable(complaint(upstream, error)) from None

    def _give_back(self, connection: Connection, *, keep: bool) -> None:
        with self._lock:
            keep = keep and not self._closing.is_set() and connection.daemon.failure is None
            keep = keep and len(self._idle) < MOST_IDLE
            if keep:
                self._used.discard(connection)
                connection.since = time.monotonic()
                self._idle.append(connection)
        if not keep:
            try:
                connection.close()
            finally:
                with self._lock:
                    self._used.discard(connection)
                    self._lock.notify_all()

    def _tidy(self) -> None:
        """Close what was not used for long."""
        while not self._closing.wait(IDLE / 4):
            with self._lock:
                until = time.monotonic() - IDLE
                old = [each for each in self._idle if each.since < until]
                self._idle = [each for each in self._idle if each.since >= until]
            for each in old:
                each.close()

    @property
    def open(self) -> int:
        """How many connections to the daemon there are."""
        return len(self._idle) + len(self._used)

    def close(self) -> None:
        """Close the connections that nobody uses, hang up on the others, and see them closed.

        Waits LAST seconds at most: a call is over for gRPC before its thread has noticed.
        """
        self._closing.set()
        with self._lock:
            idle, self._idle = self._idle, []
            used = list(self._used)
        for each in idle:
            each.close()
        for each in used:
            each.daemon.interrupt()
        with self._lock:
            self._lock.wait_for(lambda: not self._used, LAST)


def _signed(sock: socket.socket) -> None:
    sign_client(sock, "grpc")


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
