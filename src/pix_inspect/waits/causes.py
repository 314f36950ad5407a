"""Why an open connection waits: what is in the way, how that is known, and what to do about it.

The cause is said of the process that matters: who does not accept, does not run, has the lock; or
at the end of the tree of builders, who sleeps, waits or computes. Nothing is said of processes
that this user may not look into, but that it is so. All texts are inert.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import PurePath

from pix.dataclass import dataclass
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count, duration
from pix_inspect.machine.descriptors import Opened
from pix_inspect.machine.doings import Deed, Doing
from pix_inspect.machine.process_tree import Relative, Tree

HASH = re.compile(r"(?:/[^\s,;']*)?/[0-9a-z]{32}-")
"""What is left out of a store path where space is scarce."""
LOADER = re.compile(r"ld-linux[^/]*\.so|ld[.-]so|ld-musl")
WITH_VALUE = ("--library-path", "--argv0", "--preload", "--audit")
LONGEST_NAME = 60
MOST_OPEN = 4
"""Files of a process that are named."""


class Reason(Enum):
    """What is in the way; the value is its name in JSON."""

    STOPPED = "stopped"
    TRACED = "held_by_a_debugger"
    GONE = "gone"
    NOT_ACCEPTED = "not_accepted"
    LOCK = "lock"
    CIRCLE = "circle"
    NOT_READ = "not_read"
    OUT_OF_STEP = "expects_more"
    COMPUTES = "computes"
    SLEEPS = "sleeps"
    WAITS = "waits"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why it waits. `what` is a sentence without its full stop, `pid` the process that matters.

    `at_work`: nothing is in the way, it only takes its time. `to_do` are sentences, in which
    commands stand between backquotes.
    """

    reason: Reason
    what: str
    pid: int | None = None
    evidence: tuple[str, ...] = ()
    to_do: tuple[str, ...] = ()
    at_work: bool = False


def short_command(command: str) -> str:
    """Return a command line as people typed it, inert: no loader, no folders, no hashes."""
    words = command.split(" ")
    if LOADER.match(PurePath(words[0]).name):
        rest = list(words)
        while len(rest) > 1 and (rest[0] == words[0] or rest[0].startswith("-")):
            del rest[: 2 if rest[0] in WITH_VALUE else 1]
        words = rest or words
    first = PurePath(words[0]).name or words[0]
    return inert(HASH.sub("…", " ".join([first, *words[1:]])))


def short_name(command: str) -> str:
    """Return the name of a command line's program, inert; through a loader that starts it."""
    return inert(short_command(command).split(" ")[0] or command, LONGEST_NAME)


def named(process: Relative) -> str:
    """Return a process as a sentence names it."""
    return f"{short_name(process.command)} (pid {process.pid})"


def halted(pid: int, state: str | None, who: str) -> Cause | None:
    """Return that a process does not run at all, if it does not; `who` begins a sentence."""
    who = f"{who} (pid {pid})"
    if state == "stopped":
        go_on = f"`kill -CONT {pid}` lets it go on."
        return Cause(Reason.STOPPED, f"{who} is stopped", pid, to_do=(go_on,))
    if state in ("traced", "stopped by a debugger"):
        look = f"`grep TracerPid /proc/{pid}/status` names the debugger: continue or detach there."
        return Cause(Reason.TRACED, f"{who} is held by a debugger", pid, to_do=(look,))
    if state in ("dead", "dead but not waited for"):
        return Cause(Reason.GONE, f"{who} is dead, and its parent has not noticed", pid)
    return None


def _builder(process: Relative) -> str:
    return f"The builder's {short_name(process.command)}"


def _command(process: Relative) -> str:
    return f"its command is {inert(process.command, 300)}"


def _used(process: Relative) -> str:
    used = f"{duration(process.used)} of" if process.used else "no"
    now = f", {_percent(process.share)} of one now" if process.share and process.computes else ""
    return f"it has used {used} processor time in {duration(process.age)}{now}"


def of_builders(tree: Tree) -> Cause | None:
    """Return what the processes below a daemon's child are at, None where there are none."""
    builders = [member for member in tree.members[1:] if member.state != "dead"]
    for member in builders:
        if (cause := halted(member.pid, member.state, _builder(member))) is not None:
            return replace(cause, evidence=(_command(member), _used(member)))
    leaves = tree.leaves
    if not leaves:
        return None
    working = [leaf for leaf in leaves if leaf.computes]
    if working:
        busiest = max(working, key=lambda leaf: leaf.share or 0)
        more = len(working) - 1
        others = (f"{count(more, 'other process', 'other processes')} of it compute as well",)
        return Cause(
            Reason.COMPUTES, f"The builder is at work: {named(busiest)} computes", busiest.pid,
            (_used(busiest), *(others if more else ())), at_work=True,
        )  # fmt: skip
    told = [leaf for leaf in leaves if leaf.doing is not None]
    if not told:
        leaf = leaves[0]
        if not any(each.hidden for each in leaves):
            return None
        return Cause(
            Reason.HIDDEN, f"What the builder's {named(leaf)} is doing is not told to this user",
            leaf.pid, (_used(leaf),),
            ("Run `pix-inspect status` as root, or as the user that builds.",),
        )  # fmt: skip
    # who reads what another is to write, or writes what another is to read, waits for that one
    last = [
        leaf for leaf in told if not any(each in leaves for each in _at_the_other_end(leaf, tree))
    ]
    return _of_leaf(min(last or told, key=_rank), tree)


def _rank(leaf: Relative) -> int:
    deeds = list(Deed)
    return deeds.index(leaf.doing.deed) if leaf.doing is not None else len(deeds)


