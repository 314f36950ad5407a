"""The relay: accepts clients, decides who may in, and connects each to the daemon.

A thread for each client; its connection's bytes are `connection`'s business. While
descriptors or threads are short it waits, and so do new clients; those connected go on.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from _thread import start_new_thread
from collections.abc import Callable
from typing import TypeVar

from pix.problem import Problem
from pix.sockets import Listener, peer_ids
from pix_inspect.capture.command_group import end_group
from pix_inspect.capture.distance import Delay
from pix_inspect.capture.peer import peer_of
from pix_inspect.capture.relayed_connection import (
    PATIENCE,
    Connection,
    Partner,
    Tap,
    hung_up,
    now,
)
from pix_inspect.capture.repeated_troubles import Troubles
from pix_inspect.capture.upstream import Onward, SocketUpstream, Upstream, complaint
from pix_inspect.machine.processes import parent
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
"""Connections that spoke and to which the daemon has said nothing yet, after which a detour is
looked for; of those that said nothing themselves, ten times as many."""

RESERVE = 8 << 20
"""Bytes that must be free before another client is let in beside others."""

GROWTH = 128 << 10
"""Bytes more that must be free for each of those: what it may come to need."""

SPARE = 8
"""Descriptors that must be free, too: each client that is let in takes one more or, where a command
is started for it, several, and where all are taken by those who need another, none goes on."""

MISSED = 500
"""Milliseconds after which a signal is seen that came just before the wait it should end."""

_M_ARENA_MAX = -8

TOLD = "the relay was told to stop"


LARGEST_FREED = 16 << 20
"""Bytes; the C library keeps up to twice the largest block that was ever given back."""


T = TypeVar("T")


def only_relay() -> None:
    """Have the threads of this process suit relaying. For a process that does little else."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        _share_memory()
    threading.stack_size(STACK)
    sys.setswitchinterval(SWITCH)
    # payload that is kept comes and goes: memory that is kept costs no page fault each 4 KiB
    with contextlib.suppress(MemoryError):
        bytes(LARGEST_FREED)
    # what is there stays: of what comes from now on, connections that are over are soon found
    gc.freeze()
    gc.collect()
    # the C library ends the process where a first thread ends and no memory is left for that
    first = threading.Thread(target=bool)
    first.start()
    first.join()
    sys.unraisablehook = _unless_of_memory


