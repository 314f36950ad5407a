"""How the screen keeps up: a large recording browsed, and a fast one followed.

Prints, for QueryPathInfo on one connection, at 120×40 without a terminal:
- seconds from the first poll until the first rows stand, and until all is read while the screen
  answers keys; the longest time in between that it was deaf;
- milliseconds from page-down to the last frame that it causes (median, p99), fields, bytes and all;
- seconds until a filter over what the index knows is applied to all, and until all is sorted;
- how long the screen is deaf while exchanges arrive 10,000 a second (p99, longest);
- resident MiB with all rows indexed.

Wall seconds of a process that shares its machine; the figures are for comparing runs.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from textual.screen import Screen

from benchmarks.recordings import alike, write
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.main_screen import MainScreen

COUNT = 1_000_000
PAGES = 200
FILTERS = ("op = QueryPathInfo", "error", "took > 10ms and conn = 1")
RATE = 10_000
SECONDS = 5


def resident() -> float:
    """MiB of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


class Following:
    """A relay that runs: the screen then takes the recording for a live one."""

    socket = Path("/run/pix.sock")

    def alive(self) -> bool:
        return True

    def said(self) -> list[str]:
        return []


async def deaf(gaps: list[float], stop: asyncio.Event) -> None:
    """Note how late the event loop comes back."""
    while not stop.is_set():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        gaps.append(time.perf_counter() - start - 0.005)


class Painted(Inspector):
    """Tells when something was painted."""

    painted = 0.0
    first: float | None = None
    """When something was painted first since this was set to None."""

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        self.painted = time.perf_counter()
        if self.first is None:
            self.first = self.painted


async def settle(app: Painted, since: float) -> float:
    """Wait until nothing has been painted for 40 ms; return when the last was, in seconds."""
    while app.painted < since or time.perf_counter() - app.painted < 0.04:
        await asyncio.sleep(0.002)
    return app.painted - since


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] * 1e3 if values else 0.0


async def browse(path: Path) -> None:
    app = Painted(Session(path))
    stop = asyncio.Event()
    gaps: list[float] = []
    start, used = time.perf_counter(), time.process_time()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        watch = asyncio.create_task(deaf(gaps, stop))
        first = None
        while not screen.settled:
            await asyncio.sleep(0.01)
            if first is None and screen.timeline.lines.count:
                first = time.perf_counter() - start
        read, used = time.perf_counter() - start, time.process_time() - used
        stop.set()
        await watch
        longest = max(gaps, default=0.0) * 1e3
        count = screen.timeline.lines.count
        print(f"  first rows after {first or 0:.2f} s, all {count:,} read after"
              f" {read:.1f} s ({used:.1f} s of processor); deaf p99 {p99(gaps):.0f} ms, longest"
              f" {longest:.0f} ms")  # fmt: skip
        drawn: list[float] = []
        moved: list[float] = []
        for page in range(PAGES if count > PAGES else 0):
            if page == PAGES // 2:
                screen.timeline.lines.move_to(screen.timeline.lines.count // 2)
                await pilot.pause(0.2)
            start, app.first = time.perf_counter(), None
            screen.timeline.lines.action_page(1)
            drawn.append(await settle(app, start))
            moved.append((app.first or start) - start)
        for what, times in (("seen", moved), ("fields and bytes too", drawn)):
            print(
                f"  page down, {what}: median {statistics.median(times) * 1e3:.1f} ms,"
                f" p99 {p99(times):.1f} ms"
            )
        for text in FILTERS if count > PAGES else ():
            await sift(screen, text)
        screen.filter.clear()
        start = time.perf_counter()
        screen.timeline.sort_by("took", descending=True)
        while not screen.timeline.rows.settled:
            await asyncio.sleep(0.002)
        print(f"  sorted by duration in {time.perf_counter() - start:.2f} s")
        print(f"  resident {resident():.0f} MiB")


async def sift(screen: MainScreen, text: str) -> None:
    """Apply a filter that the index can answer, and say how long it took and what else waited."""
    gaps: list[float] = []
    stop = asyncio.Event()
    watch = asyncio.create_task(deaf(gaps, stop))
    start, used = time.perf_counter(), time.process_time()
    screen.filter.apply(text)
    while not (screen.filter.settled and screen.timeline.rows.settled):
        await asyncio.sleep(0.002)
    took, used = time.perf_counter() - start, time.process_time() - used
    stop.set()
    await watch
    found = len(screen.filter.shown)
    print(f"  {text}: {found:,} found in {took:.2f} s ({used:.2f} s of processor),"
          f" deaf {max(gaps, default=0.0) * 1e3:.0f} ms at most")  # fmt: skip


async def follow(path: Path) -> None:
    whole = path.read_bytes()
    grown = path.with_suffix(".live.pcapng")
    size = len(whole) * RATE * SECONDS // COUNT
    with grown.open("wb") as file:
        file.write(whole[:65536])
        file.flush()
        app = Inspector(Session(grown), Following())
        stop = asyncio.Event()
        gaps: list[float] = []

        def feed() -> None:
            at, start = 65536, time.perf_counter()
            while at < size:
                due = min(size, int(size * (time.perf_counter() - start) / SECONDS) + 65536)
                if due > at:
                    file.write(whole[at:due])
                    file.flush()
                    at = due
                time.sleep(0.03)

        async with app.run_test(size=(120, 40)):
            screen = app.screen
            assert isinstance(screen, MainScreen)
            feeding = threading.Thread(target=feed)
            feeding.start()
            watch = asyncio.create_task(deaf(gaps, stop))
            used = time.process_time()
            await asyncio.sleep(SECONDS)
            used = time.process_time() - used
            behind = len(screen.session) - screen.timeline.lines.count
            left = screen.session.size - screen.session.consumed
            stop.set()
            await watch
            feeding.join()
            longest = max(gaps, default=0.0) * 1e3
            print(f"  {RATE:,} a second: deaf p99 {p99(gaps):.0f} ms, longest"
                  f" {longest:.0f} ms; {screen.timeline.lines.count:,} shown, {behind} rows and"
                  f" {left:,} bytes behind; {used / SECONDS:.0%} of a processor")  # fmt: skip
    grown.unlink()


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        for count in (10_000, COUNT):
            path = Path(folder) / f"{count}.pcapng"
            write(path, count, alike())
            print(f"{count:,} exchanges, {path.stat().st_size >> 20} MiB")
            for what in ("browse", "follow") if count == COUNT else ["browse"]:
                subprocess.run([sys.executable, "-m", __spec__.name, what, str(path)], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run({"browse": browse, "follow": follow}[sys.argv[1]](Path(sys.argv[2])))
    else:
        main()
