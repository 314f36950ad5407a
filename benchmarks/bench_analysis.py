"""What the round-trip report of a million exchanges costs, beside tshark reading the same file.

Prints processor seconds and MiB of `pix-inspect analyse` without and with `--at-rtt`, and of
`tshark -q -z io,stat,0`, which reads every packet and keeps a sum; then the ratio of the
medians of some runs. The files are a million QueryPathInfo, alike and varied.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.recordings import KINDS, write

COUNT = 1_000_000
TIMES = 3
PIX = [sys.executable, "-m", "pix_inspect"]


def cost(command: list[str]) -> tuple[float, float]:
    """Return the processor seconds of a command and the most MiB it took."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} ended with status {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, vary in KINDS.items():
            path = Path(folder) / f"{kind}.pcapng"
            write(path, COUNT, vary())
            print(f"{COUNT:,} exchanges, {kind}, {path.stat().st_size >> 20} MiB:", flush=True)
            compare(path)
            path.unlink()


def compare(path: Path) -> None:
    """Print what each takes for a recording."""
    commands = {
        "analyse": [*PIX, "analyse", str(path)],
        "analyse --at-rtt 50ms": [*PIX, "analyse", str(path), "--at-rtt", "50ms"],
    }
    tshark = shutil.which("tshark")
    if tshark is not None:
        commands["tshark"] = [tshark, "-r", str(path), "-q", "-z", "io,stat,0"]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(TIMES):
        for name, command in commands.items():
            taken[name].append(cost(command))
    medians = {
        name: statistics.median(seconds for seconds, _ in each) for name, each in taken.items()
    }
    for name, each in taken.items():
        print(f"  {name:<22} {medians[name]:6.2f} s  {max(size for _, size in each):5.0f} MiB")
    if tshark is not None:
        ratio = medians["analyse"] / medians["tshark"]
        print(f"  analyse / tshark       {ratio:6.2f}")


if __name__ == "__main__":
    main()
