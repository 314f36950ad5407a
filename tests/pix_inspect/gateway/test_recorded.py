"""A connection that is recorded by its user: each byte, in order, and its end."""

from __future__ import annotations

import socket
from typing import Any

from pix.conversation import Conversation
from pix.daemon import DaemonConnection
from pix.sockets import connect
from pix_inspect.capture.relayed_connection import CLIENT, DAEMON
from pix_inspect.gateway.recorded import RecordedSocket
from pix_inspect.recording.notes import Comment
from pix_store import EmbeddedDaemon


class Heard:
    """A tap that keeps what it is told."""

    def __init__(self) -> None:
        self.bytes = (bytearray(), bytearray())
        self.events: list[Any] = []

    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        self.bytes[side].extend(data)

    def half_close(self, side: int, time: int) -> None:
        self.events.append(side)

    def reset(self, side: int, time: int) -> None:
        self.events.append(("reset", side))

    def closed(self, time: int) -> None:
        self.events.append("closed")

    def note(self, note: Comment, time: int) -> None:
        self.events.append(note)


def test_what_is_sent_and_received_is_told() -> None:
    ours, theirs = socket.socketpair()
    tap = Heard()
    recorded = RecordedSocket(ours, tap)
    recorded.setblocking(False)
    sent = recorded.send(bytes(10 << 20))
    assert 0 < sent == len(tap.bytes[CLIENT]) < 10 << 20
    theirs.sendall(b"answer")
    assert recorded.recv(3) + recorded.recv(99) == b"answer" == tap.bytes[DAEMON]
    theirs.close()
    recorded.close()
    recorded.close()
    assert tap.events == [CLIENT, "closed"]


def test_a_conversation_goes_on_as_without() -> None:
    tap = Heard()
    with EmbeddedDaemon() as daemon:
        connection = DaemonConnection().over(RecordedSocket(connect(daemon.path), tap))
        path = connection.add_text_to_store("x", "y")
        assert connection.is_valid_path(path)
        connection.close()
    talk = Conversation()
    for side in (CLIENT, DAEMON):
        talk.feed(side, bytes(tap.bytes[side]), 0)
    assert talk.protocol is not None
    assert path.encode() in tap.bytes[DAEMON]
    assert tap.events == [CLIENT, "closed"]
