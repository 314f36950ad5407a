"""What it takes to follow a recording that grows: delay, and a stream faster than the eye.

A relay records; a viewer polls the recording as the screen does, 20 times a second, in a
process of its own. Printed are

- the delay from a client's request to the viewer's row, median and worst, beside a plain
  reader of the file that only looks how long it is (`tail -f` with the same clock);
- 50,000 exchanges a second for some seconds, or as many as pass: how far the viewer falls
  behind and how long after the end it has caught up, and what the relay passes with and
  without it, in turn, several runs.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from benchmarks import bench_relay
from benchmarks.bench_relay import REPLY, REQUEST, greeted, process
from pix_inspect.session.session import Session

TICK = 1 / 20
"""Seconds between two looks of the screen."""
POLL = 0.02
"""Seconds that the screen takes for reading at a time."""
TIMES = 60
RATE = 50_000
SECONDS = 8
BATCH = 100
RUNS = 3


def view(path: str, seen: Synchronized[int], over: Synchronized[int]) -> None:
    """Follow a recording as the screen does: `seen` exchanges, until told that it is over."""
    session = Session(Path(path))
    while not over.value:
        time.sleep(TICK)
        session.poll(POLL)
        seen.value = len(session)


def follow(path: str, told: Connection) -> None:
    """Report when each new row, and each growth of the file, is seen."""
    session = Session(Path(path))
    rows, size = 0, 0
    while not told.poll():
        session.poll(POLL)
        if len(session) > rows:
            rows = len(session)
            told.send(("row", rows, time.monotonic()))
        if (now := Path(path).stat().st_size) > size:
            size = now
            told.send(("file", size, time.monotonic()))
        time.sleep(TICK)


def delays(relay: Path, recording: Path) -> tuple[list[float], list[float]]:
    """Return the milliseconds from a request to its row, and to its bytes in the file."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    viewer = context.Process(target=follow, args=(str(recording), theirs))
    found: dict[str, list[float]] = {"row": [], "file": []}
    with greeted(relay) as sock:
        viewer.start()
        time.sleep(1.5)  # it starts, and sees the handshake
        for i in range(TIMES):
            # at any moment of the writer's and the viewer's turns, and with nothing on its way
            time.sleep(0.2 + 0.001 * i)
            while ours.poll():
                ours.recv()
            start = time.monotonic()
            sock.sendall(REQUEST)
            sock.recv(64)
            waiting = {"row", "file"}
            while waiting:
                what, _, when = ours.recv()
                if what in waiting:
                    waiting.discard(what)
                    found[what].append((when - start) * 1000)
        ours.send(None)
        viewer.join()
    return found["row"], found["file"]


def stream(relay: Path) -> tuple[float, int]:
    """Pass exchanges for some seconds at RATE; return exchanges a second, and how many."""
    requests = REQUEST * BATCH
    done = 0
    with greeted(relay) as sock:
        start = time.monotonic()
        while (now := time.monotonic() - start) < SECONDS:
            if done > now * RATE:
                time.sleep(done / RATE - now)
            sock.sendall(requests)
            left = len(REPLY) * BATCH
            while left:
                left -= len(sock.recv(left))
            done += BATCH
        return done / (time.monotonic() - start), done


def watched(relay: Path, recording: Path) -> tuple[float, float, float]:
    """Stream with a viewer: exchanges a second, exchanges behind at the end, s to catch up."""
    context = get_context("spawn")
    seen, over = context.Value("q", 0), context.Value("q", 0)
    viewer = context.Process(target=view, args=(str(recording), seen, over))
    viewer.start()
    while not seen.value:  # the handshake of whoever tried first
        time.sleep(0.01)
    before = seen.value
    rate, done = stream(relay)
    end = time.monotonic()
    behind = done - (seen.value - before)
    while seen.value - before < done + 1:  # and the handshake
        time.sleep(0.005)
    caught = time.monotonic() - end
    over.value = 1
    viewer.join()
    return rate, behind, caught


def main() -> None:
    """Print the delay and the rates."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    cpus = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="pix-", dir=base) as name:
        folder = Path(name)
        there, here, recording = folder / "daemon", folder / "relay", folder / "elided.pcapng"
        with process([sys.executable, bench_relay.__file__, str(there)], there, cpus):
            words = bench_relay.relays(folder)["pix-inspect, payload elided"]
            with process(words, here, cpus):
                rows, file = delays(here, recording)
            recording.unlink()
            print(
                f"from a request to the viewer's row: median {statistics.median(rows):.0f} ms, at"
                f" most {max(rows):.0f} ms; until the file had grown: {statistics.median(file):.0f}"
                f" and {max(file):.0f} ms"
            )
            alone, along = [], []
            for _ in range(RUNS):
                for viewer in (False, True):
                    with process(words, here, cpus):
                        greeted(here).close()
                        if viewer:
                            along.append(watched(here, recording))
                        else:
                            alone.append(stream(here)[0])
                    recording.unlink()
    rates = [rate for rate, _, _ in along]
    print(
        f"{RATE:,} exchanges a second asked for: {statistics.median(alone):,.0f} without a viewer,"
        f" {statistics.median(rates):,.0f} with one"
        f" ({statistics.median(w / a for w, a in zip(rates, alone, strict=True)):.2f} ×);"
        f" after {SECONDS} s the viewer was {statistics.median(b for _, b, _ in along):,.0f}"
        f" exchanges behind, and had caught up {statistics.median(c for _, _, c in along):.1f} s"
        " later"
    )
