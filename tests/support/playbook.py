"""A conversation as the test reads it: `>>` what the client says, `<<` what the daemon says.

    talk = Playbook(Protocol(38)).greet()
    talk >> QueryPathInfo(path=HELLO)
    talk << StderrNext(text="asking\\n") << StderrLast() << QueryPathInfo.Reply(info=None)
    handshake, query = talk.exchanges()

Turns are declared values, written by their declarations; or bytes; or EOF. `exchanges` plays
the turns whole, byte by byte, in other cuts and with trailing bytes, and holds the outcomes
against each other.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pix.codec.gates import Protocol
from pix.codec.records import Record
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.exchange import Exchange
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import StderrLast

EOF = object()
"""The turn in which a side ends its stream."""

Turn: TypeAlias = "tuple[int, bytes | None]"


def said(value: Any, protocol: Protocol) -> bytes:
    """Return the bytes of a request, frame, reply or hello, with its inline payload."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    wire = value.wire
    assert isinstance(wire, Record)
    out = bytearray()
    named = getattr(value, "operation", None) or getattr(value, "frame", None)
    if named is not None:
        out += pack_u64(named.code)
    out += encode(wire, value, protocol)
    if wire.payload is not None:
        carriage = wire.payload.carriage(protocol)
        if carriage is not None and carriage.inline:
            carriage.write(getattr(value, wire.payload.name), out)
    return bytes(out)


def seen(exchange: Exchange) -> dict[str, Any]:
    """Return all of an exchange but its times."""
    names = (
        "number kind side start protocol code payload_start request_end daemon_start daemon_end"
        " reply reply_payload_start error frames payload_side payload_bytes payload_runs reads"
        " answers complete notes"
    )
    found = {name: getattr(exchange, name) for name in names.split()}
    found["log"] = [(f.frame.name, f.start, f.end, f.answer) for f in exchange.log or ()]
    found["times"] = [
        at is not None for at in (exchange.request_done, exchange.answered, exchange.ended)
    ]
    return found


class Playbook:
    """The turns of one conversation, in the order in which they pass."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.turns: list[Turn] = []
        self.trailing = True

    def __rshift__(self, said_by_client: Any) -> Playbook:
        self._turn(CLIENT, said_by_client)
        return self

    def __lshift__(self, said_by_daemon: Any) -> Playbook:
        self._turn(DAEMON, said_by_daemon)
        return self

    def _turn(self, side: int, value: Any) -> None:
        self.turns.append((side, None if value is EOF else said(value, self.protocol)))

    def greet(
        self,
        *,
        client: int | None = None,
        daemon: int | None = None,
        nix: str = "2.26.3",
        offer: frozenset[str] = frozenset(),
    ) -> Playbook:
        """Let both sides greet, each field in its turn; the protocol is then in force."""
        number = self.protocol.number
        features = self.protocol.features
        hello = said(
            ClientHello(version=client or number, features=tuple(sorted(features | offer)))
            if self.protocol.minor >= 38
            else ClientHello(version=client or number),
            self.protocol,
        )
        answer = DaemonHello(version=daemon or number)
        if self.protocol.minor >= 38:
            answer.features = tuple(sorted(features))
        if self.protocol.minor >= 33:
            answer.daemon_nix_version = nix
        told = said(answer, self.protocol)
        self.turns += [
            (CLIENT, hello[:8]),
            (DAEMON, told[:16]),
            (CLIENT, hello[8:]),
            (DAEMON, told[16:]),
        ]
        return self << StderrLast()

    @property
    def size(self) -> tuple[int, int]:
        """The bytes that either side says."""
        sizes = [0, 0]
        for side, data in self.turns:
            sizes[side] += len(data or b"")
        return sizes[0], sizes[1]

    def play(self, cut: int | None = None, **options: Any) -> Conversation:
        """Return the conversation after all turns, in pieces of at most `cut` bytes."""
        options.setdefault("detail", True)
        conversation = Conversation(**options)
        for time, (side, data) in enumerate(self.turns):
            if data is None:
                conversation.eof(side, time)
                continue
            step = cut or len(data) or 1
            for i in range(0, len(data), step):
                conversation.feed(side, data[i : i + step], time)
        return conversation

    def exchanges(self, *, close: bool = True, **options: Any) -> list[Exchange]:
        """Play the turns in several cuts, hold the outcomes to be the same, and return them."""
        outcomes = []
        for cut in (None, 1, 3, 8):
            conversation = self.play(cut, **options)
            before = [seen(e) for e in conversation.exchanges if e.ended is not None]
            if close:
                conversation.close(len(self.turns))
                assert all(e.ended is not None for e in conversation.exchanges)
            outcomes.append([seen(e) for e in conversation.exchanges])
            followed = self.play(cut, **options)
            for side in (CLIENT, DAEMON):
                followed.feed(side, b"\xff" * 5, len(self.turns))
            after = [seen(e) for e in followed.exchanges if e.ended is not None]
            assert after == before, "trailing bytes changed what was over"
            followed.close(len(self.turns))
        for outcome in outcomes[1:]:
            assert outcome == outcomes[0]
        return conversation.exchanges
