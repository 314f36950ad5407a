"""What the relay costs: round trips and bulk, beside a direct connection and beside socat.

The client sends valid protocol (a handshake at 1.35, then IsValidPath, or one AddToStore of
many 32 KiB frames) to a daemon that answers without thinking, so that all of the time is the
relay's. Every relay is a process of its own. Round trips run with all processes on one
processor, so that the figure is the work done and not the luck of wake-ups; bulk runs on two.

Columns: the median of the runs, the ratio to the direct connection of the same run, and for
round trips the time added, with its ratio to what socat adds. Lower is better; for bulk,
throughput, higher is.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol.operations import AddToStore, IsValidPath
from pix.sockets import listen
from pix_inspect.capture.relay import Relay
from pix_inspect.capture.upstream import SocketUpstream

V35 = Protocol(35)
RUNS = 5
TRIPS = 4000
BATCHES = 6
BULK = 512 << 20
FRAME = 32 << 10
LONG = 10 << 30
LONG_SECONDS = 60
"""The long upload ends after LONG bytes or these seconds, whichever is first."""
STARTS = 9
REQUEST = pack_u64(1) + encode(
    wire_of(IsValidPath), IsValidPath(path="/nix/store/" + "a" * 32 + "-hello"), V35
)
REPLY = pack_u64(0x616C7473) + pack_u64(1)
HELLO = pack_u64(0x6E697863) + pack_u64(0x123) + bytes(16)
GREETING = (
    pack_u64(0x6478696F) + pack_u64(0x123) + pack_u64(6) + b"2.18.0\0\0" + pack_u64(1)
    + pack_u64(0x616C7473)
)  # fmt: skip


def bare(here: str, there: str) -> None:
    """Relay without a tap."""
    relay = Relay(listen(Path(here)), SocketUpstream(Path(there)), lambda peer: None)
    relay.on_signals(signal.SIGTERM)
    relay.serve()


def daemon(path: str) -> None:
    """Answer IsValidPath requests and swallow AddToStore, one connection after the other."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(8)
    buffer = bytearray(1 << 20)
    while True:
        sock, _ = listening.accept()
        _exactly(sock, len(HELLO))
        sock.sendall(GREETING)
        first = _exactly(sock, 8)
        if first == pack_u64(1):
            _exactly(sock, len(REQUEST) - 8)
            sock.sendall(REPLY)
            view = memoryview(buffer)[: len(REQUEST)]
            while got := sock.recv_into(view, len(REQUEST)):
                while got < len(REQUEST):
                    got += sock.recv_into(view[got:])
                sock.sendall(REPLY)
        elif first:
            while sock.recv_into(buffer):
                pass
            sock.sendall(b"done")
        sock.close()


def _exactly(sock: socket.socket, size: int) -> bytes:
    out = b""
    while len(out) < size and (piece := sock.recv(size - len(out))):
        out += piece
    return out


def greeted(path: Path) -> socket.socket:
    """Return a connection on which the handshake is over."""
    sock = socket.socket(socket.AF_UNIX)
    while sock.connect_ex(str(path)) == errno.ECONNREFUSED:  # bound, and about to listen
        time.sleep(0.001)
    sock.sendall(HELLO)
    _exactly(sock, len(GREETING))
    return sock


def round_trip(path: Path) -> float:
    """Return the microseconds of one IsValidPath, in the batch that was disturbed least.

    A batch lasts longer than the recording's writer pauses, so each contains its work.
    """
    best = float("inf")
    with greeted(path) as sock:
        for _ in range(BATCHES):
            start = time.perf_counter()
            for _ in range(TRIPS):
                sock.sendall(REQUEST)
                sock.recv(64)
            best = min(best, (time.perf_counter() - start) / TRIPS * 1e6)
    return best


