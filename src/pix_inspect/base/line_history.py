"""Lines that were typed earlier, in files that their owner alone can read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO, cast

from pix.problem import Problem
from pix.untrusted import at_once
from pix_inspect.base.state_directory import state_directory

MOST_LINES = 10_000
LONGEST = 10_000
"""Characters of a line that is kept: of a longer one, nobody goes on with what it says."""
MOST_READ = 4 << 20
"""Bytes at the end of the file."""


def history_file(name: str) -> Path:
    """Return a file for lines, made with mode 0600 if need be. Raises Problem."""
    path = state_directory() / name
    with contextlib.suppress(OSError):
        os.close(at_once(path, os.O_CREAT | os.O_RDONLY | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)
    return path


class LineHistory:
    """The lines in the file called `name`, the newest last, and the one gone back to.

    Where the file cannot be read or written, nothing is said: the lines of now are there.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: list[str] | None = None
        self._at = 0
        self._draft = ""

    @property
    def lines(self) -> list[str]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> list[str]:
        try:
            with self._open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_READ))
                raw = file.read(MOST_READ)
        except (OSError, Problem):
            return []
        found = raw.decode("utf-8", "replace").splitlines()
        return [_plain(line) for line in found if line.strip() and len(line) <= LONGEST][
            -MOST_LINES:
        ]

    def _open(self, how: str) -> BinaryIO:
        return cast("BinaryIO", open(history_file(self._name), how, opener=at_once))

    def add(self, line: str) -> None:
        """Keep a line, unless it is the last one again, or very long."""
        if self.lines[-1:] != [line] and len(line) <= LONGEST:
            self.lines.append(line)
            with contextlib.suppress(OSError, Problem), self._open("ab") as file:
                file.write(line.replace("\n", " ").encode("utf-8", "replace") + b"\n")
        self._at = len(self.lines)

    def step(self, by: int, written: str) -> str | None:
        """Return a later line, or with a negative step an earlier one; None where there is none.

        `written` is what stands there now: it comes back behind the newest one.
        """
        known = self.lines
        if self._at >= len(known) or known[self._at] != written:
            self._at, self._draft = len(known), written
        if not 0 <= self._at + by <= len(known):
            return None
        self._at += by
        return known[self._at] if self._at < len(known) else self._draft


def _plain(line: str) -> str:
    """Return a line that a terminal shows as it is: others may have written to the file."""
    return line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line)