def _of_leaf(leaf: Relative, tree: Tree) -> Cause:
    doing = leaf.doing
    assert doing is not None
    who = f"The builder's {named(leaf)}"
    evidence = (_command(leaf), _used(leaf))
    match doing.deed:
        case Deed.SLEEPS:
            return Cause(Reason.SLEEPS, f"{who} sleeps", leaf.pid, evidence)
        case Deed.OPENS:
            what = f"{who} waits for somebody to open the other end of a named pipe"
            path = f"the named pipe is {inert(doing.name, 300)}" if doing.name else doing.words
            find = "Find out which process was to open it, and why it does not."
            return Cause(Reason.WAITS, what, leaf.pid, (path, *evidence), (find,))
        case Deed.LOCKS:
            what = f"{who} waits for a file lock"
            find = f"`grep -- '-> .* {leaf.pid} ' /proc/locks` shows its line; above it who has it."
            return Cause(Reason.LOCK, what, leaf.pid, (f"it is {doing.words}", *evidence), (find,))
        case Deed.WRITES:
            what = f"{who} cannot write: nobody reads"
            return Cause(Reason.WAITS, what, leaf.pid, (f"it is {doing.words}", *evidence))
    what = f"{who} is {_in_short(doing)}"
    return Cause(
        Reason.WAITS, what, leaf.pid, (f"it is {doing.words}", *_writers(leaf, tree), *evidence)
    )


def _in_short(doing: Doing) -> str:
    """What is done, without names that may be long."""
    target = doing.target
    if target is None:
        return doing.words
    what = "file" if target.kind == "other" else target.kind
    to = f" to {inert(target.name, LONGEST_NAME)}" if what == "socket" and target.name else ""
    return doing.deed.sentence.format(f"a {what}{to}")


def _writers(leaf: Relative, tree: Tree) -> Iterator[str]:
    """Say who of the build can write what a process reads from a pipe."""
    target = leaf.doing.target if leaf.doing is not None else None
    if target is None or target.kind not in ("pipe", "named pipe"):
        return
    others = _at_the_other_end(leaf, tree)
    names = ", ".join(named(member) for member in others[:3])
    above = _above(leaf, tree)
    if others and all(
        member.pid in above and member.doing is not None and member.doing.deed is Deed.AWAITS
        for member in others
    ):
        yield f"of the build only {names} could write into it, and waits for its end"
    elif others:
        yield f"of the build {names} can write into it"
    elif not any(member.hidden for member in tree.members):
        yield "no other process of the build can write into it"


def _at_the_other_end(leaf: Relative, tree: Tree) -> list[Relative]:
    """Return the others of a tree that have the other end of the pipe that one waits for."""
    doing = leaf.doing
    if doing is None or doing.target is None or doing.target.kind not in ("pipe", "named pipe"):
        return []
    end = (doing.target.kind, doing.target.inode)
    reads = doing.deed is Deed.WRITES
    return [
        member
        for member in tree.members
        if member.pid != leaf.pid
        and any(
            (each.reads if reads else each.writes) and (each.kind, each.inode) == end
            for each in member.opened
        )
    ]


def _above(process: Relative, tree: Tree) -> set[int]:
    """Return the processes from which one descends."""
    parents = {member.pid: member.parent for member in tree.members}
    found: set[int] = set()
    pid = process.parent
    while pid in parents and pid not in found:
        found.add(pid)
        pid = parents[pid]
    return found


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}".replace("%", " %")


def process_lines(tree: Tree, width: int) -> Iterator[tuple[str, str]]:
    """Yield the processes of a tree as lines of at most `width` cells, each with its tone.

    A line has pid, state, age, processor time now and command, in columns under a head; below it
    stands what the process is doing, and what it has open.
    """
    yield "label", f"{'PID':>8}  {'STATE':<8} {'AGE':>11}  {'CPU':>5}  COMMAND"[:width]
    for member in tree.members:
        share = _percent(member.share).rjust(5) if member.share is not None else "    –"
        columns = f"{member.pid:>8}  {member.state:<8} {duration(member.age):>11}  {share}  "
        room = max(width - len(columns), 1)
        command = "  " * min(member.depth, room // 8) + short_command(member.command)
        tone = "warn" if member.state in ("stopped", "traced") else "text"
        cut = command if len(command) <= room else f"{command[: room - 1]}…"
        yield tone, f"{columns}{cut}"
        for text in _below(member):
            yield from (
                ("dim", f"{' ' * 10}{line}")
                for line in textwrap.wrap(text, max(width - 10, 8), break_on_hyphens=False)
            )
    if tree.more:
        yield "dim", f"{' ' * 10}and {count(tree.more, 'more process', 'more processes')}"[:width]


def _below(member: Relative) -> Iterator[str]:
    """Say what a process is doing and what else it has open that matters."""
    if member.hidden:
        yield "what it does and has open is not told to this user"
        return
    target = member.doing.target if member.doing is not None else None
    if member.doing is not None:
        yield member.doing.words
    if not member.depth:  # of the daemon itself only the locks are about this build
        files = [each for each in member.opened if each.kind == "lock" and HASH.search(each.name)]
    else:
        files = [each for each in member.opened if target is None or not _is_same(each, target)]
    words = list(dict.fromkeys(f"{each.kind} {inert(each.name, 200)}".strip() for each in files))
    if words:
        more = f" and {len(words) - MOST_OPEN} more" if len(words) > MOST_OPEN else ""
        yield f"has open: {', '.join(words[:MOST_OPEN])}{more}"


def _is_same(one: Opened, other: Opened) -> bool:
    return (one.kind, one.inode, one.name) == (other.kind, other.inode, other.name)
