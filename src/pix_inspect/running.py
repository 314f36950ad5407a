"""Relays that run on this machine: each registers itself in the state directory.

A registration is a small JSON file named after the process; it says where the relay listens,
where its daemon is, and which file it records to. One whose process is gone is stale, also
when its number was given to another process since.

Knows registrations; nothing of relaying.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pix_inspect.state import state_directory


@dataclass(frozen=True, slots=True)
class Running:
    """A relay: its process, when that started (clock ticks since boot), and its paths."""

    pid: int
    born: int
    listen: str | None
    upstream: str
    recording: str | None


def birth(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when there is none."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return int(raw.rpartition(")")[2].split()[19])
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


def _folder() -> Path:
    folder = state_directory() / "running"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def registered(listen: Path | None, upstream: str, recording: Path | None) -> Iterator[None]:
    """Register this process while it relays. A state directory that fails is no obstacle."""
    pid = os.getpid()
    entry = Running(
        pid,
        birth(pid) or 0,
        None if listen is None else str(listen),
        upstream,
        None if recording is None else str(recording.absolute()),
    )
    path: Path | None = None
    with contextlib.suppress(Exception):
        path = _folder() / f"{pid}.json"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(entry), file)
    try:
        yield
    finally:
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()


def relays() -> list[Running]:
    """Return the relays that run, the newest last; removes registrations of those that do not."""
    found = []
    for path in sorted(_folder().glob("*.json"), key=lambda path: path.stat().st_mtime):
        entry = _read(path)
        if entry is not None and birth(entry.pid) == entry.born:
            found.append(entry)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def _read(path: Path) -> Running | None:
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        return Running(
            int(said["pid"]), int(said["born"]), said["listen"], said["upstream"], said["recording"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
