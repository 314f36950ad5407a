"""What the kernel holds on both ends of a relay's connections, asked of the kernel itself.

Each Unix socket's bytes that its owner has not read (what SIOCINQ says inside the process) are
told to anybody by the socket diagnosis of Linux, so that the relay has nothing to do for it
and its recording nothing to hold. Which socket belongs to which connection is told by the
client's descriptors and by the names that the relay gives its sockets; with several
connections of one client, or several at once, by their order.

Source: sock_diag(7), linux/unix_diag.h.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from pix.dataclass import dataclass
from pix_inspect.base.units import size
from pix_inspect.machine.processes import sockets_of
from pix_inspect.machine.relay_chain import number_in
from pix_inspect.machine.running_relays import Running

SOCK_DIAG, BY_FAMILY = 4, 20
"""The netlink family, and the message that asks for the sockets of a family."""
REQUEST, DUMP = 0x1, 0x300
DONE, FAILED = 3, 2
SHOW_NAME, SHOW_PEER, SHOW_QUEUES = 0x1, 0x4, 0x10
NAME, PEER, QUEUES = 0, 2, 4
ESTABLISHED = 1
MOST = 1 << 20
"""Bytes of one answer of the kernel."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Bytes that stand in the kernel, None where that cannot be told.

    `of_client` and `of_daemon` are what the relay has passed on and the client or the daemon
    has not read; `from_client` and `from_daemon` what they sent and the relay has not taken,
    because it first has to get rid of what it took before.
    """

    of_client: int | None = None
    of_daemon: int | None = None
    from_client: int | None = None
    from_daemon: int | None = None

    def words(self) -> list[str]:
        """Return what stands there, in words."""
        return [
            f"{size(amount)} {what}"
            for amount, what in (
                (self.of_client, "the client has not read"),
                (self.from_daemon, "from the daemon the relay cannot pass on yet"),
                (self.of_daemon, "the daemon has not read"),
                (self.from_client, "from the client the relay cannot pass on yet"),
            )
            if amount
        ]


@dataclass(frozen=True, slots=True)
class Socket:
    """A connected Unix socket: its inode and its peer's, its name, bytes it has not read."""

    inode: int
    peer: int
    name: bytes
    unread: int


def sockets() -> dict[int, Socket]:
    """Return the connected Unix sockets by inode; empty where the kernel does not tell."""
    found: dict[int, Socket] = {}
    for inode, known in unix_sockets(1 << ESTABLISHED, SHOW_NAME | SHOW_PEER | SHOW_QUEUES):
        if PEER in known and QUEUES in known:
            peer, unread = (struct.unpack_from("=I", known[key])[0] for key in (PEER, QUEUES))
            found[inode] = Socket(inode, peer, known.get(NAME, b""), unread)
    return found


def unix_sockets(states: int, show: int) -> Iterator[tuple[int, dict[int, bytes]]]:
    """Yield the Unix sockets in these states, each with what is shown of it, as the kernel has it.

    Nothing where the kernel does not tell.
    """
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return
    with (
        contextlib.suppress(OSError, struct.error),
        socket.socket(family, socket.SOCK_RAW, SOCK_DIAG) as asked,
    ):
        asked.settimeout(1)
        request = struct.pack(
            "=BBHIIIII", socket.AF_UNIX, 0, 0, states, 0, show, 0xFFFFFFFF, 0xFFFFFFFF
        )
        asked.send(
            struct.pack("=IHHII", 16 + len(request), BY_FAMILY, REQUEST | DUMP, 1, 0) + request
        )
        for body in _messages(asked):
            yield struct.unpack_from("=I", body, 4)[0], dict(_attributes(body[16:]))


def _messages(asked: socket.socket) -> Iterator[bytes]:
    while True:
        data = asked.recv(MOST)
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (DONE, FAILED) or length < 16:
                return
            yield data[at + 16 : at + length]
            at += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind, data[at + 4 : at + length]
        at += (length + 3) & ~3


@dataclass(frozen=True, slots=True)
class Ends:
    """The four sockets of a relayed connection, None where they cannot be told from others."""

    client: Socket | None = None
    to_client: Socket | None = None
    to_daemon: Socket | None = None
    daemon: Socket | None = None

    @property
    def unread(self) -> Unread:
        """What stands in the kernel."""
        return Unread(*(
            None if end is None else end.unread
            for end in (self.client, self.daemon, self.to_client, self.to_daemon)
        ))  # fmt: skip


def ends(
    relay: Running, clients: dict[int, int | None], known: dict[int, Socket] | None = None
) -> dict[int, Ends]:
    """Return the sockets of a relay's open connections.

    `clients` are their clients' processes by number of connection, `known` all sockets.
    """
    known = sockets() if known is None else known
    own = [known[inode] for inode in sockets_of(relay.pid) if inode in known]
    listen = os.fsencode(relay.listen or "")
    ours = {each.peer: each for each in own if listen and each.name.rstrip(b"\0") == listen}
    ways = {number_in(each.name, relay.pid): each for each in own}
    numbers = sorted(clients)
    theirs: dict[int, Socket] = {}
    for pid in {pid for pid in clients.values() if pid is not None}:
        mine = [known[inode] for inode in sockets_of(pid) if inode in ours and inode in known]
        same = [number for number in numbers if clients[number] == pid]
        if len(mine) == len(same):
            theirs.update(zip(same, mine, strict=True))
    found: dict[int, Ends] = {}
    for number in numbers:
        client, way = theirs.get(number), ways.get(number)
        found[number] = Ends(
            client,
            ours[client.inode] if client is not None else None,
            way,
            known.get(way.peer) if way is not None else None,
        )
    return found
