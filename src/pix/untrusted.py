"""Numbers and JSON that people type or files hold: read, or refused as a plain ValueError.

Python's own readers take digits of any alphabet, and raise of their own accord on what is very
long or nested very deeply. A file may be a pipe that nobody writes to, or have no end.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 1 << 20
"""Bytes of a file that are read at a time."""

LONGEST_NUMBER = 20
"""Digits of a number: those of 2^64."""


def natural(text: str) -> int | None:
    """Return the number from 0 on that ASCII digits stand for; None for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return int(text)
    return None


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError with one line."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start:,} is not UTF-8") from None


def rest_of(file: BinaryIO, most: int) -> bytes:
    """Return what is left of a file. Raises OSError, also when that is over `most` bytes."""
    data = bytearray()
    while piece := file.read(PIECE):
        data += piece
        if len(data) > most:
            raise OSError(errno.EFBIG, f"longer than {most:,} bytes")
    return bytes(data)


def file_bytes(path: Path, most: int) -> bytes:
    """Return what a file holds that is one: no pipe, no device. Raises OSError as `rest_of`."""
    with open(path, "rb", opener=at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        return rest_of(file, most)


def at_once(path: str | Path, flags: int, mode: int = 0o777) -> int:
    """Open a file as `os.open` does, but wait for nobody at the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK, mode)
