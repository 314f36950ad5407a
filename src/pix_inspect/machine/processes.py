"""What the system tells of a process: whether it lives, is stopped, and what it waits for.

From /proc, for processes of this machine; what it does not tell, or not to this user, is
None. Source: proc(5), proc_pid_wchan(5), proc_pid_syscall(5).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

STATES = {"T": "stopped", "t": "stopped by a debugger", "Z": "dead but not waited for"}
WAITS = (
    (re.compile("pipe_write"), "writing into a pipe that nobody reads"),
    (re.compile("sock_alloc_send|unix_stream_sendmsg|sock_wait_for_wmem"),
     "writing to a socket that nobody reads"),
    (re.compile("lock_inode_wait|locks_lock"), "waiting for a file lock"),
    (re.compile("unix_stream_(data_wait|read)|sk_wait_data|wait_for_more_packets"),
     "reading from a socket"),
    (re.compile("pipe_read"), "reading from a pipe"),
    (re.compile("do_wait"), "waiting for a process it started"),
    (re.compile("nanosleep"), "sleeping"),
    (re.compile("poll|do_select"), "waiting for input"),
)  # fmt: skip
WRITING = 2
"""What a thread does by the kernel's function in which it waits, the most telling first; so many
of them say that it cannot write."""
WRITES = {"x86_64": (1, 18, 20, 44, 46), "aarch64": (64, 66, 68, 206, 211)}
"""The system calls that write: write, pwrite, writev, sendto, sendmsg; the first argument is
the descriptor."""
DAEMONS = re.compile(r"(?:.*/)?(?:nix|lix|snix|harmonia)[^/]*\Z")
STREAMS = {0: "standard input", 1: "standard output", 2: "standard error"}


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its number; how it is (`running`, `stopped`, `gone`, …), None if unknown; what
    it waits for in the kernel, "" if that is not told, and whether that is to write.
    """

    pid: int
    state: str | None
    doing: str = ""
    writing: bool = False

    @property
    def words(self) -> str:
        """What it does, or how it is; empty if nothing is known."""
        return self.doing or self.state or ""

    @property
    def in_trouble(self) -> bool:
        """Whether it does not run, or cannot write to something."""
        return self.state not in (None, "running") or self.writing


def process(pid: int, command: str = "") -> Process:
    """Return what is known of a process; one of another `command` has its number by now."""
    state = process_state(pid, command)
    return Process(pid, state, *(doing(pid) if state == "running" else ("", False)))


def process_state(pid: int, command: str) -> str | None:
    """Return how a process is: running, stopped, gone; None where that cannot be known.

    A process of another command has its number now: it is gone.
    """
    if not Path("/proc/self/stat").exists():
        return None
    try:
        raw = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        state = raw.rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "gone"
    if state not in STATES and command and command_line(pid) not in (command, "", None):
        return "gone"
    return STATES.get(state, "running")


def doing(pid: int) -> tuple[str, bool]:
    """Return what the process waits for in the kernel ("" if not told), and whether to write.

    Of several threads the one that tells most counts.
    """
    found = len(WAITS)
    for thread in _threads(pid):
        if (stuck := _writing(pid, thread)) is not None:
            return stuck, True
        where = _read(thread / "wchan")
        for i, (pattern, _) in enumerate(WAITS[:found]):
            if pattern.search(where):
                found = i
                break
    return (WAITS[found][1], found < WRITING) if found < len(WAITS) else ("", False)


def _threads(pid: int) -> list[Path]:
    try:
        return sorted(Path(f"/proc/{pid}/task").iterdir())[:64]
    except OSError:
        return []


