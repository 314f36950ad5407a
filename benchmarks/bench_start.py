"""From the command to the first row of a small recording, beside a Textual app of one line.

Both run in a pseudo-terminal at 120×40; a run ends as soon as the text waited for was written.
Prints the processor time until then, and the wall time, as medians of runs that take turns; then
the ratios. Below: the processor time of what needs no screen, `--help` and `--version`.

Wall seconds are those of a machine that others share; the ratios are what counts.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

RUNS = 15
WAIT = 60.0
RECORDING = Path(__file__).parents[1] / "recordings" / "queries.pcapng"

ONE_LINE = """
from textual.app import App
from textual.widgets import Static
type("OneLine", (App,), {"compose": lambda app: [Static("just one line")]})().run()
"""

OURS = ["-m", "pix_inspect"]
SCREENS = {
    "pix-inspect": ([*OURS, "open", "--no-settings", str(RECORDING)], "QueryPathInfo"),
    "one line": (["-c", ONE_LINE], "just one line"),
}
ESCAPES = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[PX^_\]].*?(?:\x1b\\|\x07)|[ -/]*[0-~])", re.DOTALL
)


class Terminal:
    """A program in a pseudo-terminal, ended when its time is over.

    Modules are found as compiled before in a folder, as they are where the tool is installed.
    """

    def __init__(self, arguments: list[str], compiled: str) -> None:
        self._begin = time.perf_counter()
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            environ = {**environment(compiled), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execve(sys.executable, [sys.executable, *arguments], environ)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.close(self._terminal)
        os.waitpid(self._pid, 0)

    def processor(self) -> float:
        """Return the seconds of processor that it took."""
        return processor(self._pid)

    def wall(self) -> float:
        """Return the seconds since it was started."""
        return time.perf_counter() - self._begin

    def read(self, seconds: float) -> bytes:
        """Return what it writes next, nothing when that takes longer."""
        ready = select.select([self._terminal], [], [], max(seconds, 0))[0]
        return os.read(self._terminal, 1 << 16) if ready else b""

    def read_for(self, seconds: float) -> None:
        """Take what it writes in a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)


def processor(pid: int) -> float:
    """Return the seconds of processor that a process took, as clock_getcpuclockid(3) names them."""
    return time.clock_gettime(~pid << 3 | 2)


def started(arguments: list[str], text: str, compiled: str) -> tuple[float, float]:
    """Return seconds of processor and of wall time until a program has written a text."""
    written = b""
    with Terminal(arguments, compiled) as program:
        while text.encode() not in ESCAPES.sub(b"", written):
            if not (more := program.read(WAIT)):
                raise SystemExit(f"{text!r} never came")
            written += more
        return program.processor(), program.wall()


def environment(compiled: str) -> dict[str, str]:
    """Return the environment of a program whose compiled modules are in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    here = str(Path(__file__).parents[1] / "src")
    return {**kept, "PYTHONPYCACHEPREFIX": compiled, "PYTHONPATH": here}


def printed(argument: str, compiled: str) -> float:
    """Return seconds of processor that it takes to print something and end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command, environ = [sys.executable, *OURS, argument], environment(compiled)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory() as compiled:
        runs = [
            {name: started(*about, compiled) for name, about in SCREENS.items()}
            for _ in range(RUNS + 1)
        ][1:]  # in the first one all is compiled
        words = {
            each: statistics.median(printed(each, compiled) for _ in range(RUNS))
            for each in ("--help", "--version")
        }
    found = {
        name: [statistics.median(run[name][i] for run in runs) for i in (0, 1)] for name in SCREENS
    }
    print("until the first row   processor      wall")
    for name, (processor, wall) in found.items():
        print(f"  {name:<18} {processor:9.3f} s {wall:7.3f} s")
    mine, peer = found.values()
    print(f"  ratio              {mine[0] / peer[0]:9.2f}   {mine[1] / peer[1]:7.2f}")
    for name, took in words.items():
        print(f"  {name:<18} {took:9.3f} s")
