"""What the tool says beside its output, on standard error.

Messages quote names, paths and what a peer wrote; here, and nowhere before, they are made
harmless to a terminal.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import sys
import threading
from collections import deque

from pix_inspect.base.safe_text import inert

LONGEST = 4000
"""Characters of a line."""

MOST_LINES = 1000
"""Lines that wait for somebody to read what was said before."""

READER = 1.0
"""Seconds without a line read after which nobody reads, when the process ends."""

PREFIX = "pix-inspect: "
"""What a line begins with, on a terminal where others speak, too."""


def say(line: str) -> None:
    """Tell the user something, on stderr."""
    narrate(PREFIX + line)


def narrate(line: str) -> None:
    """Print a line to stderr, inert; that the terminal is gone stops nobody."""
    text = _fitted(inert(line, LONGEST))
    if _behind is not None:
        _behind.put(text)
        return
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _fitted(text: str) -> str:
    """Return a line wrapped to the terminal that stderr is, elsewhere as it is."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            from pix_inspect.base.terminal_text import wrapped

            return "\n".join(wrapped(text, os.get_terminal_size(sys.stderr.fileno()).columns))
    return text


def never_wait() -> None:
    """From now on nobody waits for the terminal: a thread of its own prints what was said.

    For a process that others depend on; see `all_said`, which is called at its end.
    """
    global _behind
    if _behind is None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
            _behind = _Behind(sys.stderr.fileno())
            atexit.register(all_said)


def all_said() -> None:
    """Wait until all is printed, as long as somebody reads it."""
    if _behind is not None:
        _behind.wait()


class _Behind:
    """Lines on their way to a descriptor, which may take none for long."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._left_out = 0
        self._printed = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._print, daemon=True, name="narrating").start()

    def put(self, line: str) -> None:
        with self._changed:
            if len(self._lines) < MOST_LINES:
                self._lines.append(line)
            else:
                self._left_out += 1
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            seen = -1
            while self._lines and (self._printed != seen or self._is_taken()):
                seen = self._printed
                self._changed.wait(READER)

    def _is_taken(self) -> bool:
        """Whether a line would be taken now: then nobody but the processor is waited for."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(0))

    def _print(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._lines))
                line = self._lines[0]
            # not by sys.stderr, whose lock the interpreter takes when it ends
            data = f"{line}\n".encode(errors="backslashreplace")
            with contextlib.suppress(OSError):
                while data:
                    data = data[os.write(self._descriptor, data) :]
            with self._changed:
                self._lines.popleft()
                self._printed += 1
                if self._left_out and not self._lines:
                    self._lines.append(f"{PREFIX}{self._left_out:,} lines more were not printed")
                    self._left_out = 0
                self._changed.notify_all()


_behind: _Behind | None = None
