"""What it costs to open a recording of a million exchanges.

Prints, for QueryPathInfo on one connection, with answers that are alike and with varied ones:
- seconds to index it, and µs an exchange; of these, what reading packets alone takes;
- resident bytes an exchange that the index adds;
- seconds until the first rows are there, and µs to look a row up and to decode an exchange;
- for comparison, tshark counting conversations in the same file (seconds and MiB), where there is
  one, and a plain loop of Python that says how fast the machine is at the moment.

CPU seconds; each measurement runs in a process of its own.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.recordings import KINDS, write
from pix_inspect.describe.text_and_json import json_line
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.session.session import Session

COUNT = 1_000_000


def resident() -> int:
    """Bytes of this process in memory now; the peak would count its parent's too."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def index(path: Path) -> None:
    """Print the figures of one pass over the recording."""
    session = Session(path)
    before = resident()
    start = time.process_time()
    session.poll(0.02)
    first = time.process_time() - start
    rows = len(session)
    session.read_all()
    took = time.process_time() - start
    count = len(session)
    print(f"{took:8.2f} s   indexed, {took / count * 1e6:.1f} µs an exchange")
    print(f"{first:8.3f} s   until there are rows ({rows:,})")
    print(f"{(resident() - before) / count:8.1f} B   resident an exchange")
    start = time.process_time()
    for i in range(0, count, max(count // 10_000, 1)):
        session.row(i)
    print(f"{(time.process_time() - start) / min(count, 10_000) * 1e6:8.2f} µs  a row")
    start = time.process_time()
    for i in range(0, count, max(count // 300, 1)):
        json_line(session.exchange(i), session.started)
    print(f"{(time.process_time() - start) / min(count, 300) * 1e6:8.0f} µs  an exchange as JSON")


def packets(path: Path) -> None:
    """Print what reading the packets takes."""
    reader = RecordingReader(path)
    start = time.process_time()
    while reader.poll(500):
        pass
    print(f"{time.process_time() - start:8.2f} s   of that, reading packets")


def loop() -> None:
    """Print how fast the machine is."""
    start = time.process_time()
    total = 0
    for i in range(10_000_000):
        total += i * i & 7
    print(f"{time.process_time() - start:8.2f} s   a loop of 10,000,000 additions, for comparison")


def peer(path: Path) -> None:
    """Print what tshark takes for the same packets, where there is a tshark."""
    if shutil.which("tshark") is None:
        print("           no tshark to compare with")
        return
    subprocess.run(
        ["tshark", "-r", str(path), "-q", "-z", "conv,tcp"], check=True, capture_output=True
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took, most = used.ru_utime + used.ru_stime, used.ru_maxrss >> 10
    print(f"{took:8.2f} s   tshark -z conv,tcp, {most:,} MiB")


PARTS = {"index": index, "packets": packets, "tshark": peer}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for kind, vary in KINDS.items():
            path = Path(folder) / f"{kind}.pcapng"
            write(path, COUNT, vary())
            print(f"{COUNT:,} exchanges, {kind}, {path.stat().st_size >> 20:,} MiB", flush=True)
            for part in PARTS:
                command = [sys.executable, "-m", "benchmarks.bench_session", part, str(path)]
                subprocess.run(command, check=True)
            path.unlink()
        loop()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        PARTS[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
