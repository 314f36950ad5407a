"""Where pix-inspect keeps things of its own: recordings nobody named, and running relays.

Everything is below `$XDG_STATE_HOME/pix-inspect` (or `~/.local/state/pix-inspect`), readable
by the user alone, because recordings hold derivation environments and access tokens.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from pix_inspect.problem import Problem


def state_directory() -> Path:
    """Return the directory, made with mode 0700 if need be. Raises Problem."""
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local/state"
    folder = root / "pix-inspect"
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Problem(
            f"cannot make {folder}: {error.strerror}; name a recording with -o, or set"
            " XDG_STATE_HOME"
        ) from None
    return folder


def new_recording(name: str) -> Path:
    """Return the path of a recording that does not exist yet: the name and the time."""
    folder = state_directory() / "recordings"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Problem(f"cannot make {folder}: {error.strerror}; name one with -o") from None
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.")[:40]
    path = folder / f"{stamp}-{stem or 'session'}.pcapng"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{stamp}-{stem}-{number}.pcapng"
    return path
