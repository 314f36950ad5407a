"""What a process has open: pipes, sockets, locks, terminals, files.

From /proc, as far as this user may look; who may not gets an error. Names are what others chose:
they are not inert. Source: proc_pid_fd(5), where a link's permissions say how a file is open.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Literal, TypeAlias

from pix.dataclass import dataclass
from pix_inspect.base.safe_text import inert

Kind: TypeAlias = Literal["pipe", "named pipe", "socket", "terminal", "lock", "file", "other"]
STREAMS = {0: "standard input", 1: "standard output", 2: "standard error"}
TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console", "/dev/ptmx")
MOST = 256
"""Descriptors of a process that are looked at."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that a process has open. `name` is its path, or a socket's other end, "" if unknown.

    `inode` tells pipes and sockets apart.
    """

    descriptor: int
    kind: Kind
    name: str
    inode: int
    reads: bool
    writes: bool

    @property
    def words(self) -> str:
        """What it is, inert."""
        if self.name.endswith("/ptmx"):
            return "its pseudo-terminal"
        name = f" {inert(self.name, 300)}" if self.name else ""
        stream = STREAMS.get(self.descriptor)
        if stream is not None:
            article = "another file" if self.kind == "other" else f"a {self.kind}"
            return f"its {stream}, {article}{name}"
        return f"{'' if self.kind == 'other' else f'the {self.kind}'}{name}".strip() or "a file"


def descriptor(pid: int, number: int) -> Opened | None:
    """Return what stands behind a descriptor of a process, None where that cannot be told."""
    path = f"/proc/{pid}/fd/{number}"
    try:
        target = os.readlink(path)  # noqa: PTH115  # a name may hold what Path would change
        mode = os.lstat(path).st_mode
    except OSError:
        return None
    reads, writes = bool(mode & 0o400), bool(mode & 0o200)
    what, _, inode = target.partition(":[")
    if what in ("pipe", "socket") and inode[:-1].isdigit():
        kind: Kind = "pipe" if what == "pipe" else "socket"
        return Opened(number, kind, "", int(inode[:-1]), reads, writes)
    if target.startswith(TERMINALS):
        return Opened(number, "terminal", target, 0, reads, writes)
    if not target.startswith("/") or target.startswith("/dev/"):
        return Opened(number, "other", target, 0, reads, writes)
    kind = "lock" if target.endswith(".lock") else "file"
    node = 0
    with contextlib.suppress(OSError):
        found = os.stat(path)  # noqa: PTH116
        node = found.st_ino
        if stat.S_ISFIFO(found.st_mode):
            kind = "named pipe"
        elif not stat.S_ISREG(found.st_mode):
            kind = "other"
    return Opened(number, kind, target, node, reads, writes)


def opened(pid: int) -> list[Opened]:
    """Return what a process has open, in order. Raises PermissionError, or OSError: it is gone."""
    numbers = sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
    found = [descriptor(pid, number) for number in numbers[:MOST]]
    return [each for each in found if each is not None]


def internet_peers(pid: int) -> dict[int, str]:
    """Return the other end of each TCP socket that a process can see, by inode."""
    found: dict[int, str] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text(errors="replace").splitlines()
        except OSError:
            continue
        for words in map(str.split, lines[1:]):
            with contextlib.suppress(ValueError, IndexError, OSError):
                found[int(words[9])] = _address(words[2])
    return found


def _address(text: str) -> str:
    """Return an address of /proc/net/tcp (words in the machine's order) as people write it."""
    host, _, port = text.partition(":")
    raw = bytes.fromhex(host)
    words = struct.unpack(f">{len(raw) // 4}I", raw)
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    name = socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
    return f"{name}:{int(port, 16)}" if family == socket.AF_INET else f"[{name}]:{int(port, 16)}"
