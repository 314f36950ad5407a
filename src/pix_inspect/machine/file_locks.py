"""Who holds the lock of a store path: the files that Nix locks, and Linux's list of locks.

Source: proc_locks(5); Nix `pathlocks.cc` (a store path's lock is the file of its name and
`.lock`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

LOCKS = Path("/proc/locks")
SUFFIX = ".lock"


def lock_holders(path: str, seen_by: Iterable[int] = ()) -> list[int]:
    """Return the processes that hold a store path's lock, [] where that cannot be told.

    The path is looked for as this process sees it, and as each process of `seen_by` does,
    which may have other file systems.
    """
    inodes = set()
    for root in ("", *(f"/proc/{pid}/root" for pid in seen_by)):
        with contextlib.suppress(OSError, ValueError):
            inodes.add(Path(f"{root}{path}{SUFFIX}").stat().st_ino)
    if not inodes:
        return []
    try:
        lines = LOCKS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return sorted({pid for line in lines if (pid := _holder(line, inodes)) is not None})


def _holder(line: str, inodes: set[int]) -> int | None:
    """Return the process of a line of the list, if it holds a lock on one of these files."""
    words = line.split()
    if len(words) < 6 or words[1] == "->":  # an arrow stands before who waits
        return None
    inode = words[5].rpartition(":")[2]
    if not inode.isdigit() or int(inode) not in inodes:
        return None
    return int(words[4]) if words[4].isdigit() and words[4] != "0" else None
