"""The relay: accepts clients, decides who may in, and connects each to the daemon.

A thread for each client; its connection's bytes are `connection`'s business. While
descriptors or threads are short it waits, and so do new clients; those connected go on.
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
import weakref
from collections.abc import Callable

from pix.problem import Problem
from pix.sockets import Listener, peer_ids
from pix_inspect.capture.distance import Delay
from pix_inspect.capture.peer import peer_of
from pix_inspect.capture.relayed_connection import PATIENCE, Connection, Tap, now, started
from pix_inspect.capture.repeated_troubles import Troubles
from pix_inspect.capture.upstream import SocketUpstream, Upstream, complaint
from pix_inspect.machine.relay_chain import Lineage, lineage_of, new_relay, objection
from pix_inspect.recording.notes import Peer, Refused

GRACE = 0.5
"""Seconds in which clients may go after the relay was stopped, before it says what it waits for."""

STACK = 256 << 10
"""Bytes of stack for each thread: two threads a connection, hundreds of connections."""

SWITCH = 0.0005
"""Seconds after which the thread that writes the recording makes way for one that passes bytes."""

OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

MOST_UNANSWERED = 1000
"""Connections to which the daemon has said nothing yet; each holds two descriptors and threads."""

MISSED = 500
"""Milliseconds after which a signal is seen that came just before the wait it should end."""

TOLD = "the relay was told to stop"


def only_relay() -> None:
    """Have the threads of this process suit relaying. For a process that does little else."""
    threading.stack_size(STACK)
    sys.setswitchinterval(SWITCH)


class Relay:
    """Accepts clients and connects each to the daemon.

    `open_tap` is called with who connected, before anything passes. `allowed` are the user
    ids that may connect, None for all. `delay` makes the daemon distant. `say` gets one line
    for people now and then.
    """

    def __init__(
        self,
        listener: Listener,
        upstream: Upstream,
        open_tap: Callable[[Peer], Tap | None],
        *,
        allowed: frozenset[int] | None = None,
        delay: Delay | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.listener = listener
        self.upstream = upstream
        self.open_tap = open_tap
        self.allowed = allowed
        self.delay = delay
        self.say = say
        self.connections: set[Connection] = set()
        self._changed = threading.Condition()
        self._wake, self._waker = _pipe()
        # not closed before the relay goes: a late signal must not write to a number used anew
        weakref.finalize(self, _close, self._wake, self._waker)
        self._stopping = 0
        self._starting = 0
        self._name = new_relay()
        self._troubles = Troubles(say)
        self._report = self._troubles.report

    def stop(self) -> None:
        """Stop accepting; again: hang up on those connected; again: do not wait even for that.

        Safe in a signal's handler.
        """
        self._stopping += 1
        with contextlib.suppress(OSError):
            os.write(self._waker, b"x")

    def on_signals(self, *signals: int) -> None:
        """Let these signals stop the relay. Call from the main thread."""
        for number in signals:
            signal.signal(number, lambda *_: self.stop())

    def serve(self) -> None:
        """Accept until told to stop, then wait for the connections that are left."""
        listening = self.listener.sock
        listening.setblocking(False)
        poll = select.poll()
        poll.register(listening, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._stopping:
            if poll.poll(MISSED) and not self._stopping:
                self._accept()
        # who connected before that is served; on a service manager's socket it does that anew
        if self.listener.withdraw():
            while self._accept():
                pass
        self.listener.close()
        self._wind_up()

    def _accept(self) -> bool:
        """Take the next client, if there is one; return whether there was."""
        try:
            client, address = self.listener.sock.accept()
        except OSError as error:
            if _short(error):
                self._report(f"cannot accept a client for now: {error.strerror}")
                time.sleep(PATIENCE)  # who waits stays in the queue
            return False
        try:
            client.setblocking(True)
            self._begin(client, lineage_of(address))
        except OSError as error:  # it was gone before it was looked at
            client.close()
            self._report(f"a client could not be served: {error}")
        return True

    def _begin(self, client: socket.socket, lineage: Lineage) -> None:
        _, uid, _ = peer_ids(client)
        if self.allowed is not None and uid not in self.allowed:
            self.say(f"refused a client of user {uid}; --allow-user lets others in")
            client.close()
            return
        with self._changed:
            self._starting += 1
        thread = threading.Thread(target=self._serve_one, args=(client, lineage), daemon=True)
        started(thread, self._report)

    def _serve_one(self, client: socket.socket, lineage: Lineage) -> None:
        connection: Connection | None = None
        try:
            tap = self._open_tap(client)
            why = self._objection(lineage)
            if why is not None:
                self._refuse(tap, why)
                return
            reached = self._reach(tap, (*lineage, self._name))
            if reached is None:
                return
            connection = Connection(client, *reached, tap, self.say)
            with self._changed:
                self.connections.add(connection)
                if self._stopping > 1:
                    connection.hang_up(TOLD)
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

    def _objection(self, lineage: Lineage) -> str | None:
        """Return why a client is not led to the daemon, None if it is."""
        upstream = self.upstream
        if isinstance(upstream, SocketUpstream) and self.listener.is_at(upstream.path):
            return f"cannot reach the daemon: {upstream} leads to this relay itself"
        return objection(self._name, lineage) or self._crowd()

    def _crowd(self) -> str | None:
        with self._changed:
            if len(self.connections) < MOST_UNANSWERED:
                return None
            waiting = sum(not connection.answered for connection in self.connections)
        if waiting < MOST_UNANSWERED:
            return None
        return (
            f"{waiting:,} clients wait for the daemon's first word: no more are let in"
            " (does the way to the daemon lead back to this relay?)"
        )

    def _refuse(self, tap: Tap | None, why: str) -> None:
        """Say and note why a client is not led to the daemon."""
        self._report(why)
        if tap is not None:
            with contextlib.suppress(Exception):
                tap.note(Refused(why), now())
                tap.closed(now())

    def _reach(
        self, tap: Tap | None, lineage: Lineage
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None] | None:
        while True:
            try:
                reached = self._connect(lineage)
            except (OSError, Problem) as error:
                if _short(error) and self._stopping < 2:
                    self._report(f"cannot reach the daemon for now: {error}")
                    time.sleep(PATIENCE)
                    continue
                self._refuse(tap, complaint(self.upstream, error))
                return None
            self._troubles.over()
            return reached

    def _connect(self, lineage: Lineage) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        daemon, process = self.upstream.connect(lineage)
        if self.delay:
            try:
                return self.delay.stretch(daemon), process
            except BaseException:
                daemon.close()
                raise
        return daemon, process

    def _wind_up(self) -> None:
        # most are about to go by themselves, and are not worth a word
        until, told = time.monotonic() + GRACE, False
        while self._stopping < 2:
            with self._changed:
                if not self._starting:
                    return
                if not told and time.monotonic() >= until:
                    told = True
                    self.say(
                        f"no longer accepting; waiting for {self._starting} connected"
                        f" client{'s' if self._starting > 1 else ''} (again to hang up on them)"
                    )
                # a signal wakes the main thread only between waits
                self._changed.wait(0.1)
        with self._changed:
            for connection in self.connections:
                connection.hang_up(TOLD)
        while self._stopping < 3:
            with self._changed:
                if not self.connections:  # who still waits for a daemon to accept is left behind
                    return
                self._changed.wait(0.1)


def _short(error: Exception) -> bool:
    """Return whether the system is short of something for now."""
    return isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS


def _pipe() -> tuple[int, int]:
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    return wake, waker


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
