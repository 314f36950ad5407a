"""Bytes sent outside the rules, and what the daemon did about them.

The handshake is an ordinary one; then the bytes go out as they are and everything that comes
back until a silence, or the end, is decoded as far as it can be.

Knows the client library and the conversation; nothing of terminals.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from dataclasses import dataclass

from pix.conversation import Conversation
from pix.daemon import DaemonConnection
from pix.exchange import CLIENT, DAEMON

MOST_HEARD = 16 << 20
PIECE = 64 << 10


@dataclass(slots=True)
class Heard:
    """What came of raw bytes: sizes, how the exchange was understood, and the bytes heard.

    `closed` says whether the daemon closed the connection.
    """

    sent: int
    heard: int
    closed: bool
    exchanges: list[str]
    data: bytes


def listen(
    connection: DaemonConnection, data: bytes, wait: float, half_close: bool = False
) -> Heard:
    """Send `data` on a connected connection and hear until `wait` seconds of silence, or the end.

    The connection is of no use afterwards.
    """
    talk = Conversation.resumed(connection.protocol, 0, 0, daemon_nix=connection.daemon_nix_version)
    sock = connection.detach()
    heard = bytearray()
    closed = False
    talk.feed(CLIENT, data)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
                talk.eof(CLIENT)
        until = time.monotonic() + wait
        while len(heard) < MOST_HEARD and (left := until - time.monotonic()) > 0:
            if not select.select([sock], [], [], left)[0]:
                break
            try:
                piece = sock.recv(PIECE)
            except ConnectionResetError:
                piece = b""
            if not piece:
                closed = True
                break
            talk.feed(DAEMON, piece)
            heard += piece
            until = time.monotonic() + wait
    finally:
        sock.close()
    if closed:
        talk.eof(DAEMON)
    exchanges = []
    for exchange in talk.exchanges:
        state = (
            "error" if exchange.error is not None else "complete" if exchange.complete else "open"
        )
        exchanges.append("; ".join([f"{exchange.name}: {state}", *exchange.notes]))
    return Heard(len(data), len(heard), closed, exchanges, bytes(heard))
