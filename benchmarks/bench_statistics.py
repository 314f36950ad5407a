"""What statistics of a million exchanges cost, and whether the screen stays responsive meanwhile.

Prints, for a recording of a million QueryPathInfo:
- CPU seconds to count them from the index, all of them and those of a list (what a filter leaves),
  and to make the tables;
- on the screen, at 120×40 without a terminal: seconds until all is counted, how long it was deaf
  meanwhile (p99, longest), MiB it took.

Wall seconds of a process that shares its machine; the figures are for comparing runs.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_screen import deaf, p99, resident
from benchmarks.recordings import alike, write
from pix_inspect.analysis.statistics import Statistics
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.screens.statistics import StatisticsScreen

COUNT = 1_000_000


def count(session: Session) -> None:
    """Print what counting takes."""
    for what, chosen in (("all", None), ("of a list", range(len(session)))):
        statistics = Statistics(session, chosen)
        start = time.process_time()
        statistics.update()
        took = time.process_time() - start
        print(f"  {what:<10} {took:5.2f} s, {took * 1e6 / len(session):.2f} µs an exchange")
    start = time.process_time()
    for tally in (*statistics.operations.values(), *statistics.connections.values()):
        tally.percentiles(50, 95, 99)
    statistics.rate(100)
    print(f"  tables     {(time.process_time() - start) * 1e3:5.1f} ms")


async def on_screen(session: Session) -> None:
    """Print how the screen does."""
    app = Inspector(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.5)
        stop = asyncio.Event()
        gaps: list[float] = []
        before = resident()
        watch = asyncio.create_task(deaf(gaps, stop))
        start = time.perf_counter()
        await pilot.press("S")
        while not (isinstance(app.screen, StatisticsScreen) and app.screen.settled):
            await asyncio.sleep(0.01)
        took = time.perf_counter() - start
        stop.set()
        await watch
        print(f"  all counted after {took:.2f} s; deaf p99 {p99(gaps):.0f} ms, longest"
              f" {max(gaps) * 1e3:.0f} ms; {resident() - before:.1f} MiB")  # fmt: skip


def main() -> None:
    """Measure."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.pcapng"
        write(path, number, alike())
        session = Session(path).read_all()
        print(f"{number:,} exchanges counted from the index")
        count(session)
        print("on the screen")
        asyncio.run(on_screen(session))
        session.close()


if __name__ == "__main__":
    main()
