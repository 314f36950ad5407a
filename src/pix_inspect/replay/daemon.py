"""A daemon that is played from a recording: its socket and its clients.

    with PlayedDaemon(RecordedSession(path)) as daemon:
        DaemonConnection(daemon.path)

One thread a client.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from pix.codec.gates import SERVE, WORKER, Protocol
from pix.protocol.handshake import DaemonHello
from pix.sockets import listen
from pix_inspect.replay.answers import Repertoire
from pix_inspect.replay.client_connection import other_family
from pix_inspect.replay.daemon_connection import PlayedConnection, recorded_hello
from pix_inspect.replay.recorded import RecordedSession


class PlayedDaemon:
    """Listens at `path`, by default in a private folder. Raises Problem on creation.

    `speaks` is the newest version and the features to announce, None for the recorded ones.
    `pace`: answers take as long as they took. `say` gets a line about each request that has no
    answer.
    """

    def __init__(
        self,
        recorded: RecordedSession,
        path: Path | None = None,
        *,
        speaks: Protocol | None = None,
        pace: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.hello = recorded_hello(recorded)
        if speaks is not None:
            spoken = WORKER if isinstance(self.hello, DaemonHello) else SERVE
            if speaks.family is not spoken:
                raise other_family(speaks, spoken)
            self.hello.version = speaks.number
            if isinstance(self.hello, DaemonHello):
                self.hello.features = tuple(sorted(speaks.features))
        self.repertoire = Repertoire(recorded)
        self.pace = pace
        self.say = say
        self._folder = None if path is not None else tempfile.mkdtemp(prefix="pix-played-")
        self._listener = listen(path or Path(self._folder or "") / "socket")
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def path(self) -> Path:
        assert self._listener.path is not None
        return self._listener.path

    def __enter__(self) -> PlayedDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up on all clients and stop listening."""
        with contextlib.suppress(OSError):
            self._listener.sock.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.sock.accept()
            except OSError:
                return
            with self._lock:
                self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            PlayedConnection(
                client, self.hello, self.repertoire, pace=self.pace, narrate=self.say
            ).play()
        finally:
            client.close()
            with self._lock:
                self._clients.discard(client)
