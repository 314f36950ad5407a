"""A relay for one client that prints each operation as it ends: strace in sixty lines.

    python examples/operation_log.py /tmp/sock [DAEMON]       # in one terminal
    NIX_REMOTE=unix:///tmp/sock nix-build foo.nix             # in another

`pix.conversation` does no I/O: the script moves the bytes and shows them to a `Conversation`,
which says what they were. Sends nothing of its own and changes nothing.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from pathlib import Path

from pix.conversation import CLIENT, DAEMON, Conversation, Exchange
from pix.daemon import DEFAULT_SOCKET


class Log:
    """What a conversation reports, in lines on standard output."""

    def started(self, exchange: Exchange) -> None:
        """A request, a handshake or something odd begins."""

    def ended(self, exchange: Exchange) -> None:
        """All of an exchange has passed: say what it was, how it ended and how long it took."""
        how = "error" if exchange.error else "ok" if exchange.complete else "cut off"
        took = f"{(exchange.took or 0) / 1e6:.2f} ms"
        print(f"{exchange.number:>5}  {exchange.name:<26}{how:<8}{took:>12}", flush=True)


def relay(client: socket.socket, daemon: socket.socket) -> None:
    """Pass bytes on in both directions until either side has ended."""
    conversation = Conversation(Log())
    ways = {client: (CLIENT, daemon), daemon: (DAEMON, client)}
    while True:
        for source in select.select(list(ways), [], [])[0]:
            side, sink = ways[source]
            data = source.recv(1 << 16)
            if not data:
                conversation.close(time.monotonic_ns())
                return
            sink.sendall(data)
            conversation.feed(side, data, time.monotonic_ns())


def main(listen: str, upstream: str = DEFAULT_SOCKET) -> None:
    """Wait for one client on the socket `listen`, and relay it to the daemon."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as daemon:
        listener.bind(listen)
        listener.listen()
        print(f"listening on {listen}", file=sys.stderr)
        client, _ = listener.accept()
        Path(listen).unlink()
        with client:
            daemon.connect(upstream)
            relay(client, daemon)


if __name__ == "__main__":
    main(*sys.argv[1:])
