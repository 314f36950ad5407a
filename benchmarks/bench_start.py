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


def started(arguments: list[str], text: str, compiled: str) -> tuple[float, float]:
    """Return seconds of processor and of wall time until a program has written a text.

    Modules are found as compiled before in a folder, as they are where the tool is installed.
    """
    begin = time.perf_counter()
    pid, terminal = pty.fork()
    if not pid:
        environ = {**environment(compiled), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.execve(sys.executable, [sys.executable, *arguments], environ)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    written = b""
    try:
        while text.encode() not in ESCAPES.sub(b"", written):
            if not select.select([terminal], [], [], WAIT)[0]:
                raise SystemExit(f"{text!r} never came")
            written += os.read(terminal, 1 << 16)
        wall = time.perf_counter() - begin
        return time.clock_gettime(processor_clock(pid)), wall
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)


def environment(compiled: str) -> dict[str, str]:
    """Return the environment of a program whose compiled modules are in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    here = str(Path(__file__).parents[1] / "src")
    return {**kept, "PYTHONPYCACHEPREFIX": compiled, "PYTHONPATH": here}


def processor_clock(pid: int) -> int:
    """Return the clock of the processor time of a process, as clock_getcpuclockid(3) does."""
    return ~pid << 3 | 2


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
