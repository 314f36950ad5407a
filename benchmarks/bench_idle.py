"""What the screen costs while nothing happens: over a finished recording, and over a relay.

It is opened in a pseudo-terminal at 120×40, left alone for a few seconds, and then measured for
twenty: a clock that ticks while something is open never lets it come to rest entirely. Over a
relay that runs there is nobody at first, then a client that is connected and says nothing. Prints
percent of one processor, of all threads of the process; the relay's own is that of a process that
is alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_relay import HOLDER, greeted, process, relays
from benchmarks.bench_start import OURS, RECORDING, WAIT, Terminal, processor

REST = 5.0
"""Seconds in which a screen has come to rest."""

MEASURED = 20.0


def idle(compiled: str, *arguments: str, also: tuple[int, ...] = ()) -> list[float]:
    """Return percent of a processor that a screen takes at rest, then those of other processes."""
    with Terminal([*OURS, *arguments, "--no-settings"], compiled) as screen:
        while b"pix-inspect" not in screen.read(WAIT):
            pass
        screen.read_for(REST)
        begin, used = time.monotonic(), [screen.processor(), *map(processor, also)]
        screen.read_for(MEASURED)
        now = [screen.processor(), *map(processor, also)]
        took = time.monotonic() - begin
        return [100 * (after - before) / took for before, after in zip(used, now, strict=True)]


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory() as compiled, tempfile.TemporaryDirectory() as name:
        print(f"finished recording          {idle(compiled, 'open', str(RECORDING))[0]:5.2f} %")
        folder, cpus = Path(name), os.sched_getaffinity(0)
        there, here = folder / "daemon", folder / "relay"
        words = relays(folder)["pix-inspect, payload elided"]
        with (
            process([sys.executable, "-c", HOLDER, str(there)], there, cpus),
            process(words, here, cpus) as relay,
            contextlib.ExitStack() as clients,
        ):
            for what in ("live, nobody connected", "live, a silent client"):
                screen, its_relay = idle(compiled, "attach", str(here), also=(relay.pid,))
                print(f"{what:<27} {screen:5.2f} %, its relay {its_relay:.2f} %")
                clients.enter_context(greeted(here))