def _writing(pid: int, thread: Path) -> str | None:
    """Return what a thread cannot write to, when it sleeps in a system call that writes."""
    call = _read(thread / "syscall").split()
    if len(call) < 2 or call[0] not in map(str, WRITES.get(os.uname().machine, ())):
        return None
    if " S " not in _read(thread / "stat").rpartition(")")[2][:4]:
        return None
    try:
        number = int(call[1], 16)
        target = str(Path(f"/proc/{pid}/fd/{number}").readlink())
    except (OSError, ValueError):
        return None
    what, _, _ = target.partition(":")
    if what not in ("pipe", "socket") and not target.startswith(("/dev/pts/", "/dev/tty")):
        return None
    kind = what if what in ("pipe", "socket") else "terminal"
    name = STREAMS.get(number)
    if name is None:
        return f"writing to a {kind} that takes nothing"
    return f"writing to its {name}, a {kind} that takes nothing"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def sockets_of(pid: int) -> list[int]:
    """Return the inodes of a process's sockets in the order of its descriptors."""
    found = []
    with contextlib.suppress(OSError):
        for number in sorted(int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()):
            with contextlib.suppress(OSError, ValueError):
                link = str(Path(f"/proc/{pid}/fd/{number}").readlink())
                if link.startswith("socket:["):
                    found.append(int(link[8:-1]))
    return found


def holders(inodes: Iterable[int]) -> dict[int, int]:
    """Return which process has a socket open, by inode, as far as this user may see.

    Of several the youngest counts: a daemon's child has it from its parent.
    """
    wanted = set(inodes)
    found: dict[int, int] = {}
    if wanted:
        for pid in sorted(_processes()):
            for inode in wanted.intersection(sockets_of(pid)):
                found[inode] = pid
    return found


def named_after(pid: int) -> list[int]:
    """Return the daemons whose first argument is another process's number, the oldest first.

    So a Nix daemon that was started with an argument names the child that serves a client.
    Source: Nix `daemon.cc` (daemonLoop).
    """
    found = []
    for number in _processes():
        words = _read(Path(f"/proc/{number}/cmdline")).split("\0")
        after = [name for name, word in pairwise(words) if word == str(pid)]
        if any(DAEMONS.match(name) for name in after):
            fields = _read(Path(f"/proc/{number}/stat")).rpartition(")")[2].split()
            if len(fields) > 19:
                found.append((int(fields[19]), number))
    return [number for _, number in sorted(found)]


def _processes() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for each in Path("/proc").iterdir():
            if each.name.isdigit():
                yield int(each.name)


MOST_PARENTS = 8
LONGEST = 16384
LONGEST_ENVIRONMENT = 1 << 18
"""Bytes that are read of a file in /proc."""


def command_line(pid: int) -> str | None:
    """Return a process's command line, its words joined by spaces; None if it cannot be read."""
    raw = _first_bytes(f"/proc/{pid}/cmdline")
    if raw is None:
        return None
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace") or None


def traceparent(pid: int) -> str | None:
    """Return the trace that a process was started in, as its environment says (W3C Trace Context).

    None where it says nothing or cannot be read.
    """
    raw = _first_bytes(f"/proc/{pid}/environ", LONGEST_ENVIRONMENT) or b""
    found = re.search(rb"(?:^|\0)TRACEPARENT=([0-9a-f-]{55,200})(?:\0|$)", raw)
    return found[1].decode() if found is not None else None


def parents(pid: int) -> tuple[str, ...]:
    """Return the names of a process's ancestors, the nearest first."""
    names: list[str] = []
    for _ in range(MOST_PARENTS):
        above = parent(pid)
        if above is None or above <= 1:
            break
        name = _first_bytes(f"/proc/{above}/comm")
        if name is None:
            break
        names.append(name.decode("utf-8", "backslashreplace").strip())
        pid = above
    return tuple(names)


def parent(pid: int) -> int | None:
    """Return the process that started this one, None where it cannot be read."""
    raw = _first_bytes(f"/proc/{pid}/stat")
    if raw is None:
        return None
    fields = raw.rpartition(b")")[2].split()  # the name before it may hold anything
    return int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else None


def _first_bytes(path: str, most: int = LONGEST) -> bytes | None:
    """Return the first bytes of a file: a client waits while we look, so without ado."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(file, most)
    except OSError:
        return None
    finally:
        os.close(file)
