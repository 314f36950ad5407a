"""What a process is doing: computing, asleep, or waiting in a system call for something it names.

From /proc: the system call in which a thread sleeps, with its arguments, and where that is not
told the kernel's function. Of several threads the one that tells most counts. Source:
proc_pid_syscall(5), proc_pid_wchan(5); numbers of calls: asm/unistd_64.h, asm-generic/unistd.h.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from pathlib import Path
from typing import NamedTuple

from pix.codec.irregular import Worded
from pix_inspect.base.safe_text import inert
from pix_inspect.machine.descriptors import Opened, descriptor


class Deed(Worded):
    """What a process can be doing; the first are what of several threads tells most."""

    WRITES = "writing to {} that takes nothing"
    OPENS = "opening {}, a named pipe whose other end nobody has open"
    LOCKS = "waiting for the lock on {}"
    CONNECTS = "connecting {}"
    READS = "reading from {}"
    DISK = "waiting for a disk or a file system"
    COMPUTES = "computing"
    AWAITS = "waiting for a process it started"
    SLEEPS = "sleeping"
    POLLS = "waiting for input from {}"
    SIGNAL = "waiting for a signal"
    THREAD = "waiting for another of its threads"


UNNAMED = {
    Deed.WRITES: "writing to a pipe or a socket that takes nothing",
    Deed.OPENS: "opening a named pipe whose other end nobody has open",
    Deed.LOCKS: "waiting for the lock on a file",
    Deed.CONNECTS: "connecting a socket",
    Deed.READS: "reading from a pipe or a socket",
    Deed.POLLS: "waiting for input",
}
"""The same, where nothing is told of what it is done to."""


class Doing(NamedTuple):
    """A deed, what it is done to (None: not told, or there is nothing), its name if that is all."""

    deed: Deed
    target: Opened | None = None
    name: str = ""

    @property
    def words(self) -> str:
        """What is done, inert."""
        what = self.target.words if self.target is not None else inert(self.name, 300)
        return (
            self.deed.sentence.format(what) if what else UNNAMED.get(self.deed, self.deed.sentence)
        )


CALLS: dict[str, tuple[Deed, dict[str, tuple[int, ...]]]] = {
    "write": (Deed.WRITES, {"x86_64": (1, 18, 20, 44, 46), "aarch64": (64, 66, 68, 206, 211)}),
    "open": (Deed.OPENS, {"x86_64": (2, 257), "aarch64": (56,)}),
    "lock": (Deed.LOCKS, {"x86_64": (73, 72), "aarch64": (32, 25)}),
    "connect": (Deed.CONNECTS, {"x86_64": (42,), "aarch64": (203,)}),
    "read": (Deed.READS, {
        "x86_64": (0, 17, 19, 43, 45, 47, 288), "aarch64": (63, 65, 67, 202, 207, 212, 242)}),
    "wait": (Deed.AWAITS, {"x86_64": (61, 247), "aarch64": (260, 95)}),
    "sleep": (Deed.SLEEPS, {"x86_64": (35, 230), "aarch64": (101, 115)}),
    "poll": (Deed.POLLS, {"x86_64": (7, 271), "aarch64": (73,)}),
    "select": (Deed.POLLS, {"x86_64": (23, 270, 232, 281, 441), "aarch64": (72, 22, 441)}),
    "signal": (Deed.SIGNAL, {"x86_64": (34, 130, 128), "aarch64": (133, 137)}),
    "futex": (Deed.THREAD, {"x86_64": (202,), "aarch64": (98,)}),
}  # fmt: skip
"""The calls in which processes wait, each with its numbers by machine."""
FILES = frozenset(("write", "lock", "connect", "read"))
"""Calls whose first argument is the descriptor."""
WHERE = (
    (re.compile("pipe_write|sock_alloc_send|unix_stream_sendmsg|sock_wait_for_wmem"), Deed.WRITES),
    (re.compile("wait_for_partner|fifo_open"), Deed.OPENS),
    (re.compile("lock_inode_wait|locks_lock"), Deed.LOCKS),
    (re.compile("unix_stream_(?:data_wait|read)|sk_wait_data|wait_for_more_packets|pipe_read"),
     Deed.READS),
    (re.compile("do_wait"), Deed.AWAITS),
    (re.compile("nanosleep"), Deed.SLEEPS),
    (re.compile("poll|do_select"), Deed.POLLS),
    (re.compile("futex"), Deed.THREAD),
)  # fmt: skip
"""The kernel's functions in which processes wait."""
FIFO = re.compile("wait_for_partner|fifo_open")
_MACHINE = os.uname().machine
_BY_NUMBER = {
    str(number): name
    for name, (_, numbers) in CALLS.items()
    for number in numbers.get(_MACHINE, ())
}
_RANK = {deed: rank for rank, deed in enumerate(Deed)}
THREADS = 64
"""Threads of a process that are looked at."""
LONGEST_NAME = 4096
POLLED = 8
"""Descriptors of a poll that are looked at."""


