"""`pix-inspect status`: who waits for whom, in running relays or in a recording."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Tone, Toned, show
from pix_inspect.base.units import count
from pix_inspect.commands.attach import names
from pix_inspect.commands.dump import report
from pix_inspect.machine.running_relays import Running, relays
from pix_inspect.options.output import output_arguments
from pix_inspect.session.session import Session
from pix_inspect.waits.live import LiveWaits
from pix_inspect.waits.waits import Wait, waits


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        nargs="?",
        help="a relay's process id, socket or recording, or any recording (default: all relays)",
    )
    output_arguments(parser, "a connection")


def main(args: argparse.Namespace) -> int:
    """Print what every open connection waits for."""
    as_json = args.format == "json"
    running = relays()
    meant = [each for each in running if args.what is None or args.what in names(each)]
    if args.what is not None and not meant:
        path = Path(args.what)
        if not path.exists():
            raise Problem(f"{path} is neither a recording nor a relay that runs")
        _tell(path, None, as_json=as_json)
        return 0
    if not meant and not as_json:
        print("no relay runs")
    for relay in meant:
        if relay.recording is not None:
            _tell(Path(relay.recording), relay, as_json=as_json)
        elif not as_json:
            print(f"relay {relay.pid} records into a pipe: it cannot be looked at")
    return 0


def _tell(recording: Path, relay: Running | None, *, as_json: bool) -> None:
    session = Session(recording).read_all()
    # a recording that nobody writes any more ends with its last packet
    now = time.time_ns() if relay is not None else session.last
    found = LiveWaits(session, relay).look() if relay is not None else waits(session)
    report(session, whole=relay is None)
    session.close()
    if as_json:
        for wait in found:
            print(json.dumps(_json(wait, now, str(recording))))
        return
    where = inert(str(recording))
    if relay is not None:
        where = f"relay {relay.pid}: {inert(relay.listen or 'standard streams')}"
    show([Toned(f"{where}  {count(len(found), 'open connection')}", Tone.HEADING)])
    for wait in found:
        who = f"pid {wait.pid}  " if wait.pid is not None else ""
        head = f"  connection {wait.connection}  {who}{inert(wait.command, 120)}".rstrip()
        show([head, f"    {wait.sentence(now)}"])


def _json(wait: Wait, now: int, recording: str) -> dict[str, Any]:
    here = wait.here
    return {
        "recording": recording,
        "connection": wait.connection,
        "pid": wait.pid,
        "command": wait.command,
        "idle": wait.idle,
        "debtor": wait.debtor,
        "owes": wait.owes,
        "for": _past(wait.since, now),
        "exchange": wait.exchange,
        "operation": wait.operation,
        "last_word": wait.word or None,
        "last_word_ago": None if wait.word_at is None else _past(wait.word_at, now),
        "building": list(wait.building),
        "waits_for_lock": wait.lock,
        "held_by_connections": list(wait.holders),
        "held_by_processes": [] if here is None else [each.pid for each in here.locked_by],
        "held_surely": wait.surely,
        "circle": list(wait.circle),
        "relay_holds_bytes": wait.stall.held if wait.stall is not None else 0,
        "client": None if here is None or here.client is None else asdict(here.client),
        "daemon": None if here is None or here.daemon is None else asdict(here.daemon),
        "unread_bytes": None if here is None else asdict(here.unread),
        "says": wait.sentence(now),
    }


def _past(since: int, now: int) -> float | None:
    """Return the seconds since then, None where the clock was set back."""
    return (now - since) / 1e9 if now >= since else None
