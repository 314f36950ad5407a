"""Where gRPC clients connect, and who they are.

gRPC's own library neither says who is at the other end of a Unix socket nor makes that socket
for its owner alone. So a relay listens (mode, user's id, as for daemons), and each connection
goes on to gRPC's own socket, in a folder that only we can enter, under a name that gRPC tells
us for each call.
"""

from __future__ import annotations

import ipaddress
import itertools
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pix.dataclass import dataclass, field
from pix.problem import Problem
from pix.protocol.operations import SetOptions
from pix.sockets import BACKLOG, Listener, connect, listen
from pix_inspect.machine.relay_chain import Lineage
from pix_inspect.recording.notes import Comment, Peer

PEER = "unix:"
"""What gRPC calls a connection by, in front of the name of its socket."""

OF_CLIENTS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),  # a machine that is gone does not say so
)
"""Options that what is accepted inherits."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a Unix socket, or a host and a port."""

    path: Path | None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return what `unix:///tmp/grpc.sock` or `127.0.0.1:50051` names. Raises Problem."""
        if text.startswith("unix:") or "/" in text:
            path = text.removeprefix("unix:")
            path = path.removeprefix("//") if path.startswith("///") else path
            if path.strip("/"):
                return cls(Path(path))
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16:
            return cls(None, host, int(port))
        raise Problem(
            f"{text!r} is not an address: write it as unix:///tmp/grpc.sock or 127.0.0.1:50051"
        )

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def bound(address: Address, mode: int, *, remote: bool) -> tuple[Listener, Address, bool]:
    """Return a listening socket, where it is, and whether other machines reach it.

    Raises Problem, also for an address that is not of this machine alone unless `remote`.
    """
    if address.path is not None:
        listener = listen(address.path, mode)
        return listener, Address(listener.path), False
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Problem(f"cannot listen on {address}: {_why(error)}") from None
    family, kind, _, _, where = found[0]
    outside = not ipaddress.ip_address(str(where[0]).partition("%")[0]).is_loopback
    if outside and not remote:
        raise Problem(
            f"{address} can be reached from other machines, which would have the daemon without"
            " a password: add --allow-remote if that is meant"
        )
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for layer, option in OF_CLIENTS:
            sock.setsockopt(layer, option, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise Problem(f"cannot listen on {address}: {_why(error)}") from None
    host, port = sock.getsockname()[:2]
    return Listener(sock, None), Address(None, host, port), outside


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


@dataclass(eq=False, slots=True)
class Caller:
    """Who is at the other end of a connection, and what it has set up for its calls.

    `roots` is the daemon's connection that holds its temporary roots; `lock` is held by who
    uses that.
    """

    name: str
    peer: Peer
    options: SetOptions | None = None
    roots: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    gone: bool = False

    def __str__(self) -> str:
        return self.peer.address or str(self.peer) or "unknown"


class _Watch:
    """Told of a connection what a relay tells a tap; of interest is only its end."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        """These bytes are about to be passed on."""

    def half_close(self, side: int, time: int) -> None:
        """This side sends no more."""

    def reset(self, side: int, time: int) -> None:
        """This side hung up."""

    def closed(self, time: int) -> None:
        """All is over."""
        self._ended()

    def note(self, note: Comment, time: int) -> None:
        """Something worth knowing happened."""


class Callers:
    """The connections there are, by what gRPC calls them, and the way on to gRPC's own socket.

    A relay serves each connection in a thread of its own: it opens the tap, then asks for the
    way on. `left` is told who is gone.
    """

    def __init__(self, inner: Path, left: Callable[[Caller], None]) -> None:
        self._inner = inner
        self._left = left
        self._known: dict[str, Caller] = {}
        self._coming = threading.local()
        self._count = itertools.count(1)

    def open_tap(self, peer: Peer) -> _Watch:
        """Take note of who connects."""
        caller = Caller(str(self._inner.with_name(f"{next(self._count)}")), peer)
        self._coming.caller = caller
        return _Watch(lambda: self._ended(caller))

    def connect(
        self, lineage: Lineage = (), *, heard: bool = False, number: int | None = None
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        """Return a connection to gRPC's own socket for who connected last. Raises OSError."""
        caller: Caller = self._coming.caller
        self._known[caller.name] = caller
        return connect(self._inner, before=lambda sock: sock.bind(caller.name)), None

    def __str__(self) -> str:
        return "gRPC"

    def by_peer(self, peer: str) -> Caller | None:
        """Return who it is that gRPC calls so; None where the connection came another way."""
        return self._known.get(peer.removeprefix(PEER)) if peer.startswith(PEER) else None

    def _ended(self, caller: Caller) -> None:
        self._known.pop(caller.name, None)
        Path(caller.name).unlink(missing_ok=True)
        with caller.lock:
            caller.gone = True
        self._left(caller)
