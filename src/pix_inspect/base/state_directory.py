"""Where pix-inspect keeps things of its own: recordings nobody named, and running relays.

Everything is below `$XDG_STATE_HOME/pix-inspect` (or `~/.local/state/pix-inspect`), readable
by the user alone, because recordings hold derivation environments and access tokens.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from pix.problem import Problem

RECORDINGS = (".pcapng", ".gz", ".xz", ".zst")
"""How the names of recordings end."""


def state_directory(name: str = "") -> Path:
    """Return the directory, or the one called `name` in it, made with mode 0700 if need be.

    Raises Problem.
    """
    folder = _place()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _make(folder)
        if name:
            folder /= name
            _make(folder)
    except OSError as error:
        instead = "name a recording with -o, or " if name == "recordings" else ""
        raise Problem(
            f"cannot make {folder}: {error.strerror}; {instead}set XDG_STATE_HOME"
        ) from None
    return folder


def existing(name: str) -> Path | None:
    """Return the directory called `name` in it, to read what it has; None where there is none.

    Raises Problem when others may write there, or it is not known what is there.
    """
    try:
        folder = _place()
    except Problem:  # whoever has no home has nothing there
        return None
    try:
        for each in (folder, folder / name):
            _check(each)
        os.scandir(folder / name).close()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(
            f"cannot read {folder / name}: {error.strerror}; set XDG_STATE_HOME"
        ) from None
    return folder / name


def _place() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else _home() / ".local/state") / "pix-inspect"


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    _check(folder)


def _check(folder: Path) -> None:
    """What it holds is trusted, so it must be nobody else's to write."""
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Problem(
            f"others may write into {folder}: `chmod go-w` it if it is yours, or set"
            " XDG_STATE_HOME to a folder of your own"
        )


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise Problem("this user has no home directory; set XDG_STATE_HOME") from None


def new_recording(name: str) -> Path:
    """Return a path for a recording: the time, the name, and this process's number.

    Processes that start in the same second get different ones. Raises Problem.
    """
    stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.")[:40]
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    return state_directory("recordings") / f"{stamp}-{stem or 'session'}-{os.getpid()}.pcapng"
