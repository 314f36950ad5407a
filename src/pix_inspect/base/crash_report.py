"""A report of a mistake of our own: where it happened, without a word of what passed.

Messages of exceptions and values of variables may be of the wire; they are left out.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pix
from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.refusals import refusal
from pix_inspect.base.state_directory import state_directory

STATUS = os.EX_SOFTWARE
"""The exit status after a mistake of our own."""


def crashed(error: Exception) -> int:
    """Say what the system refused, or that we made a mistake; return the exit status.

    The last resort: there is no traceback, which might tell much.
    """
    refused = refusal(error)
    if refused is not None:
        say(refused)
        return 2
    say(report(error))
    return STATUS


def report(error: BaseException) -> str:
    """Write the report of an error, and return one line that says where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    said = f"this is a mistake of pix-inspect: {type(error).__name__}{where}"
    try:
        path = _write("\n".join(_lines(error)) + "\n")
    except (OSError, Problem):
        return f"{said}; no report could be written"
    return f"{said}; {path} tells more, and nothing of what passed"


def _write(text: str) -> Path:
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    path = state_directory("reports") / f"{stamp}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _lines(error: BaseException) -> Iterator[str]:
    from importlib.metadata import version  # which takes its time

    yield f"pix-inspect {pix.__version__}, Python {platform.python_version()}, {sys.platform}"
    for name in ("textual", "rich"):
        if name in sys.modules:
            yield f"{name} {version(name)}"
    shown: BaseException | None = error
    while shown is not None:
        yield ""
        yield f"{type(shown).__module__}.{type(shown).__qualname__}"
        for frame in traceback.extract_tb(shown.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
        shown = shown.__cause__ or shown.__context__