def _share_memory() -> None:
    """Have all threads take memory from one place: each of its own holds back what others need.

    A thread's own is 64 MiB of address space in the C library of GNU; others know no such option.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _unless_of_memory(what: sys.UnraisableHookArgs) -> None:
    """Say what went wrong where nobody could be told, but not that a thread had no memory."""
    if what.exc_type is not MemoryError:
        sys.__unraisablehook__(what)


class Relay:
    """Accepts clients and connects each to the daemon.

    `open_tap` is called with who connected, before anything passes. `allowed` are the user
    ids that may connect, None for all. `delay` makes the daemon distant. `say` gets one line
    for people now and then.
    """

    def __init__(
        self,
        listener: Listener,
        upstream: Upstream | Onward,
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
            try:
                if poll.poll(MISSED) and not self._stopping:
                    self._accept()
            except (MemoryError, RuntimeError):
                time.sleep(PATIENCE)
        # who connected before that is served; on a service manager's socket it does that anew
        if self.listener.withdraw():
            while self._accept():
                pass
        self.listener.close()
        self._wind_up()

    def _accept(self) -> bool:
        """Take the next client, if there is one; return whether there was.

        Who cannot be taken for now stays in the queue.
        """
        try:
            if self._starting:  # else nobody would give back what is short
                mmap.mmap(-1, RESERVE + self._starting * GROWTH).close()
                self._spare()
            client, address = self.listener.sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except (OSError, MemoryError) as error:
            self._report(f"cannot accept a client for now: {_why(error)}")
            with self._changed:  # one that leaves gives back what is short
                self._changed.wait(PATIENCE)
            return False
        try:
            client.setblocking(True)
            self._begin(client, lineage_of(address))
        except (OSError, MemoryError) as error:  # it was gone before it was looked at
            client.close()
            self._report(f"a client could not be served: {_why(error)}")
        return True

    def _spare(self) -> None:
        """Raises OSError where there are not enough descriptors."""
        spare: list[int] = []
        try:
            while len(spare) < SPARE:
                spare.append(os.dup(self._wake))
        finally:
            _close(*spare)

    def _begin(self, client: socket.socket, lineage: Lineage) -> None:
        _, uid, _ = peer_ids(client)
        if self.allowed is not None and uid not in self.allowed:
            self._report(f"refused a client of user {uid}; --allow-user lets others in")
            client.close()
            return
        partner = self._started(Partner)
        if partner is None:
            client.close()
            return
        with self._changed:
            self._starting += 1
        work = (self._serve_one, (client, lineage, partner))
        if self._started(lambda: start_new_thread(*work)) is None:
            self._leave(client, partner)

    def _started(self, start: Callable[[], T]) -> T | None:
        """Start a thread; while there is no room for one, wait for others to end.

        Returns None when the relay is told to hang up meanwhile.
        """
        while self._stopping < 2:
            try:
                return start()
            except (RuntimeError, MemoryError):
                self._report("cannot start a thread for a client for now")
                time.sleep(PATIENCE)
        return None

    def _serve_one(self, client: socket.socket, lineage: Lineage, partner: Partner) -> None:
        connection: Connection | None = None
        try:
            tap = self._open_tap(client)
            why = self._objection(client, lineage)
            if why is not None:
                self._refuse(tap, why)
                return
            reached = self._reach(client, tap, (*lineage, self._name))
            if reached is None:
                return
            connection = Connection(client, *reached, tap, self._report)
            with self._changed:
                self.connections.add(connection)
                if self._stopping > 1:
                    connection.hang_up(TOLD)
            connection.run(partner)
        except Exception as error:  # memory, as a rule: this client's connection ends
            self._report(f"a client could not be served: {_why(error)}")
        finally:
            self._leave(client, partner, connection)

    def _leave(
        self, client: socket.socket, partner: Partner, connection: Connection | None = None
    ) -> None:
        """Let go of a client that is done with, or could not be served."""
        client.close()
        if connection is None:
            partner.carry(None)
        with self._changed:
            self._starting -= 1
            if connection is not None:
                self.connections.discard(connection)
            self._changed.notify_all()

    def _open_tap(self, client: socket.socket) -> Tap | None:
        try:
            return self.open_tap(peer_of(client))
        except Exception as error:
            self._report(f"a connection is not recorded: {error!r}")
            return None

    def _objection(self, client: socket.socket, lineage: Lineage) -> str | None:
        """Return why a client is not led to the daemon, None if it is."""
        upstream = self.upstream
        if isinstance(upstream, SocketUpstream) and self.listener.is_at(upstream.path):
            return f"cannot reach the daemon: {upstream} leads to this relay itself"
        return objection(self._name, lineage) or self._detour(client)

    def _detour(self, client: socket.socket) -> str | None:
        """Return what speaks for a circle in which the names get lost.

        Its clients are the process that takes our connections to the daemon, or children of
        it, spoke, and wait for a first word in ever growing number; others may wait in any
        number. In a process that is daemon and client at once the silent are many for once.
        """
        with self._changed:
            if len(self.connections) < MOST_UNANSWERED or self.delay:
                return None
            waiting = [each for each in self.connections if not each.answered]
        weight = sum(10 if each.asked else 1 for each in waiting)
        if weight < 10 * MOST_UNANSWERED or not isinstance(self.upstream, SocketUpstream):
            return None
        pid, server = peer_ids(client)[0], peer_ids(waiting[0].ends[1])[0]
        if pid is None or server in (None, 1) or server not in (pid, parent(pid)):
            return None
        return (
            f"{len(waiting):,} clients wait for the daemon's first word and come from where our"
            " connections go: the way to the daemon seems to lead back to this relay"
        )

    def _refuse(self, tap: Tap | None, why: str) -> None:
        """Say and note why a client is not led to the daemon."""
        self._report(why)
        if tap is not None:
            with contextlib.suppress(Exception):
                tap.note(Refused(why), now())
                tap.closed(now())

    def _reach(
        self, client: socket.socket, tap: Tap | None, lineage: Lineage
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None] | None:
        while True:
            try:
                reached = self._connect(lineage, getattr(tap, "number", None))
            except (OSError, Problem, MemoryError, RuntimeError) as error:
                if _short(error) and self._stopping < 2 and not hung_up(client):
                    self._report(f"cannot reach the daemon for now: {_why(error)}")
                    time.sleep(PATIENCE)
                    continue
                if isinstance(error, (OSError, Problem)):
                    self._refuse(tap, complaint(self.upstream, error))
                else:
                    self._refuse(tap, _why(error))
                return None
            self._troubles.over()
            return reached

    def _connect(
        self, lineage: Lineage, number: int | None
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        daemon, process = self.upstream.connect(lineage, heard=True, number=number)
        if self.delay:
            try:
                return self.delay.stretch(daemon), process
            except BaseException:
                daemon.close()
                if process is not None:
                    end_group(process.pid, process.poll)
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
    """Return whether the system is short of something for now: RuntimeError is of threads."""
    if isinstance(error, OSError):
        return error.errno in OUT_OF_DESCRIPTORS
    return isinstance(error, (MemoryError, RuntimeError))


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or ("out of memory" if isinstance(error, MemoryError) else repr(error))


def _pipe() -> tuple[int, int]:
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    return wake, waker


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
