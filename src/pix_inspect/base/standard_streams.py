"""The three standard streams, where some are closed, and the end of output that nobody takes.

Where they have not all characters (a locale other than UTF-8) the others are written as escapes.

A supervisor may start a program with any of them closed. The next file that is opened would
get the number, and what is meant for people would stand in it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TextIO

_FLAGS = {"stdin": os.O_RDONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
"""To write to what is open for reading fails as it does on a closed descriptor."""

_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)


def open_closed() -> None:
    """Open those that are closed: input is empty, output fails, what is said is dropped."""
    for name, flags in _FLAGS.items():
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)  # the lowest free number: its own
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))


def write_every_character() -> None:
    """From now on output fails for no character: `\\u2026` stands for one that is not there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_of_output(error: OSError) -> bool:
    """Whether standard output takes no more: its buffer cannot be written, or so says the error."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return error.filename is None and error.errno in _OF_WRITING


def let_go_of_output() -> None:
    """Drop what was not written, so that the interpreter does not complain of it at its exit."""
    _let_go_of(sys.stdout)


def let_go_of_unsaid() -> None:
    """Drop what was said and cannot be written: it would become the status of the exit."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _let_go_of(sys.stderr)


def _let_go_of(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
