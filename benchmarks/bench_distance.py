"""What `analyse --at-rtt` predicts, beside real sessions with a daemon made that distant.

Three pieces of work with Nix 2.34.8: questions about a closure, a build of a few derivations,
and the upload of a folder. Each is recorded without delay, its time at 5 and 50 ms predicted
from the recording, and then done with that delay. Printed is predicted over measured.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench_real_nix import BUILD
from pix_inspect.analysis.round_trips import Analyst, Distance
from tests.real_nix import lab
from tests.real_nix.daemons import Client, Daemon, running

RUNS = 3
DELAYS = (5, 50)
"""Milliseconds of a round trip."""


def recorded(daemon: Daemon, folder: Path, work: Callable[[Client], None], ms: float) -> Path:
    """Do some work at a distance and return its recording."""
    target = folder / f"{time.monotonic_ns()}.pcapng"
    relay = [sys.executable, "-m", "pix_inspect", "record", "--quiet", "-o", str(target)]
    relay += ["--listen", str(folder / "relay"), "--upstream", str(daemon.socket)]
    relay += ["--delay", f"{ms / 2}ms"] if ms else []
    child = subprocess.Popen(relay, stdout=subprocess.DEVNULL)
    while not (folder / "relay").exists():
        time.sleep(0.01)
    work(daemon.client(socket=folder / "relay"))
    child.terminate()
    child.wait()
    return target


def elapsed(recording: Path, rtt: float = 0) -> float:
    """Seconds of a recorded session, or what it would take at a round trip of `rtt` ms."""
    analyst = Analyst(recording, Distance(int(rtt * 1e6), 0.0) if rtt else None)
    found = analyst.read()
    return (analyst.predicted if rtt else found.elapsed) / 1e9


def main() -> None:
    """Predict, and see."""
    nix = lab.installed("2.34.8")
    if nix is None:
        print("no real Nix here: `make lab` installs it")
        return
    with tempfile.TemporaryDirectory() as name, running(nix) as daemon:
        folder = Path(name)
        tree = folder / "tree"
        tree.mkdir()
        for i in range(200):
            (tree / f"file-{i}").write_text(f"{i}\n" * 500)
        expression = BUILD.format(stamp="distance", count=6)
        built = daemon.client().run("nix-build", "--no-out-link", "-E", expression)
        top = built.stdout.decode().strip()
        number = iter(range(10**6))
        works: dict[str, Callable[[Client], None]] = {
            "questions": lambda client: _done(client, "nix", "path-info", "-rsSh", top),
            "build": lambda client: _done(
                client, "nix-build", "--no-out-link", "-E",
                BUILD.format(stamp=f"far-{next(number)}", count=6),
            ),
            "upload": lambda client: _done(client, "nix-store", "--add", str(tree)),
        }  # fmt: skip
        print(f"{'work':12} {'rtt':>6} {'predicted':>10} {'measured':>9} {'ratio':>6}")
        for title, work in works.items():
            near = [recorded(daemon, folder, work, 0) for _ in range(RUNS)]
            for ms in DELAYS:
                predicted = statistics.median(elapsed(path, ms) for path in near)
                far = [recorded(daemon, folder, work, ms) for _ in range(RUNS)]
                measured = statistics.median(elapsed(path) for path in far)
                ratio = predicted / measured
                print(f"{title:12} {ms:4} ms {predicted:9.3f}s {measured:8.3f}s {ratio:6.2f}")


def _done(client: Client, *command: str) -> None:
    client.run(*command)


if __name__ == "__main__":
    main()
