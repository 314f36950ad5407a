"""The tool in a pseudo-terminal, as a person has it before them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATIENCE = 120.0
"""Seconds that anything may take."""

SIZE = ("COLUMNS", "LINES")
"""What would be believed before the terminal."""

COMMAND = (sys.executable, "-m", "pix_inspect")


class Terminal:
    """A program in a terminal of its own; `text` is all that it wrote, as it came."""

    def __init__(self, *command: str, folder: Path, size: tuple[int, int] = (80, 24)) -> None:
        self.text = b""
        self.status: int | None = None
        about: Mapping[str, str] = {
            "TERM": "xterm-256color", "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
            "PIX_INSPECT_NO_SETTINGS": "1",
        }  # fmt: skip
        width, height = size
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            os.chdir(folder)
            sized = {name: value for name, value in os.environ.items() if name not in SIZE}
            os.execvpe(command[0], command, {**sized, **about})

    def send(self, data: bytes) -> None:
        """Type."""
        os.write(self._fd, data)

    def wait_for(self, what: bytes) -> None:
        """Wait until something was written since the last time."""
        until = time.monotonic() + PATIENCE
        while what not in self.text:
            assert time.monotonic() < until, self.text[-2000:]
            assert self._read() or what in self.text, self.text[-2000:]
        self.text = self.text.partition(what)[2]

    def read_until(self, holds: Callable[[], bool]) -> None:
        """Read until something holds: who is not read from waits."""
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, self.text[-2000:]
            self._read()

    def _read(self) -> bool:
        """Read for a moment; return whether there may be more."""
        if select.select([self._fd], [], [], 0.05)[0]:
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                return False
            self.text += data
            return bool(data)
        return True

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self._fd)
        self._fd = -1

    def ended(self) -> int:
        """Return the exit status, once it has ended."""
        until = time.monotonic() + PATIENCE
        while self.status is None:
            assert time.monotonic() < until, self.text[-2000:]
            if self._fd < 0 or not self._read():
                time.sleep(0.01)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
        while self._fd >= 0 and select.select([self._fd], [], [], 0)[0] and self._read():
            pass
        return self.status

    def close(self) -> None:
        """End it, whatever it does."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        if self._fd >= 0:
            os.close(self._fd)
