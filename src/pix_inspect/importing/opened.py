"""Files that are imported: opened as they are, compressed ones as what they hold."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.recording.source import PACKED_HEAD, CompressedSource, is_packed, open_source

MOST_AT_ONCE = 2 << 30
"""Bytes of a file that has to be held in memory."""


def opened(path: Path) -> BinaryIO:
    """Return the contents of a file. Raises Problem, also when it cannot be unpacked whole."""
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            say(f"reads {path}, a pipe, until its writers are done")
        file = path.open("rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe is read once
            return file
        head = file.read(PACKED_HEAD)
        file.seek(0)
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    if not is_packed(head):
        return file
    file.close()
    source = open_source(path)
    assert isinstance(source, CompressedSource)
    while source.extend():
        pass
    whole = source.unpacked()
    source.close()
    if source.fault is not None:
        whole.close()
        raise Problem(f"{path}{source.fault}")
    return whole


def contents(path: Path) -> bytes:
    """Return all that a file holds. Raises Problem."""
    data = bytearray()
    try:
        with opened(path) as file:
            while piece := file.read(1 << 20):
                data += piece
                if len(data) > MOST_AT_ONCE:
                    raise Problem(
                        f"{path} holds more than {MOST_AT_ONCE >> 30} GiB: cut it into parts"
                    )
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    return bytes(data)
