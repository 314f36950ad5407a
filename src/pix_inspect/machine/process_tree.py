"""The processes below one: what each is, how it fares, and what it has open that matters.

From /proc, one process after the other: what it costs depends on the tree, not on how many
processes the machine has. Command lines and names of files are what strangers chose: not inert.
Source: proc_pid_stat(5), proc_tid_children(5).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from pix.dataclass import dataclass, field
from pix_inspect.machine.descriptors import Opened, internet_peers, opened
from pix_inspect.machine.doings import Deed, Doing, doing
from pix_inspect.machine.kernel_queues import Socket
from pix_inspect.machine.processes import command_line

State: TypeAlias = Literal["running", "asleep", "stopped", "traced", "dead"]
STATES: dict[str, State] = {
    "R": "running", "T": "stopped", "t": "traced", "Z": "dead", "X": "dead", "x": "dead",
}  # fmt: skip
"""What the kernel calls them; what is in none of these is asleep."""
MOST = 200
"""Processes of a tree that are looked at."""
MATTERS = ("named pipe", "pipe", "socket", "lock", "file")
"""What a process has open that may be what it waits for, the most telling first."""
TICKS = os.sysconf("SC_CLK_TCK")
BUSY = 0.25
"""The part of one processor from which on a process computes, though it sleeps at the moment."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A process of a tree, `depth` levels below its root.

    `command` is "" where it cannot be read. `age` in nanoseconds; `used`: processor time since it
    began, in nanoseconds; `share`: processors that it uses now, None before a second look.
    `hidden`: this user may not see what it is doing, nor what it has open.
    """

    pid: int
    parent: int
    depth: int
    command: str
    state: State
    born: int
    age: int
    used: int
    share: float | None = None
    doing: Doing | None = None
    opened: tuple[Opened, ...] = ()
    hidden: bool = False

    @property
    def computes(self) -> bool:
        """Whether it is at work, as far as was seen."""
        is_running = self.doing is not None and self.doing.deed is Deed.COMPUTES
        return is_running or (self.share or 0) >= BUSY


@dataclass(slots=True)
class Tree:
    """A process and those below it, parents before their children; `more` were not looked at."""

    members: list[Relative] = field(default_factory=list)
    more: int = 0

    @property
    def root(self) -> Relative | None:
        """The process at the top, None if it is gone."""
        return self.members[0] if self.members else None

    @property
    def leaves(self) -> list[Relative]:
        """The living processes that wait for none of their children: what happens is up to them."""
        alive = [member for member in self.members[1:] if member.state != "dead"]
        parents = {member.parent for member in alive}
        return [member for member in alive if member.pid not in parents]


class Trees:
    """Trees looked at again and again, so that what a process computes now can be told."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, int], tuple[int, int]] = {}
        """By process and its birth: processor time used, and when that was."""

    def look(self, roots: Iterable[int], sockets: dict[int, Socket]) -> dict[int, Tree]:
        """Return the tree below each process; `sockets` are those that the kernel knows."""
        now = time.monotonic_ns()
        found = {root: self._tree(root, sockets, now) for root in roots}
        self._before = {
            (each.pid, each.born): (each.used, now)
            for tree in found.values()
            for each in tree.members
        }
        return found

    def _tree(self, root: int, sockets: dict[int, Socket], now: int) -> Tree:
        tree = Tree()
        pending = [(root, 0)]
        while pending:
            pid, depth = pending.pop()
            if len(tree.members) == MOST:
                tree.more += 1
                continue
            member = relative(pid, depth, sockets)
            if member is None:
                continue
            before = self._before.get((pid, member.born))
            if before is not None and now > before[1]:
                share = max(member.used - before[0], 0) / (now - before[1])
                member = replace(member, share=share)
            tree.members.append(member)
            pending += [(child, depth + 1) for child in reversed(children(pid))]
        return tree


def children(pid: int) -> list[int]:
    """Return a process's children, the oldest first."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    except (OSError, ValueError):
        return found
    return sorted(found)


def relative(pid: int, depth: int = 0, sockets: dict[int, Socket] | None = None) -> Relative | None:
    """Return a process as it is now, None if it is gone."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    fields = raw.rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    born = int(fields[19])
    state = STATES.get(fields[0], "asleep")
    hidden = False
    held: Sequence[Opened] = ()
    if state != "dead":
        try:
            held = opened(pid)
        except PermissionError:
            hidden = True
        except OSError:
            return None
    return Relative(
        pid,
        int(fields[1]),
        depth,
        command_line(pid) or raw[raw.find("(") + 1 : raw.rfind(")")],
        state,
        born,
        max(int(uptime * 1e9) - born * 10**9 // TICKS, 0),
        (int(fields[11]) + int(fields[12])) * 10**9 // TICKS,
        None,
        _named(doing(pid), pid, sockets) if state in ("running", "asleep") else None,
        _that_matter(held, pid, sockets),
        hidden,
    )


def _that_matter(
    held: Sequence[Opened], pid: int, sockets: dict[int, Socket] | None
) -> tuple[Opened, ...]:
    """Return what may be what a process waits for; sockets with the name of their other end."""
    found = sorted(
        (each for each in held if each.kind in MATTERS),
        key=lambda each: MATTERS.index(each.kind),
    )
    if any(each.kind == "socket" for each in found):
        peers = internet_peers(pid)
        found = [_with_peer(each, peers, sockets) for each in found]
    return tuple(found)


def _named(found: Doing | None, pid: int, sockets: dict[int, Socket] | None) -> Doing | None:
    if found is None or found.target is None or found.target.kind != "socket":
        return found
    return found._replace(target=_with_peer(found.target, internet_peers(pid), sockets))


def _with_peer(each: Opened, peers: dict[int, str], sockets: dict[int, Socket] | None) -> Opened:
    if each.kind != "socket":
        return each
    name = peers.get(each.inode, "")
    known = (sockets or {}).get(each.inode)
    other = (sockets or {}).get(known.peer) if known is not None else None
    for end in (other, known):
        if not name and end is not None and end.name:
            name = os.fsdecode(end.name.rstrip(b"\0").replace(b"\0", b"@", 1))
    return replace(each, name=name)
