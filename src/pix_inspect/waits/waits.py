"""Who waits for whom: what each open connection of a session owes, to whom, since when.

From the recording alone, finished or growing, so that it works on a file as on a live relay.
A lock that a build waits for is told from the log, who holds it from the names of what other
connections build; that a side does not read, from what the relay remarked. What this machine
can add is `live_waiting`'s.

Source of the log's words: Nix `derivation-building-goal.cc`, `pathlocks.cc`, `gc.cc`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pix.conversation.exchange import CLIENT
from pix.protocol.logging import (
    STDERR_NEXT,
    STDERR_START_ACTIVITY,
    STDERR_STOP_ACTIVITY,
    ActivityType,
    ResultType,
)
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.units import duration, size
from pix_inspect.machine.kernel_queues import Unread
from pix_inspect.machine.processes import Process
from pix_inspect.recording.stall_notes import Stall
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.log_text import frame_text
from pix_inspect.session.session import ConnectionRow, Session

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
MOST_NAMED = 3
NOTHING_KNOWN = Unread()
ACTIVITIES = frozenset({STDERR_START_ACTIVITY, STDERR_STOP_ACTIVITY})
LATEST = 400
"""Log frames, from the last on, that are looked at; and of activities' beginnings and ends."""


@dataclass(slots=True)
class Here:
    """What this machine adds to a wait: processes, what the kernel keeps, who has the lock.

    `locked_by` are processes that hold the lock that is waited for.
    """

    client: Process | None = None
    daemon: Process | None = None
    unread: Unread = NOTHING_KNOWN
    locked_by: tuple[Process, ...] = ()

    def words(self, *, troubled: bool) -> list[str]:
        """Return in words what the processes at both ends do that are in trouble, or are not."""
        return [
            f"the {name} is {end.words}"
            for name, end in (("client", self.client), ("daemon", self.daemon))
            if end is not None and end.words and end.in_trouble == troubled
        ]


@dataclass(slots=True)
class Wait:
    """What one open connection waits for. Times in nanoseconds since 1970.

    `lock` is the path whose lock the daemon waits for, "" for another lock, None for none;
    `holders` are the connections that have it, or (`surely` False) seem to. `word` is the
    daemon's last one. With a `stall`, `owes` is what the debtor does not read. `greeted`: somebody
    has spoken.
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
    surely: bool = False
    pid: int | None = None
    command: str = ""
    stall: Stall | None = None
    circle: tuple[int, ...] = ()
    here: Here | None = None
    greeted: bool = True

    @property
    def idle(self) -> bool:
        """Whether nothing is owed but the client's next request."""
        is_quiet = self.operation is None and self.stall is None
        return is_quiet and self.debtor == "client" and self.greeted

    @property
    def debt(self) -> str:
        """Who owes what, without its age, inert."""
        does = "owes" if self.stall is None else "does not read"
        return f"the {self.debtor} {does} {inert(self.owes, 200)}"

    @property
    def work(self) -> str:
        """What the daemon builds meanwhile, inert; empty if it does not say so."""
        names = [inert(name, 100) for name in self.building[:MOST_NAMED]]
        more = len(self.building) - len(names)
        return f"building {', '.join(names)}{f' and {more} more' if more else ''}" if names else ""

    @property
    def cause(self) -> str:
        """What is in the way, inert, in words that do not change with time; empty if unknown."""
        found = []
        if self.lock is not None:
            what = f"the lock on {inert(self.lock, 200)}" if self.lock else "a lock"
            found.append(f"it waits for {what}{self._holder()}")
        if self.circle:
            around = " → ".join(str(number) for number in self.circle)
            found.append(f"connections wait for each other in a circle: {around}")
        if self.here is not None:
            found += self.here.words(troubled=True)
        return "; ".join(found)

    def sentence(self, now: int) -> str:
        """Return it in words, inert."""
        past = _past(self.since, now)
        if self.idle:
            words = [f"Idle for {past}"]
        else:
            has = "has owed" if self.stall is None else "has not read"
            work = f", {self.work}" if self.work else ""
            words = [f"The {self.debtor} {has} {self.owes} for {past}{work}"]
        if self.word_at is not None:
            said = f": {inert(self.word, 200)}" if self.word else ""
            words.append(f"the daemon's last word {_past(self.word_at, now)} ago{said}")
        if self.stall is not None and self.stall.held:
            words.append(f"the relay holds {size(self.stall.held)} back")
        if self.here is not None:
            words += self.here.unread.words()
            words += self.here.words(troubled=False)
        words += [self.cause] if self.cause else []
        return "; ".join(words) + "."

    def _holder(self) -> str:
        """Who has the lock, as the end of a sentence."""
        numbers = ", ".join(str(number) for number in self.holders)
        if numbers:
            connections = "connections" if len(self.holders) > 1 else "connection"
            has = "has" if len(self.holders) == 1 else "have"
            return f", which {connections} {numbers} {has if self.surely else 'seems to have'}"
        if self.here is not None and self.here.locked_by:
            pids = ", ".join(str(process.pid) for process in self.here.locked_by)
            return f", which process {pids} has"
        return ""


