"""What it costs to compare two recordings of 200,000 exchanges, against `diff` on their texts.

The recordings are QueryPathInfo on one connection. Pairs:
- the same twice;
- another store: another registration time in each answer, which does not count;
- another client: every 1,000th request left out, every 500th asked twice, every 250th answered
  otherwise.
Then the last with answers that all differ.

Prints seconds and MiB of `pix-inspect diff A B`, those of `tshark -T fields -e tcp.payload` for
both and `diff` of the two texts (where there is a tshark; it tells bytes apart, not what they
mean), and the ratio, as medians of some runs.

CPU seconds of the processes, the most resident memory of any of them.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.recordings import Answer, Vary, alike, varied, write

COUNT = 200_000
RUNS = 3


def cost(command: Sequence[str | Path], output: Path) -> tuple[float, float]:
    """Return the CPU seconds and MiB that a command took; its output goes into a file."""
    with output.open("wb") as file, Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen(command, stdout=file, stderr=nothing)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with status {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def ours(first: Path, second: Path) -> tuple[float, float]:
    """Compare with this tool."""
    return cost([sys.executable, "-m", "pix_inspect", "diff", first, second], Path(os.devnull))


def peer(first: Path, second: Path) -> tuple[float, float]:
    """Compare with tshark and diff."""
    texts = [path.with_suffix(".txt") for path in (first, second)]
    fields = ["-T", "fields", "-e", "tcp.payload"]
    costs = [
        cost(["tshark", "-r", path, *fields], text)
        for path, text in zip((first, second), texts, strict=True)
    ]
    costs.append(cost(["diff", *texts], Path(os.devnull)))
    return sum(seconds for seconds, _ in costs), max(most for _, most in costs)


def median(
    measure: Callable[[Path, Path], tuple[float, float]], first: Path, second: Path
) -> tuple[float, float]:
    """Return the medians of some runs."""
    seconds, most = zip(*(measure(first, second) for _ in range(RUNS)), strict=True)
    return statistics.median(seconds), statistics.median(most)


def another_store(i: int, info: Answer) -> int:
    """Each path was registered at another time."""
    info["registration_time"] = 2 + i
    return 1


def another_client(i: int, info: Answer) -> int:
    """Some requests are left out, some come twice, some are answered otherwise."""
    info["nar_size"] += i % 250 == 7
    return 0 if i % 1000 == 3 else 1 + (i % 500 == 5)


def another_varied() -> Vary:
    """Return what makes another client of varied answers."""
    vary = varied()
    return lambda i, info: vary(i, info) and another_client(i, info)


PAIRS: dict[str, tuple[Vary, Vary]] = {
    "the same": (alike(), alike()),
    "another store": (alike(), another_store),
    "another client": (alike(), another_client),
    "varied": (varied(), another_varied()),
}


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.pcapng", Path(folder) / "second.pcapng"
        print(f"{COUNT:,} exchanges each")
        print("                   diff A B          tshark and diff        ratio")
        for name, both in PAIRS.items():
            for path, vary in zip((first, second), both, strict=True):
                path.unlink(missing_ok=True)
                write(path, COUNT, vary)
            mine, most = median(ours, first, second)
            line = f"{name:<14} {mine:6.1f} s {most:5.0f} MiB"
            if shutil.which("tshark") is not None:
                theirs, at_most = median(peer, first, second)
                line += f"  {theirs:10.1f} s {at_most:5.0f} MiB  {mine / theirs:10.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