def doing(pid: int) -> Doing | None:
    """Return what a living process is doing, None where that is not told."""
    try:
        threads = sorted(os.listdir(f"/proc/{pid}/task"), key=int)[:THREADS]  # noqa: PTH208
    except (OSError, ValueError):
        return None
    ours = _is_of_this_machine(pid)
    found = [each for thread in threads if (each := _thread(pid, thread, ours)) is not None]
    return min(found, key=lambda each: _RANK[each.deed], default=None)


def _thread(pid: int, thread: str, ours: bool) -> Doing | None:
    place = Path(f"/proc/{pid}/task/{thread}")
    fields = text_at(place / "stat").rpartition(")")[2].split()
    state = fields[0] if fields else ""
    if state == "R":
        return Doing(Deed.COMPUTES)
    if state == "D":
        return Doing(Deed.DISK)
    if state != "S":
        return None
    where = text_at(place / "wchan")
    call = text_at(place / "syscall").split() if ours else []
    name = _BY_NUMBER.get(call[0]) if len(call) > 4 else None
    if name is None:
        return next((Doing(deed) for pattern, deed in WHERE if pattern.search(where)), None)
    deed = CALLS[name][0]
    first, second = (int(word, 16) for word in call[1:3])
    if name == "open":
        if not FIFO.search(where):  # what else an open may wait for is not told
            return None
        return Doing(deed, None, _path_at(pid, second if call[0] in ("257", "56") else first))
    if name in FILES:
        target = descriptor(pid, first)
        waits = ("pipe", "named pipe", "socket", "terminal")
        if deed is Deed.WRITES and (target is None or target.kind not in waits):
            return None
        if call[0] in ("72", "25") and "lock" not in where:  # fcntl does other things, too
            return None
        return Doing(deed, target)
    if name == "poll":
        return Doing(deed, _polled(pid, first, second))
    return Doing(deed)


def _polled(pid: int, place: int, count: int) -> Opened | None:
    """Return what a poll waits for, if it is one file alone."""
    if not 0 < count <= POLLED:
        return None
    raw = _memory(pid, place, 8 * count)
    if len(raw) < 8 * count:
        return None
    numbers = {number for number, _, _ in struct.iter_unpack("=ihh", raw) if number >= 0}
    return descriptor(pid, numbers.pop()) if len(numbers) == 1 else None


def _path_at(pid: int, place: int) -> str:
    """Return the path that a call was given, "" where it cannot be read."""
    raw = _memory(pid, place, LONGEST_NAME)
    name, end, _ = raw.partition(b"\0")
    if not end:
        return ""
    path = Path(os.fsdecode(name))
    with contextlib.suppress(OSError):
        path = Path(f"/proc/{pid}/cwd").readlink() / path
    return str(path)


def _memory(pid: int, place: int, length: int) -> bytes:
    """Return what stands in a process's memory, up to the end of a page if need be."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
            found = os.pread(memory.fileno(), min(length, 4096 - place % 4096), place)
            if len(found) < length and b"\0" not in found:
                found += os.pread(memory.fileno(), length - len(found), place + len(found))
            return found
    except (OSError, OverflowError, ValueError):
        return b""


def _is_of_this_machine(pid: int) -> bool:
    """Whether a process's calls have this machine's numbers: one of 32 bits has others."""
    try:
        with open(f"/proc/{pid}/exe", "rb") as program:  # noqa: PTH123
            return program.read(5)[4:] == b"\x02"
    except OSError:
        return False


def text_at(path: Path) -> str:
    """Return what a file of /proc holds, "" where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
