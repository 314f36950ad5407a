"""`pix-inspect stop RELAY`: end a relay that runs, as Ctrl-C in its terminal would."""

from __future__ import annotations

import argparse
import os
import signal
import time

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.units import count
from pix_inspect.commands.attach import chosen
from pix_inspect.machine.running_relays import Running, birth, connections, relays

PATIENCE = 2.0
"""Seconds for a relay to end before it is looked at what it waits for."""
ENDING = 30.0
"""Seconds for one that waits for nobody: a machine may be busy."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "relay",
        nargs="?",
        help="its process id, its socket, or its recording, as `list` shows them (default: the"
        " only one)",
    )
    parser.add_argument(
        "--now", action="store_true", help="hang up on its clients, do not wait for them to finish"
    )


def main(args: argparse.Namespace) -> int:
    """End the relay, and say what it still waits for."""
    running = relays()
    if args.relay is None and len(running) > 1:
        pids = ", ".join(str(each.pid) for each in running)
        raise Problem(f"which relay? {pids} run; pix-inspect list shows them")
    relay = chosen(args.relay, running, piped=True)
    if not relay.stoppable:
        raise Problem(f"relay {relay.pid} belongs to a command or session, and ends with it")
    _interrupt(relay)
    if args.now:
        _wait_until_heard(relay)  # signals that come together are one
        _interrupt(relay)
    began = time.monotonic()
    while birth(relay.pid) == relay.born:
        if (passed := time.monotonic() - began) > PATIENCE:
            if relay.is_suspended:
                how = f"`kill -CONT {relay.pid}` lets it go on, and end"
                raise Problem(f"relay {relay.pid} is suspended and hears nothing: {how}")
            left = connections(relay)
            if passed < ENDING and (args.now or left == 0):
                time.sleep(0.1)
                continue
            who = "its clients" if left is None else count(left, "connected client")
            say(f"relay {relay.pid} takes no more clients, and waits for {who}; --now hangs up")
            return 0
        time.sleep(0.02)
    say(f"relay {relay.pid} has ended; recorded in {relay.recording or 'a pipe'}")
    return 0


def _interrupt(relay: Running) -> None:
    try:
        os.kill(relay.pid, signal.SIGINT)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise Problem(f"relay {relay.pid} runs as another user: it is not yours to end") from None


def _wait_until_heard(relay: Running) -> None:
    """Wait until a relay that was told to end listens no more, where that shows."""
    until = time.monotonic() + PATIENCE
    time.sleep(0.1)
    while relay.listen and os.path.lexists(relay.listen) and time.monotonic() < until:
        time.sleep(0.02)
