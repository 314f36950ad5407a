"""Who is at the other end of a socket: command line and parents, from /proc where there is one.

Knows processes; nothing of the protocol. What another user's process hides is left out.
"""

from __future__ import annotations

import os
import socket

from pix_inspect.lineage import client_of
from pix_inspect.recording import Peer
from pix_inspect.sockets import peer_ids

MOST_PARENTS = 8
LONGEST = 16384


def peer_of(sock: socket.socket) -> Peer:
    """Return who made this connection, as far as the system tells."""
    pid, uid, gid = peer_ids(sock)
    if pid is None:
        return Peer(None, uid, gid)
    return Peer(pid, uid, gid, client_of(_name(sock)) or command_line(pid), parents(pid))


def _name(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None


def command_line(pid: int) -> str | None:
    """Return a process's command line, its words joined by spaces; None if it cannot be read."""
    raw = _read(f"/proc/{pid}/cmdline")
    if raw is None:
        return None
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace") or None


def parents(pid: int) -> tuple[str, ...]:
    """Return the names of a process's ancestors, the nearest first."""
    names: list[str] = []
    for _ in range(MOST_PARENTS):
        above = parent(pid)
        if above is None or above <= 1:
            break
        name = _read(f"/proc/{above}/comm")
        if name is None:
            break
        names.append(name.decode("utf-8", "backslashreplace").strip())
        pid = above
    return tuple(names)


def parent(pid: int) -> int | None:
    """Return the process that started this one, None where it cannot be read."""
    raw = _read(f"/proc/{pid}/stat")
    if raw is None:
        return None
    fields = raw.rpartition(b")")[2].split()  # the name before it may hold anything
    return int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else None


def _read(path: str) -> bytes | None:
    """Return the first LONGEST bytes of a file: a client waits while we look, so without ado."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(file, LONGEST)
    except OSError:
        return None
    finally:
        os.close(file)
