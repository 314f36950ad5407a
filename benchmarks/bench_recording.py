"""What recording costs: in the relay's thread, in the writer's thread, and for a round trip.

Prints
- µs per chunk that `ConnectionLog.chunk` takes in the thread of the relay;
- µs per chunk and MB/s of the writer's thread, small chunks and whole payload, beside a plain
  write of the same bytes;
- µs per block of `RecordingReader.poll`, in batches and all at once, beside `tshark -z conv,tcp`;
- a round trip of 64 bytes through two relaying threads, all pinned to one core: without
  recording, and recorded; what is added is the ratio that counts.

Figures of one run belong together; take ratios, and the best of three.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pix_inspect.recording.notes import Peer
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.writer import ConnectionLog, RecordingWriter

COUNT = 1_000_000
CHUNK = bytes(64)
PAYLOAD = bytes(64 << 10)
ASLEEP = 1000.0


def best(measure: Callable[[], float], times: int = 3) -> float:
    return min(measure() for _ in range(times))


def best_each(measure: Callable[[], tuple[float, ...]], times: int = 3) -> list[float]:
    return [min(column) for column in zip(*(measure() for _ in range(times)), strict=True)]


def writing(path: Path, chunk: bytes, count: int) -> tuple[float, float]:
    """Seconds per chunk in the relay's thread, and in the writer's."""
    path.unlink(missing_ok=True)
    writer = RecordingWriter(path, about={}, queue_limit=1 << 40, interval=ASLEEP)
    log = writer.open(Peer(), {})
    put, length = log.chunk, len(chunk)
    start = time.perf_counter()
    for number in range(count):
        put(number & 1, 1_700_000_000_000_000_000, chunk, length)
    queued = time.perf_counter()
    writer.close(1000)
    done = time.perf_counter()
    assert not writer.lost
    return (queued - start) / count, (done - queued) / count


def plain_write(path: Path, copy: Path) -> float:
    """Seconds to write the bytes of `path` in pieces of 1 MiB."""
    with path.open("rb") as source, copy.open("wb", buffering=0) as target:
        pieces = iter(lambda: source.read(1 << 20), b"")
        taken = 0.0
        for piece in pieces:
            start = time.perf_counter()
            target.write(piece)
            taken += time.perf_counter() - start
    copy.unlink()
    return taken


def reading(path: Path, limit: int | None) -> float:
    reader = RecordingReader(path)
    start = time.perf_counter()
    while reader.poll(limit):
        pass
    taken = time.perf_counter() - start
    reader.close()
    return taken


def pump(
    source: socket.socket, target: socket.socket, side: int, log: ConnectionLog | None
) -> None:
    view = memoryview(bytearray(64 << 10))
    while count := source.recv_into(view):
        if log is not None:
            log.chunk(side, time.monotonic_ns(), bytes(view[:count]), count)
        target.sendall(view[:count])
    target.shutdown(socket.SHUT_WR)


def echo(sock: socket.socket) -> None:
    while data := sock.recv(1 << 16):
        sock.sendall(data)
    os._exit(0)


def ping(sock: socket.socket, count: int, report: int) -> None:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        sock.sendall(CHUNK)
        sock.recv(1 << 16)
        times.append(time.perf_counter() - start)
    times.sort()
    figures = (statistics.fmean(times), times[count // 2], times[count * 99 // 100])
    os.write(report, " ".join(map(str, figures)).encode())
    os._exit(0)


def round_trip(path: Path | None, count: int, direct: bool = False) -> tuple[float, ...]:
    """Mean, median and 99th percentile of a round trip in seconds; recorded if there is a path."""
    client, near = socket.socketpair()
    far, daemon = (near, client) if direct else socket.socketpair()
    heard, report = os.pipe()
    ends = [client, near] if direct else [client, near, far, daemon]
    children = []
    for function, mine, *arguments in (
        (echo, near if direct else daemon),
        (ping, client, count, report),
    ):
        child = os.fork()
        if child == 0:
            for end in ends:
                if end is not mine:
                    end.close()
            function(mine, *arguments)
        children.append(child)
    writer = log = None
    if path is not None:
        path.unlink(missing_ok=True)
        writer = RecordingWriter(path, about={})
        log = writer.open(Peer(), {})
    if direct:
        near.close()
    else:
        daemon.close()
        ways = [(near, far, 0, log), (far, near, 1, log)]
        for way in ways:
            threading.Thread(target=pump, args=way, daemon=True).start()
    client.close()
    figures = tuple(map(float, os.read(heard, 1000).split()))
    for child in reversed(children):
        os.waitpid(child, 0)
    if writer is not None:
        writer.close()
        assert not writer.lost
    return figures


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder) / "s.pcapng", Path(folder) / "copy"
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        trips = 20_000
        figures = {
            "direct": best_each(lambda: round_trip(None, trips, direct=True)),
            "relayed": best_each(lambda: round_trip(None, trips)),
            "relayed and recorded": best_each(lambda: round_trip(path, trips)),
        }
        os.sched_setaffinity(0, cores)
        print("round trip of 64 bytes, one core (µs)        mean   median      p99")
        for name, each in figures.items():
            print(f"  {name:<38}" + "".join(f"{figure * 1e6:9.1f}" for figure in each))
        added = [figures[name][0] - figures["direct"][0] for name in figures]
        print(
            f"  added by the relay {added[1] * 1e6:.1f}, recorded {added[2] * 1e6:.1f} µs: "
            f"× {added[2] / added[1]:.2f}"
        )

        big = COUNT // 250
        put, written = best_each(lambda: writing(path, PAYLOAD, big))
        size = path.stat().st_size
        floor = best(lambda: plain_write(path, copy))
        print(f"\nwhole payload, {big} chunks of 64 KiB")
        print(f"  ConnectionLog.chunk           {put * 1e6:8.2f} µs")
        print(
            f"  writer                        {size / written / big / 1e6:8.0f} MB/s, "
            f"× {written * big / floor:.2f} of a plain write"
        )

        put, written = best_each(lambda: writing(path, CHUNK, COUNT))
        size = path.stat().st_size
        print(f"\n{COUNT} chunks of 64 bytes, {size / 1e6:.0f} MB")
        print(f"  ConnectionLog.chunk           {put * 1e6:8.2f} µs")
        print(f"  writer                        {written * 1e6:8.2f} µs a chunk")
        for limit, name in ((10_000, "10,000 at a time"), (None, "all at once     ")):
            taken = best(lambda limit=limit: reading(path, limit))  # type: ignore[misc]
            print(f"  reader, {name}      {taken / COUNT * 1e6:8.2f} µs a block, {taken:.2f} s")
        if shutil.which("tshark"):
            start = time.perf_counter()
            command = ["tshark", "-r", str(path), "-q", "-z", "conv,tcp"]
            subprocess.run(command, check=True, capture_output=True)
            shark = time.perf_counter() - start
            print(
                f"  tshark -q -z conv,tcp         {shark / COUNT * 1e6:8.2f} µs a block: "
                f"reader × {taken / shark:.2f}"
            )


if __name__ == "__main__":
    main()
