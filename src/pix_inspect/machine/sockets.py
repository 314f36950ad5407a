"""Unix sockets that others made: handed over by a service manager, or known by two names."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pix.problem import Problem
from pix.sockets import Listener

LISTEN_FDS_START = 3


def inherited() -> Listener | None:
    """Return the listening socket that a service manager passed us (LISTEN_FDS), if any.

    Raises Problem when what was passed is not a listening Unix socket. Source: sd_listen_fds(3).
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = os.environ.get("LISTEN_FDS", "0")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    if count != "1":
        raise Problem(f"expected one socket from the service manager (LISTEN_FDS), got {count}")
    os.set_inheritable(LISTEN_FDS_START, False)
    sock = socket.socket(fileno=LISTEN_FDS_START)
    if sock.family != socket.AF_UNIX or not sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        raise Problem("the socket from the service manager is not a listening Unix socket")
    name = sock.getsockname()
    return Listener(sock, Path(name) if isinstance(name, str) and name else None)


def same_socket(path: Path, other: Path) -> bool:
    """Return whether two paths name one socket, through links or not."""
    try:
        return path.samefile(other)
    except OSError:
        return False
