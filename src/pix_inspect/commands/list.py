"""`pix-inspect list`: relays that run now, and recordings nobody named, the newest first."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Tone, Toned, show
from pix_inspect.base.units import count, size
from pix_inspect.machine.recent_recordings import recordings
from pix_inspect.machine.running_relays import Running, connections, relays
from pix_inspect.options.output import output_arguments

STREAMS = "standard streams"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    output_arguments(parser, "in all")


def main(args: argparse.Namespace) -> int:
    """Print relays and recordings."""
    running = [(relay, connections(relay)) for relay in relays()]
    kept = recordings()
    if args.format == "json":
        print(json.dumps({"relays": [_json(*each) for each in running],
                          "recordings": [{"path": str(path), "bytes": about.st_size,
                                          "changed": about.st_mtime_ns // 1_000_000_000}
                                         for path, about in kept]}))  # fmt: skip
        return 0
    show(_lines(running, kept))
    return 0


def _lines(
    running: list[tuple[Running, int | None]], kept: list[tuple[Path, os.stat_result]]
) -> Iterator[str]:
    if not running:
        yield "no relay runs"
    for relay, clients in running:
        where = inert(relay.listen or STREAMS)
        now = "" if clients is None else f"  {count(clients, 'connection')}"
        now += "  suspended" if relay.is_suspended else ""
        yield Toned(f"relay {relay.pid}: {where} ⇄ {inert(relay.upstream)}{now}", Tone.HEADING)
        yield f"    {inert(relay.recording or 'recorded into a pipe')}"
    if kept:
        yield Toned("recordings:", Tone.HEADING)
    for path, about in kept:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.st_mtime))
        yield f"  {day}  {size(about.st_size):>9}  {inert(str(path))}"


def _json(relay: Running, clients: int | None) -> dict[str, object]:
    return {
        "pid": relay.pid,
        "listen": relay.listen,
        "upstream": relay.upstream,
        "recording": relay.recording,
        "connections": clients,
        "suspended": relay.is_suspended,
    }
