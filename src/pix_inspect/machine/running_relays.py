"""Relays that run on this machine: each registers itself in the state directory.

A registration is a small JSON file named after the process; it says where the relay listens,
where its daemon is, and which file it records to. One whose process is gone is stale, also
when its number was given to another process since.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pix.dataclass import dataclass
from pix.problem import Problem
from pix.untrusted import file_bytes, parse_json
from pix_inspect.base.state_directory import existing, state_directory
from pix_inspect.machine.processes import SUSPENDED, process_state
from pix_inspect.machine.relay_chain import PREFIX

FOLDER = "running"
LARGEST = 1 << 20
"""Bytes of a file there."""
CONNECTED = "03"
"""State of a socket in /proc/net/unix."""


@dataclass(frozen=True, slots=True)
class Running:
    """A relay: its process, when that started (clock ticks since boot), and its paths.

    Without a socket of its own (`listen` None) it relays its standard streams. One that is
    not `stoppable` belongs to a command or session, and ends with it.
    """

    pid: int
    born: int
    listen: str | None
    upstream: str
    recording: str | None
    stoppable: bool = True

    @property
    def is_suspended(self) -> bool:
        """Whether its process was stopped by a signal: it serves nobody until SIGCONT."""
        return process_state(self.pid, "") in SUSPENDED


def birth(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it has ended."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        state, *others = raw.rpartition(")")[2].split()
        return int(others[18]) if state not in "ZX" else None
    except (OSError, IndexError, ValueError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        return 0
    except OSError:
        return None
    return 0


@contextlib.contextmanager
def registered(
    listen: Path | None, upstream: str, recording: Path | None, *, stoppable: bool = True
) -> Iterator[Callable[[Path], None]]:
    """Register this process while it relays; gives what is told of another file that it goes on in.

    A state directory that fails is not an obstacle.
    """
    where = None if listen is None else str(listen)
    entry = Running(os.getpid(), birth(os.getpid()) or 0, where, upstream, None, stoppable)

    def record(recording: Path | None) -> None:
        now = entry if recording is None else replace(entry, recording=str(recording.absolute()))
        with contextlib.suppress(OSError, Problem):
            path = state_directory(FOLDER) / f"{entry.pid}.json"
            begun = path.with_suffix(".begun")  # who looks meanwhile finds all of it, or nothing
            begun.unlink(missing_ok=True)
            descriptor = os.open(begun, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(now), file)
            begun.replace(path)

    record(recording)
    try:
        yield record
    finally:
        with contextlib.suppress(OSError, Problem):
            (state_directory(FOLDER) / f"{entry.pid}.json").unlink()


def relays() -> list[Running]:
    """Return the relays that run, the newest last; removes registrations of those that do not."""
    found = []
    for path in newest_first(existing(FOLDER), "*.json"):
        entry = _read(path)
        if entry is not None and birth(entry.pid) == entry.born:
            found.append(entry)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return found[::-1]


def newest_first(folder: Path | None, pattern: str) -> list[Path]:
    """Return the files that match, the one changed last first; of no folder, none."""
    found = []
    for path in folder.glob(pattern) if folder is not None else ():
        with contextlib.suppress(OSError):  # gone meanwhile
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]


def connections(relay: Running) -> int | None:
    """Return how many clients are connected to a relay right now, None where unknown.

    Of the relay's sockets those that are connected and have a name were accepted on the socket
    it listens on, or lead on to the daemon. Source: proc_pid_net(5), unix(7).
    """
    if relay.listen is None:
        return 1
    try:
        own = set()
        for link in Path(f"/proc/{relay.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                own.add(str(link.readlink()))
        lines = Path(f"/proc/{relay.pid}/net/unix").read_text(errors="replace").splitlines()
    except OSError:
        return None
    rows = (line.split(maxsplit=7) for line in lines[1:])
    return sum(
        len(row) == 8
        and row[5] == CONNECTED
        and f"socket:[{row[6]}]" in own
        and not row[7].startswith(f"@{PREFIX}")
        for row in rows
    )


def _read(path: Path) -> Running | None:
    try:
        said: dict[str, Any] = parse_json(file_bytes(path, LARGEST))
        listen, upstream, recording = said["listen"], said["upstream"], said["recording"]
        if not isinstance(upstream, str) or not all(
            path is None or (isinstance(path, str) and b"\0" not in os.fsencode(path))
            for path in (listen, recording)
        ):
            return None
        born, stoppable = int(said["born"]), bool(said.get("stoppable", True))
        return Running(int(said["pid"]), born, listen, upstream, recording, stoppable)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
