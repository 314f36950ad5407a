"""What the screen costs while nothing happens: of a finished recording, and of one being made.

Each is opened in a pseudo-terminal at 120×40, left alone until it has come to rest, and then
measured for twenty seconds. The live one is a relay before a daemon, without a client, and with
one that is connected and says nothing.

Prints percent of one processor, of all threads of the process.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench_start import OURS, RECORDING, Terminal, environment
from pix.daemon import DaemonConnection

REST = 3.0
"""Seconds without a word after which a screen has come to rest."""
MEASURED = 20.0


def idle(folder: Path, *arguments: str) -> float:
    """Return percent of a processor that a screen takes once it has come to rest."""
    with Terminal([*OURS, *arguments], str(folder / "compiled")) as screen:
        while screen.read(REST):
            pass
        begin, processor = time.monotonic(), screen.processor()
        screen.read_for(MEASURED)
        return 100 * (screen.processor() - processor) / (time.monotonic() - begin)


@contextmanager
def running(folder: Path, *arguments: str, until: Path) -> Iterator[None]:
    """Have a command run until it is ended, and have made a socket."""
    command = [sys.executable, *OURS, *arguments]
    environ = environment(str(folder / "compiled"))
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            while not until.exists():
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def main() -> None:
    """Run it."""
    print("idle                      of a processor")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        daemon, socket, file = folder / "daemon", folder / "socket", folder / "r.pcapng"
        finished = idle(folder, "open", "--no-settings", str(RECORDING))
        print(f"  finished                  {finished:6.2f} %")
        relay = ["record", "--quiet", "--listen", str(socket), "--upstream", str(daemon)]
        with (
            running(folder, "daemon", "--listen", str(daemon), until=daemon),
            running(folder, *relay, "-o", str(file), until=file),
        ):
            live = ["open", "--no-settings", str(file)]
            print(f"  live, nobody connected    {idle(folder, *live):6.2f} %")
            with DaemonConnection(socket) as client:
                client.is_valid_path(f"/nix/store/{'a' * 32}-x")
                print(f"  live, a client that waits {idle(folder, *live):6.2f} %")
