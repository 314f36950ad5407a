"""Who listens on a Unix socket, and which connections it has not accepted.

A listening socket is found by the file that it is bound to, whatever the path by which it was
named. Source: sock_diag(7), linux/unix_diag.h: the queue of a listening socket is that of
connections to accept.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from pix.dataclass import dataclass
from pix_inspect.machine.kernel_queues import QUEUES, SHOW_QUEUES, unix_sockets
from pix_inspect.machine.processes import SUSPENDED, holders, parent, process_state

LISTENING = 10
SHOW_FILE, SHOW_WAITING = 0x2, 0x8
FILE, WAITING = 1, 3


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket; `waiting` are the clients' sockets that it has not accepted.

    `most` is how many connections may wait.
    """

    inode: int
    waiting: tuple[int, ...]
    most: int


def listening(path: str) -> Listening | None:
    """Return the socket that listens at a path, None where there is none or none is told."""
    try:
        file = Path(path).stat()
    except (OSError, ValueError):
        return None
    device = os.major(file.st_dev) << 20 | os.minor(file.st_dev)
    for inode, known in unix_sockets(1 << LISTENING, SHOW_FILE | SHOW_WAITING | SHOW_QUEUES):
        if len(known.get(FILE, b"")) < 8 or QUEUES not in known:
            continue
        node, where = struct.unpack_from("=II", known[FILE])
        if (node, where) == (file.st_ino & 0xFFFFFFFF, device):
            waiting = known.get(WAITING, b"")
            peers = struct.unpack(f"={len(waiting) // 4}I", waiting)
            return Listening(inode, peers, struct.unpack_from("=II", known[QUEUES])[1])
    return None


def accepting(having: Sequence[int]) -> int:
    """Return which of the processes that have a socket uses it: one that its parent started for it.

    Else the youngest, which has it from one before it.
    """
    return next((pid for pid in having if parent(pid) in having), having[-1])


def suspended_listener(path: str) -> int | None:
    """Return the process that would accept at a path if it were not suspended, None where none is.

    Of other users' processes nothing is known.
    """
    socket = listening(path)
    having = holders([socket.inode]).get(socket.inode) if socket is not None else None
    pid = accepting(having) if having else None
    return pid if pid is not None and process_state(pid, "") in SUSPENDED else None
