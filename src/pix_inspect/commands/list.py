"""`pix-inspect list`: relays that run now, and recordings nobody named, the newest first."""

from __future__ import annotations

import argparse
import json
import time

from pix_inspect.base.safe_text import inert
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
    if not running:
        print("no relay runs")
    for relay, clients in running:
        where = inert(relay.listen or STREAMS)
        now = "" if clients is None else f"  {count(clients, 'connection')}"
        print(f"relay {relay.pid}: {where} ⇄ {inert(relay.upstream)}{now}")
        print(f"    {inert(relay.recording or 'recorded into a pipe')}")
    if kept:
        print("recordings:")
    for path, about in kept:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.st_mtime))
        print(f"  {day}  {size(about.st_size):>9}  {inert(str(path))}")
    return 0


def _json(relay: Running, clients: int | None) -> dict[str, object]:
    return {
        "pid": relay.pid,
        "listen": relay.listen,
        "upstream": relay.upstream,
        "recording": relay.recording,
        "connections": clients,
    }
