"""Who waits for whom in a relay that runs here: the recording's waits, and what this machine adds.

To what `waiting` reads from the recording come the processes at both ends (alive, stopped,
what they wait for in the kernel), the bytes that the kernel keeps unread, and who holds the
lock that a build waits for.

Which process serves a connection is told by its socket, where this user may see that; else
by the daemon's habit of naming its child after the client that it serves, with several
children by their order.
"""

from __future__ import annotations

from pathlib import Path

from pix_inspect.machine.file_locks import lock_holders
from pix_inspect.machine.kernel_queues import Ends, ends
from pix_inspect.machine.processes import Process, holders, named_after, process
from pix_inspect.machine.running_relays import Running, relays
from pix_inspect.session.session import Session
from pix_inspect.waits.waits import Here, Views, Wait, find_circles, waits

OURS = "pix-inspect "


def relay_of(recording: Path) -> Running | None:
    """Return the relay that writes a recording now, None if none does."""
    name = str(recording.absolute())
    return next((each for each in relays() if each.recording == name), None)


class LiveWaits:
    """The waits of a running relay's session, looked at again and again."""

    def __init__(self, session: Session, relay: Running) -> None:
        self.session = session
        self.relay = relay
        self._daemons: dict[int, int] = {}
        """The process at the other end, by the inode of its socket."""
        self._views: Views = {}

    def look(self) -> list[Wait]:
        """Return what every open connection waits for now."""
        found = waits(self.session, self._views)
        sockets = ends(self.relay, {wait.connection: wait.pid for wait in found})
        daemons = self._daemons_of(sockets)
        for wait in found:
            number = wait.connection
            # who has the connection's socket needs no other proof of being the client, and
            # the parts of this tool that are clients have a name instead of a command line
            known = sockets[number].client is not None or wait.command.startswith(OURS)
            command = "" if known else wait.command
            wait.here = Here(
                process(wait.pid, command) if wait.pid is not None else None,
                process(daemons[number]) if number in daemons else None,
                sockets[number].unread,
            )
        for wait in found:
            if wait.lock:
                self._find_holders(wait, daemons)
        find_circles(found)
        return found

    def _daemons_of(self, sockets: dict[int, Ends]) -> dict[int, int]:
        """Return the daemon's process by connection, of those for which it can be told."""
        inodes = {
            number: end.daemon.inode for number, end in sockets.items() if end.daemon is not None
        }
        new = set(inodes.values()) - self._daemons.keys()
        self._daemons = {
            inode: pid for inode, pid in self._daemons.items() if inode in inodes.values()
        }
        self._daemons.update(holders(new))
        known = {
            number: self._daemons[inode]
            for number, inode in inodes.items()
            if inode in self._daemons
        }
        if known:
            return known
        children = named_after(self.relay.pid)
        if len(children) != len(sockets):
            return {}
        return dict(zip(sorted(sockets), children, strict=True))

    @staticmethod
    def _find_holders(wait: Wait, daemons: dict[int, int]) -> None:
        """Replace who seems to have the lock by who has it, where that is told."""
        own = daemons.get(wait.connection)
        pids = [pid for pid in lock_holders(wait.lock or "", [own] if own else ()) if pid != own]
        if not pids or wait.here is None:
            return
        wait.here.locked_by = tuple(Process(pid, "running") for pid in pids)
        wait.holders = tuple(number for number, pid in daemons.items() if pid in pids)
        wait.surely = bool(wait.holders)
