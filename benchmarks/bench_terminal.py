"""The screen in a terminal beside mitmproxy's, each over a file of 5,000 exchanges.

Both run in tmux at 120×40 and are watched from outside, as a user sees them. Prints seconds from
the start of the program until its first row shows and until it has read all, milliseconds from
page-down until the screen is another one (median, worst), and resident MiB; then the ratios.
mitmproxy is looked for on PATH, or named by $MITMPROXY; its flows carry the same bytes as HTTP.

Wall seconds of processes that share their machine; the ratios are what counts.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.recordings import alike, write

COUNT = 5_000
PAGES = 60
WAIT = 300.0

FLOWS = """
import sys
from mitmproxy import ctx, http, io
from mitmproxy.test import tflow

class Write:
    def running(self):
        with open({target!r}, "wb") as file:
            writer = io.FlowWriter(file)
            for i in range({count}):
                flow = tflow.tflow(resp=True)
                flow.request.path = "/info/%08d" % i
                flow.timestamp_created = flow.request.timestamp_start = 1.7e9 + i
                flow.request.content, flow.response.content = bytes(72), bytes(520)
                writer.add(flow)
        ctx.master.shutdown()

addons = [Write()]
"""


@dataclass
class Figures:
    """What a program took: seconds, milliseconds, MiB."""

    first: float = 0.0
    read: float = 0.0
    pages: list[float] = field(default_factory=list)
    size: float = 0.0

    def line(self, name: str) -> str:
        """Return them as a line of the table."""
        return (
            f"  {name:<12} {self.first:6.2f} s {self.read:7.2f} s"
            f" {statistics.median(self.pages):7.0f} ms {max(self.pages):6.0f} ms"
            f" {self.size:6.0f} MiB"
        )


class Terminal:
    """A program in tmux."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self.run("new-session", "-d", "-x", "120", "-y", "40", "-s", "t", *command)
        self.pid = int(self.run("list-panes", "-t", "t", "-F", "#{pane_pid}").strip())

    def run(self, *words: str) -> str:
        """Give tmux a command; return what it prints."""
        done = subprocess.run([*self.tmux, *words], capture_output=True, text=True, check=False)
        return done.stdout

    def shown(self) -> str:
        """Return what is on the screen."""
        return self.run("capture-pane", "-p", "-t", "t")

    def until(self, *texts: str, gone: bool = False) -> None:
        """Wait until one of the texts shows, or none of them does any more."""
        end = time.monotonic() + WAIT
        while any(text in self.shown() for text in texts) == gone:
            if time.monotonic() > end:
                raise SystemExit(f"never came: {texts}\n{self.shown()}")
            time.sleep(0.005)

    def page(self) -> float:
        """Press page-down; return milliseconds until the screen is another one."""
        before = self.shown()
        start = time.perf_counter()
        self.run("send-keys", "-t", "t", "NPage")
        while self.shown() == before:
            if time.perf_counter() - start > WAIT:
                raise SystemExit("page-down changed nothing")
        return (time.perf_counter() - start) * 1e3


def measure(command: list[str], first: str, reading: str, read: str) -> Figures:
    """Drive a program: its first row holds `first`, all is read when `read` shows.

    While it reads, the screen may show `reading`.
    """
    found = Figures()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        terminal = Terminal(Path(folder), command)
        try:
            terminal.until(first)
            found.first = time.perf_counter() - start
            terminal.until(read)
            terminal.until(reading, gone=True)
            found.read = time.perf_counter() - start
            terminal.run("send-keys", "-t", "t", "g")
            time.sleep(1)
            found.pages = [terminal.page() for _ in range(PAGES)]
            pages = int(Path(f"/proc/{terminal.pid}/statm").read_text().split()[1])
            found.size = pages * resource.getpagesize() / (1 << 20)
        finally:
            terminal.run("kill-server")
    return found


def main() -> None:
    """Run it."""
    if shutil.which("tmux") is None:
        print("no tmux: nothing is measured")
        return
    mitmproxy = os.environ.get("MITMPROXY") or shutil.which("mitmproxy")
    print(f"{COUNT:,} exchanges  first row  all read  page-down   worst  resident")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "r.pcapng", COUNT, alike())
        ours = [sys.executable, "-m", "pix_inspect", "open", "--no-settings"]
        mine = measure(
            [*ours, str(folder / "r.pcapng")], "QueryPathInfo", "reading", f"{COUNT + 1:,} ops"
        )
        print(mine.line("pix-inspect"))
        if mitmproxy is None:
            print("  no mitmproxy here to measure beside")
            return
        flows, script = folder / "flows", folder / "write.py"
        script.write_text(FLOWS.format(target=str(flows), count=COUNT))
        mitmdump = str(Path(mitmproxy).with_name("mitmdump"))
        subprocess.run([mitmdump, "-q", "-n", "-s", str(script)], check=True)
        theirs = measure([mitmproxy, "-n", "-r", str(flows)], "GET", "reading", f"/{COUNT}]")
        print(theirs.line("mitmproxy"))
        print(
            f"  ratio        {mine.first / theirs.first:8.2f} {mine.read / theirs.read:9.2f}"
            f" {statistics.median(mine.pages) / statistics.median(theirs.pages):10.2f}"
            f" {max(mine.pages) / max(theirs.pages):8.2f} {mine.size / theirs.size:8.2f}"
        )
