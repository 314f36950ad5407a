"""What the relay costs a real Nix client and daemon, beside a direct connection and socat.

Three pieces of work with Nix 2.34.8 (from the tests' lab, `make lab`): questions about a
thousand paths, the upload of one large file, and a build of many small derivations. Each is
done directly, through socat and through the relay in turn; printed are medians in seconds
and the ratio to direct, run by run, then the same of the processor time that client, daemon and
relay used together: where other work runs beside it, only that says what the relay costs.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench_relay import greeted
from tests.real_nix import lab
from tests.real_nix.daemons import Client, Daemon, running

RUNS = 5
PATHS = 1000
SIZE = 1 << 30
DERIVATIONS = 200
SETTLE = 0.2
"""Seconds in which the rest of a recording is written, and children are waited for."""

BUILD = """
derivation {{
  name = "top-{stamp}"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo $all > $out" ];
  all = builtins.genList (i: derivation {{
    name = "small-{stamp}-${{toString i}}"; system = builtins.currentSystem; builder = "/bin/sh";
    args = [ "-c" "echo ${{toString i}} > $out" ];
  }}) {count};
}}
"""


@contextmanager
def through(words: list[str], path: Path) -> Iterator[list[int]]:
    """Run a relay, if `words` are any, that listens on `path`; yield its process once it relays."""
    if not words:
        yield []
        return
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    greeted(path).close()
    try:
        yield [child.pid]
    finally:
        child.terminate()
        child.wait()
        path.unlink(missing_ok=True)


def ways(daemon: Daemon, folder: Path) -> dict[str, list[str]]:
    """Return the relays to measure by name; `direct` has none."""
    here = str(folder / "relay")
    pix = [sys.executable, "-m", "pix_inspect", "record", "--quiet", "--listen", here,
           "--upstream", str(daemon.socket)]  # fmt: skip
    found: dict[str, list[str]] = {"direct": []}
    if shutil.which("socat") is not None:
        found["socat"] = ["socat", f"UNIX-LISTEN:{here},fork", f"UNIX-CONNECT:{daemon.socket}"]
    found["pix-inspect"] = [*pix, "-o", str(folder / "r.pcapng")]
    found["pix-inspect --payload full"] = [
        *pix, "--payload", "full", "-o", str(folder / "f.pcapng")
    ]  # fmt: skip
    return found


def processor(pids: list[int]) -> float:
    """Return the seconds of processor time of these, and of our children that ended."""
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, stat[11:15]))  # its own and its children's, as proc(5) has it
    return done.ru_utime + done.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def measured(
    daemon: Daemon, folder: Path, names: tuple[str, ...], work: Callable[[Client, str], None]
) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of each run of `work` by way, and those of processor time."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    relays = ways(daemon, folder)
    for run in range(RUNS + 1):
        for name in names:
            if name not in relays:
                continue
            with through(relays[name], folder / "relay") as pids:
                pids = [daemon.process.pid, *pids]
                client = daemon.client(socket=folder / "relay" if relays[name] else None)
                used, start = processor(pids), time.perf_counter()
                work(client, f"{run}-{len(name)}")
                took = time.perf_counter() - start
                time.sleep(SETTLE)
                if run:  # the first is a warm-up
                    found[name].append((took, processor(pids) - used))
            for left in folder.glob("*.pcapng"):
                left.unlink()
    return {name: times for name, times in found.items() if times}


def show(title: str, found: dict[str, list[tuple[float, float]]]) -> None:
    """Print a table."""
    print(f"\n{title:44} {'s':>8} {'× direct':>9} {'processor':>10} {'× direct':>9}")
    for name, runs in found.items():
        line = f"  {name:42}"
        for which, width in ((0, 8), (1, 10)):
            pairs = zip(runs, found["direct"], strict=True)
            ratio = statistics.median(run[which] / direct[which] for run, direct in pairs)
            line += f" {statistics.median(run[which] for run in runs):{width}.3f} {ratio:9.2f}"
        print(line)


def main() -> None:
    """Do the three pieces of work."""
    nix = lab.installed("2.34.8")
    if nix is None:
        print("no real Nix here: `make lab` installs it")
        return
    usual = ("direct", "socat", "pix-inspect")
    with running(nix) as daemon, tempfile.TemporaryDirectory(prefix="pix-") as name:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        for i in range(PATHS):
            (files / f"f{i}").write_text(str(i))
        daemon.client().run("nix-store", "--add", *sorted(files.iterdir()))

        def questions(client: Client, stamp: str) -> None:
            client.run("nix", "path-info", "--all", "-s")

        show(f"nix path-info --all, {PATHS} paths", measured(daemon, folder, usual, questions))

        big = folder / "big"
        with big.open("wb") as file:
            for i in range(SIZE >> 20):
                file.write(bytes([i & 255]) * (1 << 20))

        def upload(client: Client, stamp: str) -> None:
            client.run("nix-store", "--add", big)

        show(
            f"nix-store --add, {SIZE >> 20} MiB",
            measured(daemon, folder, (*usual, "pix-inspect --payload full"), upload),
        )
        big.unlink()

        def build(client: Client, stamp: str) -> None:
            expression = folder / "many.nix"
            expression.write_text(BUILD.format(stamp=stamp, count=DERIVATIONS))
            client.run("nix-build", "--no-out-link", expression)

        show(f"nix-build, {DERIVATIONS} derivations", measured(daemon, folder, usual, build))
