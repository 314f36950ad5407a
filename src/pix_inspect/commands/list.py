"""`pix-inspect list`: relays that run now, and recordings nobody named, the newest first.

Knows how they look as text and as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from pix_inspect.inert import inert
from pix_inspect.running import relays
from pix_inspect.state import state_directory
from pix_inspect.units import size

MOST_RECORDINGS = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def recordings() -> list[Path]:
    """Return the recordings in the state directory, the newest first."""
    folder = state_directory() / "recordings"
    return sorted(folder.glob("*.pcapng"), key=lambda path: path.stat().st_mtime, reverse=True)


def main(args: argparse.Namespace) -> int:
    """Print relays and recordings."""
    running = relays()
    kept = recordings()[:MOST_RECORDINGS]
    if args.json:
        print(
            json.dumps(
                {
                    "relays": [
                        {
                            "pid": each.pid,
                            "listen": each.listen,
                            "upstream": each.upstream,
                            "recording": each.recording,
                        }
                        for each in running
                    ],
                    "recordings": [
                        {"path": str(path), "bytes": path.stat().st_size} for path in kept
                    ],
                }
            )
        )
        return 0
    if not running:
        print("no relay runs")
    for each in running:
        where = inert(each.listen or "a given socket")
        print(f"relay {each.pid}: {where} ⇄ {inert(each.upstream)}")
        if each.recording is not None:
            print(f"    {inert(each.recording)}")
    if kept:
        print("recordings:")
    for path in kept:
        stat = path.stat()
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(stat.st_mtime))
        print(f"  {day}  {size(stat.st_size):>9}  {inert(str(path))}")
    return 0
