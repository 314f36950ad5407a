"""The gateway beside `pix.daemon`, with the same Nix 2.34.8 behind both.

Questions a second (IsValidPath, one client after the other and eight at once) and an upload
(AddToStoreNar, one file), each in one run. The gateway is a process of its own; its clients are
`pix.worker_service`. Its memory is what it holds most during the upload, above what it held
before.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pix.daemon import DaemonConnection
from pix.protocol.types import UnkeyedValidPathInfo, ValidPathInfo
from pix.worker_service import WorkerServiceClient
from tests.real_nix import lab
from tests.real_nix.daemons import running
from tests.real_nix.test_daemon import Made

RUNS = 5
QUESTIONS = 2000
AT_ONCE = 8
UPLOAD = 256 << 20

Connect = Callable[[], Any]


def asked(connect: Connect, path: str, count: int) -> None:
    """Ask so often on a connection of its own."""
    with connect() as daemon:
        for _ in range(count):
            daemon.is_valid_path(path)


def rate(connect: Connect, path: str, clients: int) -> float:
    """Questions a second of so many clients."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(lambda _: asked(connect, path, QUESTIONS // clients), range(clients)))
    return QUESTIONS / (time.perf_counter() - start)


def uploaded(connect: Connect, path: str, digest: str) -> float:
    """MiB a second of an upload."""
    made = Made(UPLOAD)
    known = UnkeyedValidPathInfo(nar_hash=digest, references=frozenset(), nar_size=made.size)
    with connect() as daemon:
        start = time.perf_counter()
        daemon.add_to_store_nar(ValidPathInfo(path=path, info=known), made)
        return UPLOAD / (time.perf_counter() - start) / 2**20


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure, each way in turn."""
    nix = lab.installed("2.34.8")
    if nix is None:
        print("no real Nix here: `make lab` installs it")
        return
    made = Made(UPLOAD)
    hashing = hashlib.sha256()
    while piece := made.read(1 << 20):
        hashing.update(piece)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(nix, settings={"require-sigs": "false"}) as daemon,
    ):
        address = f"unix://{folder}/grpc"
        words = ["grpc", "--quiet", "--listen", address, "--upstream", str(daemon.socket)]
        gateway = subprocess.Popen([sys.executable, "-m", "pix_inspect", *words])
        while not Path(folder, "grpc").exists():
            time.sleep(0.01)
        ways: dict[str, Connect] = {
            "pix.daemon": lambda: DaemonConnection(daemon.socket),
            "gRPC": lambda: WorkerServiceClient(address),
        }
        with DaemonConnection(daemon.socket) as direct:
            hello = direct.add_text_to_store("hello", "x")
        numbers = iter(range(10**8, 10**9))
        before = resident(gateway.pid)
        most = [before]
        over = threading.Event()
        found: dict[tuple[str, str], list[float]] = {}
        for run in range(RUNS):
            for name, connect in ways.items():
                one = found.setdefault(("IsValidPath a second", name), [])
                one.append(rate(connect, hello, 1))
                many = found.setdefault((f"IsValidPath a second, {AT_ONCE} clients", name), [])
                many.append(rate(connect, hello, AT_ONCE))
            if not run:
                before = resident(gateway.pid)
                thread = threading.Thread(target=_watch, args=(gateway.pid, most, over))
                thread.start()
            for name, connect in ways.items():
                path = f"{hello.rpartition('/')[0]}/{str(next(numbers)) * 3}00000-upload"
                up = found.setdefault(("upload, MiB a second", name), [])
                up.append(uploaded(connect, path, hashing.hexdigest()))
        over.set()
        gateway.terminate()
        gateway.wait()
    print(f"{'':32} {'pix.daemon':>11} {'gRPC':>9} {'ratio':>6}")
    for title in dict.fromkeys(what for what, _ in found):
        direct_rate, through = (statistics.median(found[title, name]) for name in ways)
        print(f"{title:32} {direct_rate:11,.0f} {through:9,.0f} {through / direct_rate:6.2f}")
    print(f"memory of the gateway: {before >> 20} MiB, and {(most[0] - before) >> 20} more")


def _watch(pid: int, most: list[int], over: threading.Event) -> None:
    while not over.wait(0.05):
        most[0] = max(most[0], resident(pid))


if __name__ == "__main__":
    main()
