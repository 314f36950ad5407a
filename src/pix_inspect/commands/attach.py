"""`pix-inspect attach`: the screen on a running relay's recording."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from pix.problem import Problem
from pix_inspect.machine.running_relays import Running, relays


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "relay",
        nargs="?",
        help="its process id, its socket, or its recording (default: the newest)",
    )

    importlib.import_module("pix_inspect.commands.open").settings_argument(parser)


def chosen(name: str | None, running: list[Running], *, piped: bool = False) -> Running:
    """Return the relay that `name` means, the newest for None. Raises Problem.

    Only those that record into a file, unless `piped`.
    """
    recorded = [each for each in running if piped or each.recording is not None]
    if not recorded:
        raise Problem("no relay runs; start one with pix-inspect record --listen SOCKET")
    if name is None:
        return recorded[-1]
    meant = [each for each in recorded if name in names(each)]
    if len(meant) > 1:
        pids = ", ".join(str(each.pid) for each in meant)
        raise Problem(f"{name!r} may be any of the relays {pids}; give one of these numbers")
    if not meant:
        raise Problem(f"no relay {name!r}; pix-inspect list shows those that run")
    return meant[0]


def names(relay: Running) -> set[str]:
    """Return what a relay may be called: its process, its paths, their last part."""
    found = {str(relay.pid)}
    for text in (relay.listen, relay.recording):
        if text is not None:
            path = Path(text)
            found |= {text, path.name, path.stem, os.path.relpath(path)}
    return found


def main(args: argparse.Namespace) -> int:
    """Open the relay's recording."""
    relay = chosen(args.relay, relays())
    args.files, args.upstream = [Path(str(relay.recording))], None
    status: int = importlib.import_module("pix_inspect.commands.open").main(args)
    return status
