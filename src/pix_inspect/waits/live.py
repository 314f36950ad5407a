"""Who waits for whom in a relay that runs here: the recording's waits, and what this machine adds.

To what `waiting` reads from the recording come the processes at both ends (alive, stopped,
what they wait for in the kernel), the bytes that the kernel keeps unread, and who holds the
lock that a build waits for.

Which process serves a connection is told by its socket, where this user may see that; else
by the daemon's habit of naming its child after the client that it serves, with several
children by their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from pix_inspect.machine import kernel_queues
from pix_inspect.machine.derivations import needed
from pix_inspect.machine.doings import Deed
from pix_inspect.machine.file_locks import lock_holders
from pix_inspect.machine.kernel_queues import Ends, Socket
from pix_inspect.machine.listeners import Listening, accepting, listening
from pix_inspect.machine.process_tree import Tree, Trees, children
from pix_inspect.machine.processes import Process, holders, named_after, process, sockets_of
from pix_inspect.machine.running_relays import Running, birth, relays
from pix_inspect.session.session import Session
from pix_inspect.waits.waits import Here, Listener, Views, Wait, find_circles, waits

OURS = "pix-inspect "
BETWEEN = 0.2
"""Seconds between the two first looks at a tree of processes."""
LOOK_AGAIN = 5.0
"""Seconds after which it is asked again who has a socket: every process is looked at for that."""


def relay_of(recording: Path) -> Running | None:
    """Return the relay that writes a recording now, None if none does."""
    name = str(recording.absolute())
    return next((each for each in relays() if each.recording == name), None)


class LiveWaits:
    """The waits of a running relay's session, looked at again and again."""

    def __init__(self, session: Session, relay: Running) -> None:
        self.session = session
        self.relay = relay
        self._holding: dict[int, int] = {}
        """The process that has a socket, by its inode."""
        self._unknown: dict[int, float] = {}
        """Sockets of which that is not told, and when it was asked."""
        self._trees = Trees()
        self._looked = False
        self._views: Views = {}

    def look(self) -> list[Wait]:
        """Return what every open connection waits for now."""
        found = waits(self.session, self._views)
        known = kernel_queues.sockets()
        sockets = kernel_queues.ends(
            self.relay, {wait.connection: wait.pid for wait in found}, known
        )
        listens = listening(self.relay.upstream)
        listener = self._listener(listens)
        clients = {wait.pid for wait in found}
        daemons = self._daemons_of(sockets, listener, clients)
        trees = self._trees_of(set(daemons.values()), known)
        for wait in found:
            number, end = wait.connection, sockets[wait.connection]
            # who has the connection's socket needs no other proof of being the client, and
            # the parts of this tool that are clients have a name instead of a command line
            is_known = end.client is not None or wait.command.startswith(OURS)
            command = "" if is_known else wait.command
            daemon = process(daemons[number]) if number in daemons else None
            wait.here = Here(
                process(wait.pid, command) if wait.pid is not None else None,
                daemon,
                end.unread,
                tree=trees.get(daemons.get(number, 0)),
                listener=_at_the_door(listens, listener, end),
                expects_more=_reads_from(daemon, end),
                serves=list(daemons.values()).count(daemons.get(number, 0)),
            )
        for wait in found:
            if wait.lock is None:
                _guess_lock(wait, found)
            if wait.lock:
                self._find_holders(wait, daemons)
        find_circles(found)
        return found

    def _trees_of(self, roots: set[int], known: dict[int, Socket]) -> dict[int, Tree]:
        """Return what stands below each daemon; a first time twice, to see who computes."""
        trees = self._trees.look(roots, known)
        if not self._looked and any(len(tree.members) > 1 for tree in trees.values()):
            time.sleep(BETWEEN)
            trees = self._trees.look(roots, known)
        self._looked = True
        return trees

    def _listener(self, listens: Listening | None) -> Process | None:
        """Return the process that accepts on the daemon's socket, None where it is not told."""
        if listens is None:
            return None
        self._find([listens.inode])
        pid = self._holding.get(listens.inode)
        return None if pid is None else process(pid)

    def _find(self, inodes: Iterable[int]) -> None:
        """Find out who has these sockets; who is not found is looked for again after a while."""
        now = time.monotonic()
        for inode, pid in list(self._holding.items()):
            if birth(pid) is None:
                del self._holding[inode]
        missing = [
            inode
            for inode in inodes
            if inode not in self._holding
            and now - self._unknown.get(inode, -LOOK_AGAIN) >= LOOK_AGAIN
        ]
        having = holders(missing)
        self._unknown |= dict.fromkeys(missing, now)
        for inode in missing:
            if inode in having:
                self._holding[inode] = accepting(having[inode])

    def _daemons_of(
        self, sockets: dict[int, Ends], listener: Process | None, clients: set[int | None]
    ) -> dict[int, int]:
        """Return the daemon's process by connection, of those for which it can be told."""
        inodes = {
            number: end.daemon.inode for number, end in sockets.items() if end.daemon is not None
        }
        missing = set(inodes.values()) - self._holding.keys()
        for child in children(listener.pid) if missing and listener is not None else ():
            self._holding |= dict.fromkeys(missing.intersection(sockets_of(child)), child)
        self._find(inodes.values())
        known = {
            number: self._holding[inode]
            for number, inode in inodes.items()
            if inode in self._holding
        }
        if known:
            return known
        if any(end.to_daemon is not None for end in sockets.values()):
            serving = named_after(self.relay.pid)
        else:  # a command that the relay started
            serving = [pid for pid in children(self.relay.pid) if pid not in clients]
        # whose is whose of several is not told: they need not begin in the order of their numbers
        return dict(zip(sockets, serving, strict=True)) if len(sockets) == len(serving) == 1 else {}

    @staticmethod
    def _find_holders(wait: Wait, daemons: dict[int, int]) -> None:
        """Replace who seems to have the lock by who has it, where that is told."""
        own = daemons.get(wait.connection)
        pids = [pid for pid in lock_holders(wait.lock or "", [own] if own else ()) if pid != own]
        if not pids or wait.here is None:
            return
        wait.here.locked_by = tuple(process(pid) for pid in pids)
        wait.holders = tuple(number for number, pid in daemons.items() if pid in pids)
        wait.surely = bool(wait.holders)


