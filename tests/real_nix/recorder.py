"""A plain recorder of the two streams of a Unix socket's connections, to judge the relay by.

It shares no code with the relay: a thread for each direction copies what it reads to the other side
and keeps it in memory.  An end of a stream is passed on as what it was, a hang-up as a hang-up.
Knows nothing of Nix and nothing of pix_inspect.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

READ = 1 << 16
SETTLE_SECONDS = 60.0


@dataclass(slots=True)
class Streams:
    """What passed on one connection, each way."""

    c2s: bytearray = field(default_factory=bytearray)
    s2c: bytearray = field(default_factory=bytearray)


def _hung_up(end: socket.socket) -> bool:
    """Whether the peer is gone, rather than only done with sending."""
    poll = select.poll()
    poll.register(end, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(20))


def _copy(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(READ):
            kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR if _hung_up(source) else socket.SHUT_WR)


class Recorder:
    """Listens at `listen`, passes everything to `upstream` and back, and keeps it.

    A context manager.  `connections` are in the order in which they were accepted.
    """

    def __init__(self, listen: Path, upstream: Path) -> None:
        self.path = listen
        self.connections: list[Streams] = []
        self._upstream = upstream
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(listen))
        self._listener.listen(64)

    def __enter__(self) -> Recorder:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.settle()
        self.path.unlink(missing_ok=True)

    def settle(self) -> None:
        """Wait until all connections so far are over; their streams are then complete."""
        for thread in list(self._threads):
            thread.join(SETTLE_SECONDS)
            assert not thread.is_alive(), f"a connection of {self.path} does not end"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            streams = Streams()
            self.connections.append(streams)
            thread = threading.Thread(target=self._serve, args=(client, streams), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, streams: Streams) -> None:
        with client, socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect(os.fspath(self._upstream))
            back = threading.Thread(target=_copy, args=(daemon, client, streams.s2c), daemon=True)
            back.start()
            _copy(client, daemon, streams.c2s)
            back.join()
