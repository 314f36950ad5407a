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
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pix.conversation.exchange import CLIENT
from pix.dataclass import dataclass
from pix.protocol.logging import (
    STDERR_NEXT,
    STDERR_START_ACTIVITY,
    STDERR_STOP_ACTIVITY,
    ActivityType,
    ResultType,
)
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.units import count, duration, size
from pix_inspect.machine.kernel_queues import Unread
from pix_inspect.machine.process_tree import Tree
from pix_inspect.machine.processes import Process
from pix_inspect.recording.stall_notes import Stall
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.log_text import frame_text
from pix_inspect.session.session import ConnectionRow, Session
from pix_inspect.waits.causes import HASH, Cause, Reason, halted, of_builders
from pix_inspect.waits.handshake_turns import is_clients_turn

Debtor = Literal["client", "daemon"]

LOCKED = re.compile(r"waiting for (?:the )?(?:lock on|big Nix store lock|exclusive access)")
LOCKED_PATH = re.compile(r"lock on '([^']+)'")
DERIVATION = re.compile(r"/[^!^]*\.drv(?:[!^].*)?\Z", re.DOTALL)
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
ENDED = " when the recording ended"
"""When connections were open of which nobody writes any more."""
HANDSHAKE = "handshake"
"""What an exchange is called that is none of an operation."""
MOST_NAMED = 3
NOTHING_KNOWN = Unread()
ACTIVITIES = frozenset({STDERR_START_ACTIVITY, STDERR_STOP_ACTIVITY})
LATEST = 400
"""Log frames, from the last on, that are looked at; and of activities' beginnings and ends."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens where a relay connects to: the process, None if it cannot be told.

    `has_accepted`: it took this connection; `waiting` are those that it did not take.
    """

    process: Process | None
    has_accepted: bool
    waiting: int


@dataclass(slots=True)
class Here:
    """What this machine adds to a wait: processes, what the kernel keeps, who has the lock.

    `locked_by` are processes that hold the lock that is waited for; `tree` is the daemon's process
    and those below it; `expects_more`: the daemon's process reads from this very connection;
    it `serves` so many connections.
    """

    client: Process | None = None
    daemon: Process | None = None
    unread: Unread = NOTHING_KNOWN
    locked_by: tuple[Process, ...] = ()
    tree: Tree | None = None
    listener: Listener | None = None
    expects_more: bool = False
    serves: int = 1


