"""The daemon in the box beside Nix 2.34.8: many small questions, and one large upload.

The same client, ours, asks both, each with a store on disk. Printed are the medians of some
runs in seconds, and the most memory that the daemon's processes held, in MiB. A real daemon
serves each connection in a process of its own: that one and its parent are counted together.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench_relay import greeted
from pix.codec.nar_files import nar_of_contents
from pix.daemon import DaemonConnection
from pix.protocol.types import GCAction
from tests.real_nix import lab
from tests.real_nix.daemons import State, remove, running

RUNS = 5
QUESTIONS = 10_000
SIZE = 1 << 30
PIECE = 1 << 20
WAIT = 600.0

Work = Callable[[DaemonConnection, int], None]


@contextmanager
def in_the_box(place: Path) -> Iterator[tuple[Path, int]]:
    """Run our daemon on a store below `place`; yields its socket and process."""
    state = State.of(place)
    command = [sys.executable, "-m", "pix_inspect", "daemon", "--listen", str(state.socket)]
    store = ["--store", str(place), "--store-dir", str(state.store)]
    child = subprocess.Popen([*command, *store], stderr=subprocess.DEVNULL)
    try:
        while not state.socket.exists():
            time.sleep(0.01)
        greeted(state.socket).close()
        yield state.socket, child.pid
    finally:
        child.terminate()
        child.wait()


def held(pid: int) -> float:
    """The most memory that a process and its children held, in MiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return own / 1024 + sum(held(int(child)) for child in children)


def measured(socket: Path, pid: int, work: Work) -> tuple[float, float]:
    """Seconds of a run, and MiB that the daemon held in all of them."""
    times, most = [], 0.0
    for run in range(RUNS + 1):
        with DaemonConnection(socket, timeout=WAIT) as connection:
            connection.collect_garbage(GCAction.DELETE_DEAD)  # of the run before
            start = time.perf_counter()
            work(connection, run)
            if run:  # the first is a warm-up
                times.append(time.perf_counter() - start)
            most = max(most, held(pid))
    return statistics.median(times), most


def ask(connection: DaemonConnection, run: int) -> None:
    """Ask about a path that is there and one that is not, by turns."""
    path = connection.add_text_to_store("there", "text")
    absent = path.replace("there", "absent")
    for _ in range(QUESTIONS // 2):
        assert connection.is_valid_path(path)
        assert not connection.is_valid_path(absent)


def add(connection: DaemonConnection, run: int) -> None:
    """Add a file of a GiB that is not there yet."""
    pieces = (bytes([run, i & 255]) * (PIECE // 2) for i in range(SIZE // PIECE))
    connection.add_to_store(f"large-{run}", nar_of_contents(SIZE, pieces))


def main() -> None:
    """Do both with both."""
    nix = lab.installed("2.34.8")
    if nix is None:
        print("no real Nix here: `make lab` installs it")
        return
    works: dict[str, Work] = {f"{QUESTIONS:,} IsValidPath": ask, f"{SIZE >> 20} MiB added": add}
    print(f"{'':24} {'Nix 2.34.8':>20} {'in the box':>20} {'ratio':>14}")
    for title, work in works.items():
        with running(nix) as daemon:
            theirs = measured(daemon.socket, daemon.process.pid, work)
        place = Path(tempfile.mkdtemp(prefix="nix-"))
        try:
            with in_the_box(place) as (socket, pid):
                ours = measured(socket, pid, work)
        finally:
            remove(place)
        cells = "".join(f"{seconds:9.2f} s {most:4.0f} MiB" for seconds, most in (theirs, ours))
        ratios = "".join(f"{ours[i] / theirs[i]:7.1f}" for i in range(2))
        print(f"{title:24} {cells} {ratios}")


if __name__ == "__main__":
    main()
