"""What has to hold for any bytes at all, however they are fed.

`check` plays a session and looks at everything that came of it. It raises on the first
thing that does not hold; the codec itself may raise nothing but its documented errors.
"""

from __future__ import annotations

from random import Random

from pix.codec.cursor import Limits
from pix.codec.declare import STDERR_FRAMES, wire_of
from pix.codec.errors import PixError
from pix.codec.gates import Protocol
from pix.codec.values import decode, tree
from pix.codec.wire import Wire
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.exchange import Exchange
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import STDERR_ERROR
from pix.protocol.payload_items import ContentKind, ContentReader
from tests.fuzz.sessions import Session

NO_PROTOCOL = Protocol(0)


def check(session: Session, random: Random) -> None:
    """Play a session in random pieces, with gaps now and then, and look at what came of it."""
    gaps = random.random() < 0.15
    conversation = Conversation(
        detail=True,
        lockstep=random.random() < 0.1,
        limits=Limits(waiting=1 << 12) if random.random() < 0.1 else None,
    )
    streams = (bytearray(), bytearray())
    for time, (side, data) in enumerate(session):
        streams[side].extend(data)
        at = 0
        pieces = random.choice((1, 1, 1, 2, 5)) if len(data) < 4096 else 1
        while at < len(data):
            size = len(data) if pieces == 1 else random.randint(1, max(len(data) // pieces, 1))
            part = data[at : at + size]
            at += size
            if gaps and random.random() < 0.3:
                conversation.gap(side, len(part), time)
            else:
                conversation.feed(side, part, time)
        if random.random() < 0.02:
            conversation.eof(side, time)
    conversation.close(len(session))
    for side in (CLIENT, DAEMON):
        assert conversation.received(side) == len(streams[side])
    for exchange in conversation.exchanges:
        _settled(exchange, (len(streams[CLIENT]), len(streams[DAEMON])))
        if not gaps:
            _decoded(exchange, streams)
            _understood(exchange, streams, random)


def _settled(e: Exchange, sizes: tuple[int, int]) -> None:
    """Hold an exchange of a closed conversation to be over, and its spans to be in order."""
    assert e.ended is not None, e
    assert e.complete or e.notes, e
    asked = [e.start, e.payload_start, e.request_end] if e.side == CLIENT else []
    answered = [e.daemon_start, e.reply and e.reply[0], e.reply_payload_start, e.daemon_end]
    for marks, size in ((asked, sizes[CLIENT]), (answered, sizes[DAEMON])):
        known = [mark for mark in marks if mark is not None]
        if e.complete or e.kind == "opaque":
            assert known == sorted(known), (e, marks)
            assert all(0 <= mark <= size for mark in known), (e, marks)
    at = e.daemon_start or 0
    for frame in e.log or ():
        assert at <= frame.start < frame.end <= sizes[DAEMON], (e, frame)
        at = frame.end


def _decoded(e: Exchange, streams: tuple[bytearray, bytearray]) -> None:
    """Decode every span of an exchange: a tree never raises, reading only what it says."""
    protocol = e.protocol or NO_PROTOCOL
    spans: list[tuple[Wire, int, int, int | None]] = []
    if e.kind == "handshake":
        spans.append((wire_of(ClientHello), CLIENT, 0, e.request_end))
        spans.append((wire_of(DaemonHello), DAEMON, 0, e.reply[1] if e.reply else e.daemon_end))
    elif e.operation is not None:
        end = e.request_end if e.payload_start is None else e.payload_start
        spans.append((e.operation.request, CLIENT, e.start + 8, end))
        if e.reply is not None:
            end = e.reply[1] if e.reply_payload_start is None else e.reply_payload_start
            spans.append((e.operation.reply, DAEMON, e.reply[0], end))
    spans += [(f.frame.fields, DAEMON, f.start + 8, f.end) for f in e.log or ()]
    if e.error is not None:
        error = STDERR_FRAMES[STDERR_ERROR].fields
        spans.append((error, DAEMON, e.error[0] + 8, e.error[1]))
    for wire, side, start, stop in spans:
        data = bytes(streams[side][start:stop])
        found = tree(wire, data, protocol, base=start)
        assert start <= found.end <= start + len(data)
        for node in found.nodes:
            node.plain()
        try:
            decode(wire, data, protocol)
        except PixError:
            pass
        else:
            assert found.error is None, found.error


def _understood(e: Exchange, streams: tuple[bytearray, bytearray], random: Random) -> None:
    """Look into the payload of an exchange, as whatever kind."""
    if e.payload_side is None or e.protocol is None:
        return
    runs = e.payload_runs or ()
    content = b"".join(bytes(streams[side][at : at + length]) for side, at, length in runs)
    start, end = e.payload_start, e.request_end
    if e.payload_side == DAEMON:
        start, end = e.reply_payload_start, e.daemon_end
    if start is not None and random.random() < 0.5:
        content = bytes(streams[e.payload_side][start:end])
    kind: ContentKind = random.choice(("nar", "paths", "export", "export record"))
    reader = ContentReader(kind, e.protocol, strict=random.random() < 0.3)
    at = 0
    while at < len(content):
        size = random.choice((len(content), 4096, 100))
        if random.random() < 0.05:
            reader.gap(len(content[at : at + size]))
        else:
            reader.feed(content[at : at + size])
        at += size
    assert reader.size == len(content)
    assert not (reader.complete and reader.error)
