"""Who is at the other end of a socket: command line, parents, trace, from /proc where there is one.

What another user's process hides is left out.
"""

from __future__ import annotations

import os
import socket

from pix.sockets import peer_ids
from pix_inspect.machine.processes import command_line, parents, traceparent
from pix_inspect.machine.relay_chain import client_of
from pix_inspect.recording.notes import Peer


def peer_of(sock: socket.socket) -> Peer:
    """Return who made this connection, as far as the system tells."""
    if sock.family != socket.AF_UNIX:
        return Peer(address=_address(sock))
    pid, uid, gid = peer_ids(sock)
    if pid is None:
        return Peer(None, uid, gid)
    command = client_of(_name(sock)) or command_line(pid)
    return Peer(pid, uid, gid, command, parents(pid), traceparent(pid))


def ourselves(name: str) -> Peer:
    """Return this process, as the part of this tool that is a client of the daemon."""
    pid = os.getpid()
    return Peer(pid, os.getuid(), os.getgid(), f"pix-inspect {name}", parents(pid))


def _name(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None


def _address(sock: socket.socket) -> str | None:
    try:
        host, port = sock.getpeername()[:2]
    except OSError:
        return None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
