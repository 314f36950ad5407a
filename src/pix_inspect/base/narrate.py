"""What the tool says beside its output, on standard error.

Messages quote names, paths and what a peer wrote; here, and nowhere before, they are made
harmless to a terminal.
"""

from __future__ import annotations

import contextlib
import sys

from pix_inspect.base.safe_text import inert

LONGEST = 4000
"""Characters of a line."""

PREFIX = "pix-inspect: "
"""What a line begins with, on a terminal where others speak, too."""


def say(line: str) -> None:
    """Tell the user something, on stderr."""
    narrate(PREFIX + line)


def narrate(line: str) -> None:
    """Print a line to stderr, inert; that the terminal is gone stops nobody."""
    with contextlib.suppress(OSError, ValueError):
        print(inert(line, LONGEST), file=sys.stderr, flush=True)
