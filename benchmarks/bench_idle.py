"""What the screen costs while nothing happens, over a finished recording.

It is opened in a pseudo-terminal at 120×40, left alone until it has come to rest, and then measured
for twenty seconds. Prints percent of one processor, of all threads of the process.
"""

from __future__ import annotations

import tempfile
import time

from benchmarks.bench_start import OURS, RECORDING, WAIT, Terminal

REST = 3.0
"""Seconds without a word after which a screen has come to rest."""

MEASURED = 20.0


def idle(compiled: str, *arguments: str) -> float:
    """Return percent of a processor that a screen takes once it has come to rest."""
    with Terminal([*OURS, *arguments], compiled) as screen:
        while b"pix-inspect" not in screen.read(WAIT):
            pass
        while screen.read(REST):
            pass
        begin, processor = time.monotonic(), screen.processor()
        screen.read_for(MEASURED)
        return 100 * (screen.processor() - processor) / (time.monotonic() - begin)


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory() as compiled:
        took = idle(compiled, "open", "--no-settings", str(RECORDING))
    print(f"idle, a finished recording: {took:.2f} % of a processor")
