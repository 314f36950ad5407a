"""Who waits for whom: what each open connection of a session owes, to whom, since when.

From the recording alone, finished or growing, so that it works on a file as on a live relay.
A lock that a build waits for is told from the log, who holds it from the names of what other
connections build. Whether the client still lives is asked of this machine, for recordings
that were made on it.

Knows sessions, views and processes; nothing of screens. Source of the log's words: Nix
`derivation-building-goal.cc`, `pathlocks.cc`, `gc.cc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pix.protocol.logging import (
    STDERR_NEXT,
    STDERR_START_ACTIVITY,
    STDERR_STOP_ACTIVITY,
    ActivityType,
    ResultType,
)
from pix_inspect.inert import inert, plain
from pix_inspect.log_text import frame_text
from pix_inspect.peer import command_line
from pix_inspect.session import ConnectionRow, Session
from pix_inspect.units import duration
from pix_inspect.view import ExchangeView, Part

Debtor = Literal["client", "daemon"]

LOCKED = re.compile(r"waiting for (?:the )?(?:lock on|big Nix store lock|exclusive access)")
LOCKED_PATH = re.compile(r"lock on '([^']+)'")
SPEAKING = frozenset({STDERR_NEXT, STDERR_START_ACTIVITY})
TELLING = frozenset(
    {
        ResultType.BUILD_LOG_LINE,
        ResultType.POST_BUILD_LOG_LINE,
        ResultType.SET_PHASE,
        ResultType.FETCH_STATUS,
    }
)
"""Results that say something; others are counts."""
STATES = {"T": "stopped", "t": "stopped by a debugger", "Z": "dead but not waited for"}
LATEST = 400
"""Log frames, from the last on, that are looked at."""


@dataclass(slots=True)
class Wait:
    """What one open connection waits for. Times in nanoseconds since 1970.

    `lock` is the path whose lock the daemon waits for, "" for another lock, None for none;
    `holders` are the connections that seem to have it. `word` is the daemon's last one.
    """

    connection: int
    debtor: Debtor
    owes: str
    since: int
    operation: str | None = None
    exchange: int | None = None
    word: str = ""
    word_at: int | None = None
    building: tuple[str, ...] = ()
    lock: str | None = None
    holders: tuple[int, ...] = ()
    pid: int | None = None
    command: str = ""
    client: str | None = None
    """How the client's process is: running, stopped, gone; None when that cannot be known."""
    circle: tuple[int, ...] = field(default=())

    @property
    def idle(self) -> bool:
        """Whether nothing is owed but the client's next request."""
        return self.operation is None and self.debtor == "client"

    def sentence(self, now: int) -> str:
        """Return it in words, inert."""
        words = [f"The {self.debtor} has owed {self.owes} for {duration(now - self.since)}"]
        if self.word_at is not None:
            said = f": {inert(self.word, 200)}" if self.word else ""
            words.append(f"the daemon's last word {duration(now - self.word_at)} ago{said}")
        if self.lock is not None:
            held = ", ".join(str(number) for number in self.holders)
            what = f"the lock on {inert(self.lock, 200)}" if self.lock else "a lock"
            by = f", which connection {held} seems to have" if held else ""
            words.append(f"it waits for {what}{by}")
        if self.circle:
            around = " → ".join(str(number) for number in self.circle)
            words.append(f"connections wait for each other in a circle: {around}")
        if self.client is not None and not self.idle:
            words.append(f"the client is {self.client}")
        return "; ".join(words) + "."


def waits(session: Session, *, here: bool) -> list[Wait]:
    """Return what every open connection waits for, in their order.

    `here`: the recording is being made on this machine, so that its processes can be asked.
    """
    latest: dict[int, int] = {}
    open_now = {number for number, row in session.connections.items() if row.closed is None}
    left = set(open_now)
    for i in range(len(session) - 1, -1, -1):
        if not left:
            break
        number = session.row(i).connection
        if number in left:
            latest[number] = i
            left.discard(number)
    found = [
        _wait(session, session.connections[number], latest.get(number), here=here)
        for number in sorted(open_now)
    ]
    _find_holders(found)
    return found


