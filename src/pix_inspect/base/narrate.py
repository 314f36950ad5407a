"""What the tool says beside its output, on standard error."""

from __future__ import annotations

import contextlib
import sys

PREFIX = "pix-inspect: "
"""What a line begins with, on a terminal where others speak, too."""


def say(line: str) -> None:
    """Tell the user something, on stderr."""
    narrate(PREFIX + line)


def narrate(line: str) -> None:
    """Print a line to stderr; that the terminal is gone stops nobody."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
