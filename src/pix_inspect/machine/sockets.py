"""Unix sockets that others made: handed over by a service manager, or known by two names."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pix.problem import Problem
from pix.sockets import Listener
from pix.untrusted import natural
from pix_inspect.base.units import count

LISTEN_FDS_START = 3
MOST = 1000
"""Sockets that a service manager may pass; systemd has bounds of its own."""


def inherited(name: str | None = None) -> Listener | None:
    """Return the listening socket that a service manager passed us (LISTEN_FDS), if any.

    Of several it is the one called `name`: `FileDescriptorName=` of a socket unit. Raises Problem
    where it is not clear which is meant, or that is not a listening Unix socket. Source:
    sd_listen_fds(3), systemd.socket(5).
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    said = os.environ.get("LISTEN_FDS", "")
    several = natural(said) or 0
    if not 0 < several <= MOST:
        raise Problem(f"the service manager gave no sockets: LISTEN_FDS is {said[:20]!r}")
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(variable, None)
    called = {
        LISTEN_FDS_START + i: (names[i] if i < len(names) else "") or "unknown"
        for i in range(several)
    }
    meant = [number for number in called if name in (None, called[number])]
    if len(meant) != 1:
        named = "" if name is None else f", {len(meant) or 'none'} of them called {name}"
        raise Problem(
            f"the service manager gave {count(several, 'socket')} (LISTEN_FDS:"
            f" {', '.join(called.values())}){named}; choose one with --listen NAME, which is its"
            " FileDescriptorName="
        )
    try:
        for number in called:
            os.set_inheritable(number, False)
            if number not in meant:
                os.close(number)
        sock = socket.socket(fileno=meant[0])
    except OSError as error:
        raise Problem(f"the socket from the service manager: {error.strerror}") from None
    if sock.family != socket.AF_UNIX or not sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        raise Problem("the socket from the service manager is not a listening Unix socket")
    path = sock.getsockname()
    return Listener(sock, Path(path) if isinstance(path, str) and path else None)


def same_socket(path: Path, other: Path) -> bool:
    """Return whether two paths name one socket, through links or not."""
    try:
        return path.samefile(other)
    except OSError:
        return False