def _guess_lock(wait: Wait, found: list[Wait]) -> None:
    """Find the lock that a daemon waits for which does not say so, as that of Nix 2.3.

    It builds nothing, and needs what another connection builds: so it waits for that to be over.
    """
    here = wait.here
    if not wait.asked or wait.building or here is None or here.daemon is None or here.tree is None:
        return
    root = here.tree.root
    if wait.debtor != "daemon" or len(here.tree.members) != 1 or root is None or root.computes:
        return
    needs = needed(wait.asked, f"/proc/{here.daemon.pid}/root")
    for other in found:
        tree = other.here.tree if other.here is not None else None
        common = needs.intersection(other.derivations)
        if other is wait or tree is None or tree.root is None or not common:
            continue
        names = {Path(path).stem.partition("-")[2] for path in common}
        for each in tree.root.opened:
            path = each.name.removesuffix(".lock")
            if each.kind == "lock" and Path(path).name.partition("-")[2] in names:
                wait.lock, wait.holders, wait.guessed = path, (other.connection,), True
                return


def _at_the_door(listens: Listening | None, listener: Process | None, end: Ends) -> Listener | None:
    """Return who listens, and whether it took a connection; None where that is not told."""
    if listens is None or end.to_daemon is None:
        return None
    taken = end.to_daemon.inode not in listens.waiting
    return Listener(listener, taken, len(listens.waiting))


def _reads_from(daemon: Process | None, end: Ends) -> bool:
    """Whether a daemon waits for more to come on its connection."""
    if daemon is None or daemon.doing is None or end.daemon is None:
        return False
    target = daemon.doing.target
    reads = daemon.doing.deed is Deed.READS and target is not None
    return reads and target is not None and target.inode == end.daemon.inode
