"""A relay of the REPL's own, in this process: what is sent is recorded like any client's.

One recording, begun with the first connection; one relay for each daemon that is connected to.
Where a relay stands before the daemon already, that one records.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pix
from pix.problem import Problem
from pix.sockets import listen
from pix_inspect.base.state_directory import new_recording
from pix_inspect.capture.payload_limit import DEFAULT_PAYLOAD
from pix_inspect.capture.relay import Relay
from pix_inspect.capture.relayed_connection import Tap, now
from pix_inspect.capture.tap import RecordingTap
from pix_inspect.capture.upstream import SocketUpstream, require
from pix_inspect.machine.running_relays import relays
from pix_inspect.machine.sockets import same_socket
from pix_inspect.recording.about import with_declarations
from pix_inspect.recording.notes import Made, Peer
from pix_inspect.recording.writer import RecordingWriter

PATIENCE = 5.0
"""Seconds that clients have to end when the REPL does."""


class OwnRelay:
    """Records to `target`, or to a new file in the state directory.

    `always`: also what goes through a relay that records it itself; `known` is one that does.
    `say` gets one line for people. To be closed.
    """

    def __init__(
        self,
        target: Path | None = None,
        *,
        payload: int | None = DEFAULT_PAYLOAD,
        always: bool = False,
        known: Path | None = None,
        name: str = "repl",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.target = target
        self.writer: RecordingWriter | None = None
        self._payload = payload
        self._always = always
        self._known = known
        self._name = name
        self._say = say
        self._folder: Path | None = None
        self._running: dict[Path, tuple[Path, Relay, threading.Thread]] = {}
        self._closing = False

    def through(self, daemon: Path) -> Path:
        """Return the socket of a relay before `daemon`. Raises Problem."""
        known = self._running.get(daemon)
        if known is not None:
            return known[0]
        upstream = SocketUpstream(daemon)
        require(upstream)
        if not self._always and (daemon == self._known or _is_relayed(daemon)):
            return daemon
        if self.writer is None:
            self._begin(daemon)
        assert self._folder is not None
        listener = listen(self._folder / f"{len(self._running)}")
        relay = Relay(listener, upstream, self._tapping(upstream), say=self._tell)
        thread = threading.Thread(target=relay.serve, daemon=True, name="relay of the REPL")
        assert listener.path is not None
        self._running[daemon] = (listener.path, relay, thread)
        thread.start()
        return listener.path

    def _begin(self, daemon: Path) -> None:
        target = self.target or new_recording(self._name)
        about = Made.of(
            tool=f"pix-inspect {pix.__version__}",
            upstream=str(daemon),
            uid=os.getuid(),
            pid=os.getpid(),
            payload="full" if self._payload is None else self._payload,
            **with_declarations(),
        )
        self.writer = RecordingWriter(target, about=about)
        self.target = target
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="pix-repl-"))
        except OSError as error:
            raise Problem(f"cannot make a folder for the socket: {error}; set TMPDIR") from None

    def _tapping(self, upstream: SocketUpstream) -> Callable[[Peer], Tap]:
        writer = self.writer
        assert writer is not None

        def open_tap(peer: Peer) -> Tap:
            log = writer.open(peer, {"upstream": str(upstream)}, time=now())
            return RecordingTap(log, self._payload, lambda: writer.pressed)

        return open_tap

    def _tell(self, line: str) -> None:
        """Pass on what a relay has to say, but not that it winds up: nobody told it to but us."""
        if not self._closing:
            self._say(line)

    def close(self) -> Path | None:
        """Stop, write what is left, and return the recording if there is one."""
        self._closing = True
        for _, relay, _ in self._running.values():
            relay.stop()
        for _, relay, thread in self._running.values():
            thread.join(PATIENCE)
            if thread.is_alive():
                relay.stop()
                thread.join(PATIENCE)
        self._running = {}
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self.writer is None:
            return None
        self.writer.close()
        if self.writer.failure is not None:
            self._say(f"the recording is incomplete: {self.writer.failure}")
        return self.target


def _is_relayed(daemon: Path) -> bool:
    """Whether a relay listens there that records what passes."""
    try:
        known = [Path(relay.listen) for relay in relays() if relay.listen and relay.recording]
    except Problem:
        return False
    return any(same_socket(path, daemon) for path in known)
