"""How a command that stood for the daemon is ended: with its whole process group, in good order.

It was told (its standard input was closed) and has a while to finish; then it gets SIGTERM, and
what is left after another while SIGKILL, as Nix does with the programs that it starts.

As a program, this file is the guard of a relay's commands: it is told their groups on standard
input, and ends those that are left when the relay is gone, however that went. A process that
left its group is not found; nor are those of another user, whom we may not end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

POLITE = 1.5
"""Seconds that a command has from being told until SIGTERM."""
STERN = 2.0
"""Seconds from SIGTERM until SIGKILL."""
LAST = 10.0
"""Seconds from that until it is given up: nobody can refuse, but a busy machine takes its time."""
GLANCE = 0.02
"""Seconds between looks at whether it is over."""


def end_group(group: int, reap: Callable[[], object] = bool) -> int | None:
    """End all processes of a group; `reap` takes the status of its first, None while that runs.

    Returns the last signal that it took, 0 where there was no need for any, None where
    processes are left.
    """
    for number, patience in ((0, POLITE), (signal.SIGTERM, STERN), (signal.SIGKILL, LAST)):
        signal_group(group, number)
        until = time.monotonic() + patience
        while _is_there(group, reap):
            if time.monotonic() > until:
                break
            time.sleep(GLANCE)
        else:
            return number
    return None


def signal_group(group: int, number: int) -> None:
    """Send a signal to all processes of a group that are there and ours."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_there(group: int, reap: Callable[[], object]) -> bool:
    if reap() is None:
        return True
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _is_alive(group)


def _is_alive(group: int) -> bool:
    """Whether any of a group is more than dead and not waited for, as far as /proc tells."""
    known = False
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            state, _, member_of = path.read_bytes().rpartition(b")")[2].split()[:3]
            known = True
            if int(member_of) == group and state not in (b"Z", b"X"):
                return True
    return not known


class Guard:
    """A process that outlives this one just long enough to end its commands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """Have a group ended should this process be gone first."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """A group is over: its number may be another's by now."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-IS", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    start_new_session=True,
                    cwd="/",
                )
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode())


GUARD = Guard()


def main() -> None:
    """Learn which groups there are until the relay is gone, then end them."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    ending = [threading.Thread(target=end_group, args=(group,)) for group in groups]
    for thread in ending:
        thread.start()


if __name__ == "__main__":
    main()
