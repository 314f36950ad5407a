"""`pix-inspect attach`: the screen on a running relay's recording.

Knows how a relay is named; the screen is `open`'s.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from pix_inspect.problem import Problem
from pix_inspect.running import Running, relays


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "relay",
        nargs="?",
        help="its process id, its socket, or its recording (default: the newest)",
    )


def chosen(name: str | None, running: list[Running]) -> Running:
    """Return the relay that `name` means. Raises Problem."""
    recorded = [each for each in running if each.recording is not None]
    if not recorded:
        raise Problem("no relay runs; start one with pix-inspect record --listen SOCKET")
    if name is None:
        return recorded[-1]
    for each in recorded:
        paths = {each.listen, each.recording, Path(each.recording or "").name}
        if name in paths or name == str(each.pid) or str(Path(name).absolute()) in paths:
            return each
    raise Problem(f"no relay {name!r}; pix-inspect list shows those that run")


def main(args: argparse.Namespace) -> int:
    """Open the relay's recording."""
    relay = chosen(args.relay, relays())
    command = importlib.import_module("pix_inspect.commands.open")
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    status: int = command.main(parser.parse_args([str(relay.recording)]))
    return status
