"""What is at hand: the newest recordings that nobody named."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pix_inspect.base.state_directory import existing
from pix_inspect.machine.running_relays import newest_first

MOST_RECORDINGS = 20


def recordings() -> list[tuple[Path, os.stat_result]]:
    """Return the newest recordings in the state directory, and what the system says of them.

    Raises Problem, as `existing` does.
    """
    found: list[tuple[Path, os.stat_result]] = []
    for path in newest_first(existing("recordings"), "*.pcapng")[:MOST_RECORDINGS]:
        with contextlib.suppress(OSError):  # gone meanwhile
            found.append((path, path.stat()))
    return found
