"""`pix-inspect status`: who waits for whom, in running relays or in a recording."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Tone, Toned, show
from pix_inspect.base.units import count
from pix_inspect.commands.attach import names
from pix_inspect.commands.dump import report
from pix_inspect.machine.doings import Doing
from pix_inspect.machine.process_tree import Relative
from pix_inspect.machine.processes import Process
from pix_inspect.machine.running_relays import Running, relays
from pix_inspect.options.output import output_arguments
from pix_inspect.session.session import Session
from pix_inspect.waits.causes import process_lines, short_command
from pix_inspect.waits.live import LiveWaits
from pix_inspect.waits.waits import ENDED, Here, Listener, Wait, past_in_words, waits

UNLIMITED = 1 << 20
"""Columns where nobody looks at lines on a terminal."""
TONES = {"label": Tone.HEADING, "dim": Tone.ASIDE, "warn": Tone.WARNING}
"""Those of lines that tell of processes."""


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
        if not os.path.lexists(path):
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
        if relay.is_suspended:
            where += f"  suspended: `kill -CONT {relay.pid}` lets it go on"
    when = ENDED if found and relay is None else ""
    show([Toned(f"{where}  {count(len(found), 'open connection')}{when}", Tone.HEADING)])
    show(_failed(session, now))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED
    for wait in found:
        show(["", *_lines(wait, now, width)])


def _failed(session: Session, now: int) -> Iterator[Toned]:
    """Yield which connection came to nothing last, and why, where the relay knows."""
    last = next((each for each in reversed(session.connections.values()) if each.failure), None)
    if last is not None and last.closed is not None:
        when = past_in_words(last.closed, now)
        yield Toned(f"connection {last.number}, {when} ago: {inert(str(last.failure))}", Tone.BAD)


def _lines(wait: Wait, now: int, width: int) -> Iterator[str]:
    """Yield what a connection waits for: the cause, how it is known, what to do, the processes."""
    what = "idle" if wait.idle else inert(wait.operation or wait.owes, 100)
    yield f"connection {wait.connection}  {what}, {past_in_words(wait.since, now)}"
    why = wait.why
    if why is not None:
        yield Toned(f"  {why.what}.", Tone.GOOD if why.at_work else Tone.BAD)
    yield from (f"  • {text}" for text in wait.evidence(now))
    yield from (Toned(f"  → {text}", Tone.HEADING) for text in (why.to_do if why else ()))
    pid = f" (pid {wait.pid})" if wait.pid is not None else ""
    if pid or wait.command:
        client = inert(short_command(wait.command), 300) if wait.command else "unknown"
        yield f"  the client: {client}{pid}"
    tree = wait.here.tree if wait.here is not None else None
    if tree is not None and tree.members:
        yield "  the daemon's processes:"
        for tone, line in process_lines(tree, width - 2):
            yield Toned(f"  {line}", TONES[tone]) if tone in TONES else f"  {line}"


def _json(wait: Wait, now: int, recording: str) -> dict[str, Any]:
    here, why = wait.here or Here(), wait.why
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
        "cause": why.reason.value if why is not None else None,
        "cause_says": why.what if why is not None else None,
        "cause_pid": why.pid if why is not None else None,
        "at_work": why.at_work if why is not None else None,
        "evidence": wait.evidence(now),
        "to_do": list(why.to_do) if why is not None else [],
        "last_word": wait.word or None,
        "last_word_ago": None if wait.word_at is None else _past(wait.word_at, now),
        "building": list(wait.building),
        "waits_for_lock": wait.lock,
        "held_by_connections": list(wait.holders),
        "held_by_processes": [each.pid for each in here.locked_by],
        "held_surely": wait.surely,
        "circle": list(wait.circle),
        "relay_holds_bytes": wait.stall.held if wait.stall is not None else 0,
        "client": _process(here.client),
        "daemon": _process(here.daemon),
        "listener": _listener(here.listener),
        "processes": [_relative(each) for each in here.tree.members] if here.tree else [],
        "unread_bytes": None if wait.here is None else asdict(here.unread),
        "says": wait.sentence(now),
    }


def _past(since: int, now: int) -> float | None:
    """Return the seconds since then, None where the clock was set back."""
    return (now - since) / 1e9 if now >= since else None


def _process(each: Process | None) -> dict[str, Any] | None:
    if each is None:
        return None
    return {"pid": each.pid, "state": each.state, **_doing(each.doing)}


def _doing(doing: Doing | None) -> dict[str, Any]:
    """Return what is done: its kind, what it is done to, and all of it in words."""
    if doing is None:
        return {"deed": None, "target": None, "doing": None}
    target = doing.target.name if doing.target is not None else doing.name
    return {"deed": doing.deed.name.lower(), "target": target or None, "doing": doing.words}


def _listener(each: Listener | None) -> dict[str, Any] | None:
    if each is None:
        return None
    return {**asdict(replace(each, process=None)), "process": _process(each.process)}


def _relative(each: Relative) -> dict[str, Any]:
    return {
        "pid": each.pid,
        "parent": each.parent,
        "command": each.command,
        "state": each.state,
        "age": each.age / 1e9,
        "used": each.used / 1e9,
        "processors": each.share,
        "hidden": each.hidden,
        **_doing(each.doing),
        "open": [
            {"descriptor": file.descriptor, "kind": file.kind, "name": file.name or None}
            for file in each.opened
        ],
    }
