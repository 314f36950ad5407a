"""What the system refuses, wherever it was asked: descriptors, memory, threads, room, a directory.

None of these is a mistake of the program, and any of its lines may meet them.
"""

from __future__ import annotations

import errno
import os
import threading

_EXHAUSTED = (
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.ENOSPC,
    errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO,
)  # fmt: skip


def refusal(error: BaseException) -> str | None:
    """Return in words what the system refused, None where an error is of another kind."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        if error.errno in _EXHAUSTED:
            where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            return f"{where}{error.strerror}"
        return _missing() if isinstance(error, FileNotFoundError) else None
    return "no more threads can be started" if _raised_by_start(error) else None


def _missing() -> str | None:
    """Return which directory is gone that is used without being named."""
    import tempfile  # which few need

    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return "the current directory is gone: change to another"
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return "there is no directory for temporary files that can be written: set TMPDIR"
    return None


def _raised_by_start(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is threading.Thread.start.__code__
