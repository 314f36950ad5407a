"""What the system tells of a process: whether it lives, is stopped, and what it is doing.

From /proc, for processes of this machine; what it does not tell, or not to this user, is
None. Source: proc(5).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from pix.dataclass import dataclass
from pix_inspect.machine.doings import Deed, Doing, doing, text_at

STATES = {"T": "stopped", "t": "stopped by a debugger", "Z": "dead but not waited for"}
SUSPENDED = (STATES["T"], STATES["t"])
DAEMONS = re.compile(r"(?:.*/)?(?:nix|lix|snix|harmonia)[^/]*\Z")


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its number; how it is (`running`, `stopped`, `gone`, …), None if unknown; what
    it is doing, None if that is not told.
    """

    pid: int
    state: str | None
    doing: Doing | None = None

    @property
    def words(self) -> str:
        """What it does, or how it is, inert; empty if nothing is known."""
        return self.doing.words if self.doing is not None else self.state or ""

    @property
    def writing(self) -> bool:
        """Whether it cannot go on writing."""
        return self.doing is not None and self.doing.deed is Deed.WRITES


def process(pid: int, command: str = "") -> Process:
    """Return what is known of a process; one of another `command` has its number by now."""
    state = process_state(pid, command)
    return Process(pid, state, doing(pid) if state == "running" else None)


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


def holders(inodes: Iterable[int]) -> dict[int, list[int]]:
    """Return which processes have a socket open, by inode, as far as this user may see."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, list[int]] = {}
    for pid in sorted(_processes()) if wanted else ():
        place = f"/proc/{pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(place):  # noqa: PTH208  # every process of the machine
                with contextlib.suppress(OSError):
                    inode = wanted.get(os.readlink(f"{place}/{name}"))  # noqa: PTH115
                    if inode is not None and pid not in found.setdefault(inode, []):
                        found[inode].append(pid)
    return found


def named_after(pid: int) -> list[int]:
    """Return the daemons whose first argument is another process's number, the oldest first.

    So a Nix daemon that was started with an argument names the child that serves a client.
    Source: Nix `daemon.cc` (daemonLoop).
    """
    found = []
    for number in _processes():
        words = text_at(Path(f"/proc/{number}/cmdline")).split("\0")
        after = [name for name, word in pairwise(words) if word == str(pid)]
        if any(DAEMONS.match(name) for name in after):
            fields = text_at(Path(f"/proc/{number}/stat")).rpartition(")")[2].split()
            if len(fields) > 19:
                found.append((int(fields[19]), number))
    return [number for _, number in sorted(found)]


def _processes() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  # thousands, each second
            if name.isdigit():
                yield int(name)


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
