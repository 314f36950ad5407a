"""The lines that were typed in the REPL, in a file that its owner alone can read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.state_directory import state_directory

MOST_LINES = 10_000
MOST_READ = 4 << 20
"""Bytes at the end of the file."""


def history_file() -> Path:
    """Return the file, made with mode 0600 if need be. Raises Problem."""
    path = state_directory() / "history"
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)
    return path


def lines() -> list[str]:
    """Return what was typed, the newest last; nothing where it cannot be read."""
    try:
        with history_file().open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_READ))
            raw = file.read()
    except (OSError, Problem):
        return []
    found = raw.decode("utf-8", "replace").splitlines()
    return [line for line in found if line.strip()][-MOST_LINES:]


def add(line: str) -> None:
    """Add a line; where that is not possible, nothing is said."""
    with contextlib.suppress(OSError, Problem), history_file().open("ab") as file:
        file.write(line.replace("\n", " ").encode("utf-8", "replace") + b"\n")
