"""What is at hand: the newest recordings that nobody named.

Knows the state directory; nothing of what recordings hold.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pix_inspect.running import newest_first
from pix_inspect.state import state_directory

MOST_RECORDINGS = 20


def recordings() -> list[tuple[Path, os.stat_result]]:
    """Return the newest recordings in the state directory, and what the system says of them.

    Raises Problem when there is no state directory.
    """
    found: list[tuple[Path, os.stat_result]] = []
    for path in newest_first(state_directory("recordings"), "*.pcapng")[:MOST_RECORDINGS]:
        with contextlib.suppress(OSError):  # gone meanwhile
            found.append((path, path.stat()))
    return found
