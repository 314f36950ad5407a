"""A client of the Nix daemon: standard library only, blocking, no threads of its own.

    with DaemonConnection() as daemon:
        path = daemon.add_text_to_store("hello.txt", "hello world")
        daemon.query_path_info(path).nar_size

Speaks 1.38 with daemons down to 1.18 (Nix 2.0). This module knows where the daemon is and
what a caller holds in the hand; what is said is in `pix.daemon.dialogue`, what can be asked in
`pix.daemon.operations`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pix.codec.cursor import Limits
from pix.codec.gates import WORKER, Family, Protocol, newest
from pix.daemon.dialogue import Dialogue, Log, Write
from pix.daemon.errors import NixDaemonError
from pix.daemon.operations import Operations
from pix.daemon.transport import Stream
from pix.problem import Problem
from pix.protocol.operations import NarFromPath
from pix.protocol.types import TrustedFlag
from pix.sockets import connect

DEFAULT_SOCKET = "/nix/var/nix/daemon-socket/socket"
"""Where a Nix daemon listens by default."""


class DaemonConnection(Operations):
    """A connection to a Nix daemon, used in a `with` statement or by `connect` and `close`.

    `socket_path` is by default NIX_DAEMON_SOCKET_PATH, else the standard place. `version` is
    the newest protocol to speak, as `1.38` or as the number on the wire, `features` are those
    to offer. With `family` SERVE what is connected to is a `nix-store --serve` (see `over`), and
    requests are those of `pix.protocol.serve`. `timeout` bounds every wait, in seconds of silence;
    None waits for ever, as builds may be silent for hours. `log` is told of each STDERR frame as
    it comes.

    Errors of the daemon leave the connection usable, except where it may not have read all of
    what it refused (`pix.protocol.unread`). After those and any other failure each use says
    what happened, until `connect` makes a new connection; with `reconnect` the next use does
    that. A new connection knows nothing of the settings and temporary roots of the old.

    Threads may share it in turn: while one is in an operation, or in the midst of `nar`, the
    others get an error at once. `interrupt` and `close` are for any thread at any time.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        *,
        version: str | int | None = None,
        features: Iterable[str] = (),
        timeout: float | None = None,
        log: Log | None = None,
        limits: Limits | None = None,
        reconnect: bool = False,
        family: Family = WORKER,
    ) -> None:
        chosen = os.fspath(socket_path) if socket_path is not None else ""
        self.socket_path = chosen or os.environ.get("NIX_DAEMON_SOCKET_PATH") or DEFAULT_SOCKET
        if isinstance(version, int):
            version = f"{version >> 8}.{version & 0xFF}"
        spoken = newest(family).text if version is None else version
        self.version = Protocol.parse(spoken, frozenset(features), (family,))
        self.timeout = timeout
        self.log = log
        self.limits = limits
        self.reconnect = reconnect
        self._dialogue: Dialogue | None = None
        self._reached = False

    def connect(self) -> DaemonConnection:
        """Connect and shake hands, unless connected; return self. Raises NixDaemonError."""
        if self._dialogue is None or self._dialogue.failure is not None:
            self._end()
            try:
                sock = connect(Path(self.socket_path), self.timeout)
            except Problem as problem:
                raise NixDaemonError(f"no daemon: {problem}") from None
            except OSError as error:
                raise NixDaemonError(
                    f"no daemon at {self.socket_path}: {error.strerror or error};"
                    " NIX_DAEMON_SOCKET_PATH names another socket"
                ) from None
            self.over(sock)
            self._reached = True
        return self

    def over(self, sock: socket.socket) -> DaemonConnection:
        """Shake hands with the daemon at the other end of a connected socket, which we then own."""
        self._end()
        dialogue = Dialogue(Stream(sock, self.timeout, self.limits), self._logged)
        try:
            dialogue.handshake(self.version)
        except BaseException:
            dialogue.end()
            raise
        self._dialogue = dialogue
        return self

    def close(self) -> None:
        """Close the connection; do nothing when there is none."""
        self._reached = False
        self._end()

    def _end(self) -> None:
        if self._dialogue is not None:
            self._dialogue.end()

    def ended(self) -> str | None:
        """Return why the connection is over, None while it is not; looks, and never waits."""
        return self._talk().ended()

    def interrupt(self) -> None:
        """Hang up, from another thread: whoever waits for the daemon there is told at once."""
        if self._dialogue is not None:
            self._dialogue.stream.interrupt()

    def detach(self) -> socket.socket:
        """Hand over the socket, past the handshake, for bytes that are not our business."""
        dialogue, self._dialogue = self._talk(), None
        return dialogue.detach()

    def __enter__(self) -> DaemonConnection:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _logged(self, frame: Any) -> None:
        if self.log is not None:
            self.log(frame)

    def _talk(self) -> Dialogue:
        if self._dialogue is None:
            raise NixDaemonError("not connected: use `with DaemonConnection()`, or connect()")
        return self._dialogue

    def _in_use(self) -> Dialogue:
        """Return what carries the next operation. Raises NixDaemonError."""
        if self.reconnect and self._reached and self._talk().ended() is not None:
            self.connect()
        return self._talk()

    @property
    def protocol(self) -> Protocol:
        """The version and features in force. Raises NixDaemonError before `connect`."""
        return self._talk().protocol

    @property
    def daemon_version(self) -> int:
        """The negotiated protocol as it stands on the wire: 293 for 1.37."""
        return self.protocol.number

    @property
    def daemon_nix_version(self) -> str | None:
        """The daemon's release, such as `2.26.3`; None where it does not say (before 1.33)."""
        return self._talk().nix_version

    @property
    def trusted(self) -> TrustedFlag | int:
        """Whether the daemon trusts us; UNKNOWN where it does not say (before 1.35)."""
        return self._talk().trusted

    @property
    def failure(self) -> str | None:
        """Why the connection is of no further use, None while it is. Raises as `protocol`."""
        return self._talk().failure

    def call(self, request: Any, write: Write | None = None) -> Any:
        """Ask anything: an object of a class in `pix.protocol.operations`; return its `Reply`.

        Payload is taken from the request's payload field (bytes, a binary file, or an iterable
        of bytes) and ends up in the reply's, or goes to `write` piece by piece. Raises
        NixDaemonError, and EncodeError for what this version cannot carry.
        """
        return self._in_use().ask(request, write)

    def nar(self, path: str) -> Iterator[bytes]:
        """Yield the NAR of a path in pieces as they come.

        The connection is busy until the last one, and over when the iterator is given up.
        """
        return self._in_use().ask_for_nar(NarFromPath(path=path))
