"""Files that this tool writes where the user says: nothing is overwritten unless told to.

A file appears under its name when it is whole; what stood there is replaced, not followed, and
only when asked for. An archive is unpacked into a new folder through descriptors of the
folders it makes, so that no name and no link in it leads anywhere else.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from pix.problem import Problem

PUBLIC = 0o666
"""Mode of a file that was in a payload, less what the user's umask takes away."""
PRIVATE = 0o600
"""Mode of what may hold secrets: exports and recordings."""


Told = Callable[[int], None]
"""Is told how many bytes were written since the last time; may raise to stop."""


class AlreadyThere(Problem):
    """Something stands where a file was to go."""


class Stopped(Exception):
    """The user does not want it any more."""


def _quiet(count: int) -> None:
    """Tell nobody."""


def check_target(path: Path, *, replace: bool = False) -> None:
    """Raise Problem when a file cannot go to `path`, AlreadyThere when something is there."""
    if not path.name or path.name in (".", ".."):
        raise Problem(f"{str(path)!r} is not the name of a file")
    try:
        there = path.lstat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise Problem(f"there is no folder {path.parent}") from None
        return
    except (OSError, ValueError) as error:
        raise Problem(f"cannot write {path}: {_reason(error)}") from None
    if stat.S_ISDIR(there.st_mode):
        raise Problem(f"{path} is a folder")
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode)):
        raise Problem(f"{path} is not a file")
    if not replace:
        raise AlreadyThere(f"{path} already exists")


def save(
    path: Path,
    pieces: Iterable[bytes],
    *,
    mode: int = PUBLIC,
    replace: bool = False,
    told: Told = _quiet,
) -> int:
    """Write `pieces` into a new file at `path` and return their bytes.

    With `replace` it takes the place of a file that is there. Raises Problem, AlreadyThere;
    whatever `pieces` or `told` raise; then nothing is left behind.
    """
    check_target(path, replace=replace)
    beside = path.with_name(f".{path.name[:100]}.{os.urandom(4).hex()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    written = 0
    try:
        descriptor = os.open(beside, flags, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in pieces:
                    file.write(piece)
                    written += len(piece)
                    told(len(piece))
            if replace:
                beside.replace(path)
            else:
                _link(beside, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
    except FileExistsError:
        raise AlreadyThere(f"{path} already exists") from None
    except (OSError, ValueError) as error:
        raise Problem(f"cannot write {path}: {_reason(error)}") from None
    return written


def _link(beside: Path, path: Path) -> None:
    """Give a file its name. Raises FileExistsError when something has it."""
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        beside.rename(path)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


# Payloads -------------------------------------------------------------------------------


def suggested(name: str) -> str:
    """Return a name for a file that a stranger's name suggests: its letters, no folders."""
    word = "".join(c if c.isalnum() or c in "-_.+=?" else "-" for c in name.rpartition("/")[2])
    return word.lstrip(".-")[:120] or "payload"