def _past(since: int, now: int) -> str:
    """Return how long ago something was, as far as the clock can be believed."""
    if now >= since:
        return duration(now - since)
    return f"an unknown time (the clock was set back by at least {duration(since - now)})"


Views = dict[int, ExchangeView]
"""By connection, the exchange that was under way when waits were looked at last."""


def waits(session: Session, views: Views | None = None) -> list[Wait]:
    """Return what every open connection waits for, in their order.

    `views` are taken up again and kept for the next time: a log of a million frames is then
    read but once.
    """
    views = {} if views is None else views
    under_way = session.under_way()
    found = [
        _wait(session, connection, under_way.get(number), views)
        for number, connection in sorted(session.connections.items())
        if connection.closed is None
    ]
    for number in views.keys() - under_way.keys():
        del views[number]
    _find_holders(found)
    find_circles(found)
    return found


def overdue(session: Session, now: int, silence: int) -> list[int]:
    """Return the connections that owe something of which nothing passed for `silence` ns."""
    return [
        number
        for number in session.under_way()
        if now - session.connections[number].last >= silence
    ]


def _wait(session: Session, connection: ConnectionRow, index: int | None, views: Views) -> Wait:
    peer = connection.peer
    who: dict[str, Any] = {"pid": peer.pid, "command": peer.command or ""}
    number = connection.number
    if index is None:
        owes = "its next request" if connection.exchanges else "its first word"
        since = connection.last or connection.opened
        wait = Wait(number, "client", owes, since, greeted=connection.exchanges > 0, **who)
        name = "what was said"
    else:
        view = views.get(number)
        if view is None or view.row.number != index + 1:
            view = views[number] = session.exchange(index)
        else:
            view = views[number] = session.again(view)
        row = view.row
        name = row.name
        debtor, owes, since = _debt(view)
        wait = Wait(number, debtor, owes, since, name, row.number, **who)
        _listen(view, wait)
    _look_for_stall(connection, wait, name)
    return wait


def _look_for_stall(connection: ConnectionRow, wait: Wait, name: str) -> None:
    """Who does not read is in the way, whoever else owes something."""
    lasting = [stall for stall in connection.stalls if stall.until is None]
    if lasting:
        stall = wait.stall = lasting[-1]
        wait.since = stall.since
        if stall.side == CLIENT:
            wait.debtor, wait.owes = "client", f"what the daemon says to {name}"
        else:
            wait.debtor, wait.owes = "daemon", f"what the client sends for {name}"


def _debt(view: ExchangeView) -> tuple[Debtor, str, int]:
    """Who owes what in an exchange that is not over, and since when."""
    row, exchange = view.row, view.exchange
    name = row.name
    last = exchange.log[-1].time if exchange is not None and exchange.log else 0
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
    for part in _latest(view):
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


def _latest(view: ExchangeView) -> Iterator[Part]:
    """Yield the last log frames, and of those before them the last that tell of activities."""
    log, frames = view.log, (view.exchange.log if view.exchange is not None else None) or []
    first = max(len(frames) - LATEST, 0)
    before = (i for i in range(first - 1, -1, -1) if frames[i].frame.code in ACTIVITIES)
    for i in reversed(list(itertools.islice(before, LATEST))):
        yield log[i]
    yield from log[first:]


def _value(part: Part, name: str) -> Any:
    found = part.node.find(name) if part.node is not None else None
    return found.value if found is not None else None


def _words(part: Part) -> str:
    """Return what a frame says to people: its text, or what its result holds."""
    text = _value(part, "text")
    if text is None and _value(part, "type") in TELLING:
        fields = part.node.find("fields") if part.node is not None else None
        first = ((fields.children if fields is not None else None) or (None,))[0]
        text = first.children[-1].value if first is not None and first.children else None
    return " ".join(plain(text if isinstance(text, str) else frame_text(part)).split())


def _built(part: Part) -> str | None:
    """Return the name of what an activity builds, None when it is not a build."""
    if _value(part, "type") != ActivityType.BUILD:
        return None
    found = re.search(r"/[0-9a-z]{32}-([^'/\s]+)\.drv", frame_text(part))
    return found.group(1) if found is not None else None


def _find_holders(found: list[Wait]) -> None:
    """Find who seems to have the locks."""
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


def find_circles(found: list[Wait]) -> None:
    """Find out whether connections wait for each other."""
    by_number = {wait.connection: wait for wait in found}
    for wait in found:
        wait.circle = next(_circles(wait, by_number), ())


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
