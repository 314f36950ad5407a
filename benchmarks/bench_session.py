"""What it costs to open a recording of a million exchanges.

Prints, for QueryPathInfo (72 bytes up, 520 down) on one connection:
- seconds to index it, and µs an exchange; of these, what reading packets alone takes;
- resident bytes an exchange that the index adds;
- seconds until the first rows are there, and µs to look a row up and to decode an exchange;
- for comparison, tshark counting conversations in the same file (seconds and MiB), where there is
  one, and a plain loop of Python that says how fast the machine is at the moment.

CPU seconds of this process; each measurement runs in a process of its own.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.describe.text_and_json import json_line
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.session import Session

COUNT = 1_000_000
LAST = 0x616C7473


def word(n: int) -> bytes:
    return n.to_bytes(8, "little")


def write(
    path: Path, count: int, vary: Callable[[int, dict[str, Any]], int] = lambda i, info: 1
) -> None:
    """Write a recording of `count` QueryPathInfo at 1.35.

    `vary` may change what request `i` is answered, and returns how many times it is asked.
    """
    operation = OPERATIONS_BY_NAME["QueryPathInfo"]
    protocol = Protocol(35)
    references = [f"/nix/store/{'a' * 32}-x{i}" for i in range(5)]
    info = {
        "deriver": None, "nar_hash": "a" * 64, "references": references, "registration_time": 1,
        "nar_size": 3, "ultimate": False, "sigs": ["k:" + "b" * 88], "ca": None,
    }  # fmt: skip
    same = dict(info)
    answer = b""
    writer = RecordingWriter(path, about={}, queue_limit=1 << 40)
    now = 1_700_000_000_000_000_000
    log = writer.open(Peer(), {}, time=now)
    nix = word(6) + b"2.18.0\0\0"
    greeting = [
        (0, word(0x6E697863) + word(0x123)), (1, word(0x6478696F) + word(0x123)),
        (0, word(0) * 2), (1, nix + word(1) + word(LAST)),
    ]  # fmt: skip
    for side, data in greeting:
        log.chunk(side, now, data, len(data))
    for i in range(count):
        varied = dict(same)
        times = vary(i, varied)
        if not answer or varied != info:
            info = varied
            plain = operation.reply.value_of({"info": info})
            answer = word(LAST) + encode(operation.reply, plain, protocol)
        request = b"/nix/store/" + b"a" * 32 + b"-%08d" % i
        request = word(26) + word(len(request)) + request + bytes(-len(request) & 7)
        for _ in range(times):
            now += 30_000
            log.chunk(0, now, request, len(request))
            log.chunk(1, now + 20_000, answer, len(answer))
        while writer.queued > 64 << 20:
            time.sleep(0.01)
    log.close(now)
    writer.close(600)


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
    start = time.perf_counter()
    subprocess.run(
        ["tshark", "-r", str(path), "-q", "-z", "conv,tcp"], check=True, capture_output=True
    )
    took = time.perf_counter() - start
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"{took:8.2f} s   tshark -z conv,tcp, {most:,} MiB")


PARTS = {"index": index, "packets": packets, "tshark": peer}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.pcapng"
        write(path, COUNT)
        print(f"{COUNT:,} exchanges, {path.stat().st_size >> 20:,} MiB")
        for part in PARTS:
            subprocess.run([sys.executable, __file__, part, str(path)], check=True)
        loop()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        PARTS[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