def bulk(path: Path) -> float:
    """Return the MiB a second of an AddToStore."""
    head = pack_u64(7) + encode(wire_of(AddToStore), AddToStore(name="x", dump=b""), V35)
    piece = (pack_u64(FRAME) + bytes(FRAME)) * 32
    with greeted(path) as sock:
        start = time.perf_counter()
        sock.sendall(head)
        for _ in range(BULK // (FRAME * 32)):
            sock.sendall(piece)
        sock.sendall(bytes(8))
        sock.shutdown(socket.SHUT_WR)
        _exactly(sock, 4)
        return BULK / (1 << 20) / (time.perf_counter() - start)


@contextmanager
def process(words: list[str], path: Path, cpus: set[int]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process on some processors until the caller is done; wait for its socket first."""
    child = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(child.pid, cpus)
    until = time.monotonic() + 10
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        path.unlink(missing_ok=True)


def relays(folder: Path) -> dict[str, list[str]]:
    """Return the command of each relay to measure, by name; all listen on `relay`."""
    here, there = folder / "relay", folder / "daemon"
    pix = [sys.executable, "-m", "pix_inspect", "record", "--quiet", "--listen", str(here),
           "--upstream", str(there)]  # fmt: skip
    found: dict[str, list[str]] = {}
    if shutil.which("socat") is not None:
        found["socat"] = ["socat", f"UNIX-LISTEN:{here},fork", f"UNIX-CONNECT:{there}"]
        found["socat -b 65536"] = ["socat", "-b", "65536", *found["socat"][1:]]
    found["pix-inspect, nothing recorded"] = [
        *(sys.executable, __file__, "--bare", str(here), str(there))
    ]
    found["pix-inspect, payload elided"] = [*pix, "-o", str(folder / "elided.pcapng")]
    found["pix-inspect, payload full"] = [
        *pix, "--payload", "full", "-o", str(folder / "full.pcapng")
    ]  # fmt: skip
    return found


def measured(folder: Path, measure: Callable[[Path], float], cpus: set[int]) -> dict[str, float]:
    """Return one figure for the direct connection and for each relay, taken in one run."""
    os.sched_setaffinity(0, cpus)
    found = {}
    there = folder / "daemon"
    with process([sys.executable, __file__, str(there)], there, cpus):
        found["direct"] = measure(there)
        for name, words in relays(folder).items():
            with process(words, folder / "relay", cpus):
                found[name] = measure(folder / "relay")
            for left in folder.glob("*.pcapng"):
                left.unlink()
    return found


def main() -> None:
    """Print both tables, and the relay's memory with many connections."""
    cpus = sorted(os.sched_getaffinity(0))
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="pix-", dir=base) as name:
        folder = Path(name)
        trips = [measured(folder, round_trip, set(cpus[:1])) for _ in range(RUNS)]
        speeds = [measured(folder, bulk, set(cpus[:2])) for _ in range(RUNS)]
        os.sched_setaffinity(0, set(cpus))
        _print_trips(trips)
        _print_speeds(speeds)
        _print_memory(folder)
        _print_long_transfer(folder)
        _print_start(folder)


def _median(runs: list[dict[str, float]], name: str, of: str = "") -> float:
    if of:
        return statistics.median(run[name] / run[of] for run in runs)
    return statistics.median(run[name] for run in runs)


def _print_trips(runs: list[dict[str, float]]) -> None:
    print(
        f"{'round trip, one processor':32} {'µs':>8} {'× direct':>9} {'added µs':>9} {'× socat':>8}"
    )
    for name in runs[0]:
        added = statistics.median(run[name] - run["direct"] for run in runs)
        ratio = ""
        if "socat" in runs[0] and name != "direct":
            ratio = f"{added / statistics.median(run['socat'] - run['direct'] for run in runs):.2f}"
        print(
            f"{name:32} {_median(runs, name):8.1f} {_median(runs, name, 'direct'):9.2f}"
            f" {added:9.1f} {ratio:>8}"
        )


def _print_speeds(runs: list[dict[str, float]]) -> None:
    print(f"\n{'bulk up, two processors':32} {'MiB/s':>8} {'× direct':>9} {'× socat':>18}")
    for name in runs[0]:
        ratio = f"{_median(runs, name, 'socat'):.2f}" if "socat" in runs[0] else ""
        print(
            f"{name:32} {_median(runs, name):8.0f} {_median(runs, name, 'direct'):9.2f} {ratio:>18}"
        )


def _print_memory(folder: Path) -> None:
    there = folder / "daemon"
    with process([sys.executable, "-c", HOLDER, str(there)], there, os.sched_getaffinity(0)):
        words = relays(folder)["pix-inspect, payload elided"]
        with process(words, folder / "relay", os.sched_getaffinity(0)) as relay:
            before = _resident(relay.pid)
            held = [greeted(folder / "relay") for _ in range(200)]
            each = (_resident(relay.pid) - before) / len(held) / 1024
            for sock in held:
                sock.close()
        for left in folder.glob("*.pcapng"):
            left.unlink()
    print(f"\nresident memory: {before >> 20} MiB, and {each:.0f} KiB a connection")


def _print_long_transfer(folder: Path) -> None:
    """Print the relay's memory in the course of one long upload."""
    there = folder / "daemon"
    found = []
    with process([sys.executable, __file__, str(there)], there, os.sched_getaffinity(0)):
        words = relays(folder)["pix-inspect, payload elided"]
        with process(words, folder / "relay", os.sched_getaffinity(0)) as relay:
            until = time.monotonic() + LONG_SECONDS
            done = 0
            while done < LONG and time.monotonic() < until:
                bulk(folder / "relay")
                done += BULK
                found.append(_resident(relay.pid))
        kept = sum(path.stat().st_size for path in folder.glob("*.pcapng"))
    for left in folder.glob("*.pcapng"):
        left.unlink()
    print(
        f"over {done / (1 << 30):.1f} GiB: {found[0] >> 20} MiB resident after the first"
        f" {BULK >> 20} MiB, at most {max(found) >> 20} MiB; {kept >> 20} MiB recorded"
    )


def _print_start(folder: Path) -> None:
    """Print how long after its start a relay listens, beside the interpreter's own start."""
    there, here = folder / "daemon", folder / "relay"
    with process([sys.executable, __file__, str(there)], there, os.sched_getaffinity(0)):
        words = relays(folder)["pix-inspect, payload elided"]
        times = []
        for _ in range(STARTS):
            start = time.perf_counter()
            child = subprocess.Popen(words, stderr=subprocess.DEVNULL)
            while not _listens(here):
                time.sleep(0.0005)
            times.append(time.perf_counter() - start)
            child.terminate()
            child.wait()
            for left in folder.glob("*.pcapng"):
                left.unlink()
    bare = []
    for _ in range(STARTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", ""], check=True)
        bare.append(time.perf_counter() - start)
    print(
        f"listening {statistics.median(times) * 1000:.0f} ms after its start; python alone takes"
        f" {statistics.median(bare) * 1000:.0f} ms"
    )


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


HOLDER = f"""
import socket, sys, threading
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(512)
held = []
while True:
    sock, _ = listening.accept()
    sock.recv({len(HELLO)})
    sock.sendall({GREETING!r})
    held.append(sock)
"""


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    if sys.argv[1] == "--bare":
        bare(*sys.argv[2:])
    else:
        daemon(sys.argv[1])