@dataclass(slots=True)
class Wait:
    """What one open connection waits for. Times in nanoseconds since 1970.

    `lock` is the path whose lock the daemon waits for, "" for another lock, None for none;
    `holders` are the connections that have it, or (`surely` False) seem to. `asked` are derivations
    that it was asked to build, `derivations` those that it builds now, `building` their names;
    where the log does not tell of the lock, `guessed` says so. `word` is the
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
    asked: tuple[str, ...] = ()
    building: tuple[str, ...] = ()
    derivations: tuple[str, ...] = ()
    lock: str | None = None
    holders: tuple[int, ...] = ()
    surely: bool = False
    guessed: bool = False
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
    def why(self) -> Cause | None:
        """What is in the way, or what takes its time; None if that is not known."""
        if self.idle:
            return None
        here = self.here or Here()
        debtor, other = here.client, here.daemon
        if self.debtor == "daemon":
            debtor, other = other, debtor
        return (
            self._halted(debtor)
            or self._not_accepted(here.listener)
            or self._in_a_circle()
            or self._locked()
            or self._not_read(debtor)
            or (self._of_the_daemon(here) if self.debtor == "daemon" else None)
            or self._halted(other)
        )

    def facts(self, now: int) -> list[str]:
        """Return what else is known of it, each a sentence without its full stop, inert."""
        said = []
        past = past_in_words(self.since, now)
        if self.idle:
            said.append(f"nothing is asked, for {past}")
        else:
            has = "has owed" if self.stall is None else "has not read"
            said.append(f"the {self.debtor} {has} {inert(self.owes, 200)} for {past}")
        if self.work:
            said.append(f"the daemon is {self.work}")
        if self.word_at is not None:
            word = f": {inert(self.word, 200)}" if self.word else ""
            said.append(f"the daemon's last word {past_in_words(self.word_at, now)} ago{word}")
        if self.stall is not None and self.stall.held:
            said.append(f"the relay holds {size(self.stall.held)} back")
        if self.here is not None:
            said += self.here.unread.words()
            for name, end in (("client", self.here.client), ("daemon", self.here.daemon)):
                if end is not None and end.words:
                    said.append(f"the {name} (pid {end.pid}) is {end.words}")
        return said

    def evidence(self, now: int) -> list[str]:
        """Return how its cause is known, and what else there is to know, as `facts` does."""
        why = self.why
        return [*(why.evidence if why is not None else ()), *self.facts(now)]

    def sentence(self, now: int) -> str:
        """Return it in words, inert: the cause, then what is known."""
        why = self.why
        first = [] if why is None else [f"{why.what}."]
        facts = "; ".join(self.evidence(now))
        return " ".join([*first, f"{facts[:1].upper()}{facts[1:]}."])

    def _halted(self, process: Process | None) -> Cause | None:
        """Say that the client or the daemon does not run, if so."""
        if process is None:
            return None
        is_client = self.here is not None and process is self.here.client
        who = "The client" if is_client else "The daemon"
        return halted(process.pid, process.state, who)

    def _not_accepted(self, listener: Listener | None) -> Cause | None:
        """Say that nobody took the connection, if so."""
        if listener is None or listener.has_accepted:
            return None
        said = f"{count(listener.waiting, 'connection waits', 'connections wait')} to be accepted"
        process = listener.process
        if process is None:
            what = "The connection is not accepted by whoever listens there"
            return Cause(Reason.NOT_ACCEPTED, what, None, (said,))
        cause = halted(process.pid, process.state, "The daemon that listens")
        if cause is not None:
            return replace(cause, evidence=(said,))
        is_doing = f"it is {process.words}"
        what = f"The daemon (pid {process.pid}) does not accept the connection"
        return Cause(Reason.NOT_ACCEPTED, what, process.pid, (said, is_doing))

    def _in_a_circle(self) -> Cause | None:
        if not self.circle:
            return None
        around = " → ".join(str(number) for number in self.circle)
        break_it = "Interrupt the client of one of them."
        what = f"Connections wait for each other in a circle: {around}"
        return Cause(Reason.CIRCLE, what, None, (), (break_it,))

    def _locked(self) -> Cause | None:
        """Say that the daemon waits for a lock, and who has it as far as that is told."""
        if self.lock is None:
            return None
        name = HASH.sub("", inert(self.lock, 200))
        waits = "seems to wait" if self.guessed else "waits"
        what = (
            f"The daemon {waits} for the lock on {name}" if name else "The daemon waits for a lock"
        )
        path = (f"the lock is {inert(self.lock, 300)}.lock",) if self.lock else ()
        if self.guessed:
            path = (*path, "it builds nothing, and another connection builds what it was asked for")
        holders = self.here.locked_by if self.here is not None else ()
        held = tuple(f"process {each.pid} has it" for each in holders)
        look = (f"See what connection {self.holders[0]} waits for.",) if self.holders else ()
        if holders and not look:
            look = (f"`ps -f {holders[0].pid}` says who that is.",)
        pid = holders[0].pid if holders else None
        return Cause(Reason.LOCK, f"{what}{self._holder()}", pid, (*path, *held), look)

    def _not_read(self, debtor: Process | None) -> Cause | None:
        """Say who does not read, and why not if that is told."""
        if self.stall is None and not (debtor is not None and debtor.writing):
            return None
        does = "does not read what the other side says" if self.stall else "cannot go on"
        pid = debtor.pid if debtor is not None else None
        to_do: tuple[str, ...] = ()
        if debtor is not None and debtor.writing:
            does += ": nobody reads what it writes"
            to_do = ("Have its output read, or send it to a file.",)
        return Cause(Reason.NOT_READ, f"The {self.debtor} {does}", pid, (), to_do)

    def _of_the_daemon(self, here: Here) -> Cause | None:
        """Say what the daemon is at: its builders, or itself."""
        is_asked = self.exchange is not None and self.operation != HANDSHAKE
        if is_asked and here.tree is not None and (cause := of_builders(here.tree)) is not None:
            if here.serves <= 1:
                return cause
            said = (
                f"the daemon serves {here.serves} connections: for which it does that is not told"
            )
            return replace(cause, evidence=(said, *cause.evidence))
        daemon = here.daemon
        if here.expects_more and daemon is not None and not here.unread.of_daemon:
            what = "The daemon reads on: for it, the request is not over"
            return Cause(Reason.OUT_OF_STEP, what, daemon.pid)
        root = here.tree.root if here.tree is not None else None
        if root is not None and root.computes:
            what = f"The daemon (pid {root.pid}) itself computes"
            return Cause(Reason.COMPUTES, what, root.pid, at_work=True)
        return None

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


def past_in_words(since: int, now: int) -> str:
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
        wait.asked = tuple(itertools.islice(_derivations(view.part("request")), LATEST))
        _listen(view, wait)
    _look_for_stall(connection, wait, name)
    return wait


def _derivations(part: Part | None) -> Iterator[str]:
    """Yield the derivations that are named in a request."""
    pending = [part.node] if part is not None and part.node is not None else []
    while pending:
        node = pending.pop()
        if isinstance(node.value, str) and DERIVATION.match(node.value):
            yield node.value.partition("!")[0].partition("^")[0]
        pending += (node.children or ())[:LATEST]


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
    if row.kind == HANDSHAKE and is_clients_turn(view):
        return "client", f"the rest of its part of the {HANDSHAKE}", row.started
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
    built = [each for part in running.values() if (each := _built(part)) is not None]
    wait.derivations = tuple(built)
    wait.building = tuple(Path(path).stem.partition("-")[2] for path in built)
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
    """Return the derivation that an activity builds, None when it is not a build."""
    if _value(part, "type") != ActivityType.BUILD:
        return None
    path = re.search(r"/[^'\s]*/[0-9a-z]{32}-[^'/\s]+\.drv", frame_text(part))
    return path.group() if path is not None else None


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