def _wait(session: Session, connection: ConnectionRow, index: int | None, *, here: bool) -> Wait:
    peer: dict[str, Any] = connection.peer or {}
    pid = peer.get("pid") if isinstance(peer.get("pid"), int) else None
    command = str(peer.get("command") or "")
    client = process_state(pid, command) if here and pid is not None else None
    known: dict[str, Any] = {"pid": pid, "command": command, "client": client}
    number = connection.number
    if index is None:
        return Wait(number, "client", "its first word", connection.opened, **known)
    row = session.row(index)
    if row.state != "open":
        ended = row.started + (row.took or 0)
        return Wait(number, "client", "its next request", ended, **known)
    view = session.exchange(index)
    debtor, owes, since = _debt(view)
    wait = Wait(number, debtor, owes, since, row.operation or row.kind, row.number, **known)
    _listen(view, wait)
    return wait


def _debt(view: ExchangeView) -> tuple[Debtor, str, int]:
    """Who owes what in an exchange that is not over, and since when."""
    row, exchange = view.row, view.exchange
    name = row.operation or row.kind
    log = view.log
    last = max((part.time or 0 for part in log), default=0)
    if exchange is None:
        return "daemon", f"the reply to {name}", row.started
    if exchange.reads > exchange.answers:
        return "client", f"the payload that STDERR_READ asks for, of {name}", last or row.started
    if exchange.request_done is None and row.kind == "operation":
        what = "payload" if exchange.payload_start is not None else "request"
        return "client", f"the rest of the {what} of {name}", max(last, row.started)
    since = exchange.request_done or row.started
    rest = exchange.reply is not None
    return "daemon", f"the {'rest of the ' if rest else ''}reply to {name}", since


def _listen(view: ExchangeView, wait: Wait) -> None:
    """Learn from the log what the daemon is at, and what it waits for."""
    running: dict[int, Part] = {}
    for part in view.log[-LATEST:]:
        code = part.frame.frame.code if part.frame is not None else None
        number = _value(part, "id")
        if code == STDERR_START_ACTIVITY and isinstance(number, int):
            running[number] = part
        elif code == STDERR_STOP_ACTIVITY and isinstance(number, int):
            running.pop(number, None)
        if part.time is not None:
            wait.word_at = part.time
        says = code in SPEAKING or _value(part, "type") in TELLING
        if says and (text := _words(part)):
            wait.word = text
    wait.building = tuple(name for part in running.values() if (name := _built(part)) is not None)
    waiting = [
        text
        for part in running.values()
        if _value(part, "type") == ActivityType.BUILD_WAITING or LOCKED.search(_words(part))
        if LOCKED.search(text := _words(part))
    ]
    if not waiting and LOCKED.search(wait.word):
        waiting = [wait.word]
    if waiting:
        path = LOCKED_PATH.search(waiting[-1])
        wait.lock = path.group(1) if path is not None else ""


def _value(part: Part, name: str) -> Any:
    found = part.node.find(name) if part.node is not None else None
    return found.value if found is not None else None


def _words(part: Part) -> str:
    """Return what a frame says to people: its text, or what its result holds."""
    text = _value(part, "text")
    if isinstance(text, str):
        return " ".join(plain(text).split())
    return " ".join(frame_text(part).split())


def _built(part: Part) -> str | None:
    """Return the name of what an activity builds, None when it is no build."""
    if _value(part, "type") != ActivityType.BUILD:
        return None
    found = re.search(r"/[0-9a-z]{32}-([^'/\s]+)\.drv", frame_text(part))
    return found.group(1) if found is not None else None


def _find_holders(found: list[Wait]) -> None:
    """Find who seems to have the locks, and whether that goes round in a circle."""
    for wait in found:
        if not wait.lock:
            continue
        name = Path(wait.lock).name.partition("-")[2]
        wait.holders = tuple(
            other.connection
            for other in found
            if other is not wait
            and any(name == built or name.startswith(f"{built}-") for built in other.building)
        )
    by_number = {wait.connection: wait for wait in found}
    for wait in found:
        for circle in _circles(wait, by_number):
            wait.circle = circle
            break


def _circles(wait: Wait, by_number: dict[int, Wait]) -> Iterator[tuple[int, ...]]:
    """Yield the ways from a connection over who it waits for back to itself."""
    pending: list[tuple[int, ...]] = [(wait.connection,)]
    while pending:
        way = pending.pop()
        for holder in by_number[way[-1]].holders:
            if holder == wait.connection:
                yield (*way, holder)
            elif holder not in way:
                pending.append((*way, holder))


def process_state(pid: int, command: str) -> str | None:
    """Return how the client's process is, None where that cannot be known.

    A process of another command has its number now: the client is gone.
    """
    if not Path("/proc/self/stat").exists():
        return None
    try:
        raw = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        state = raw.rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "gone"
    if state not in STATES and command and command_line(pid) not in (command, "", None):
        return "gone"
    return STATES.get(state, "running")
