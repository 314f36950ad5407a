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

from typing import Any, Self, TypeAlias

from pix.codec.gates import SERVE, Protocol
from pix.codec.records import Record
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.exchange import Exchange
from pix.protocol import OPERATIONS_BY_NAME, serve
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.logging import StderrLast
from pix.protocol.types import TrustedFlag

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
    if (operation := getattr(value, "operation", None)) is not None:
        out += pack_u64(operation.number)
    elif (frame := getattr(value, "frame", None)) is not None:
        out += pack_u64(frame.code)
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


def unblamed(exchange: Exchange) -> dict[str, Any]:
    """An exchange without what is said of a handshake that somebody left: who did it first."""
    found = seen(exchange)
    return {**found, "notes": ()} if exchange.kind == "handshake" else found


class Playbook:
    """The turns of one conversation, in the order in which they pass."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.turns: list[Turn] = []
        self.trailing = True

    def __rshift__(self, said_by_client: Any) -> Self:
        return self.say(CLIENT, said_by_client)

    def __lshift__(self, said_by_daemon: Any) -> Self:
        return self.say(DAEMON, said_by_daemon)

    def client(self, *values: Any) -> Self:
        """Let the client say all this in one turn."""
        return self.say(CLIENT, b"".join(said(value, self.protocol) for value in values))

    def daemon(self, *values: Any) -> Self:
        """Let the daemon say all this in one turn."""
        return self.say(DAEMON, b"".join(said(value, self.protocol) for value in values))

    def say(self, side: int, value: Any) -> Self:
        self._turn(side, None if value is EOF else said(value, self.protocol))
        return self

    def _turn(self, side: int, data: bytes | None) -> None:
        self.turns.append((side, data))

    def ask(self, name: str, fields: bytes | None = None, /, **plain: Any) -> Self:
        """Let the client say a request, by its fields' bytes or their plain values."""
        operation = OPERATIONS_BY_NAME[name]
        if fields is None:
            request = operation.request
            fields = encode(request, request.value_of(plain), self.protocol)
        return self.client(pack_u64(operation.number), fields)

    def answer(self, name: str, fields: bytes | None = None, /, **plain: Any) -> Self:
        """Let the daemon say STDERR_LAST and a reply, by its fields' bytes or plain values."""
        if fields is None:
            reply = OPERATIONS_BY_NAME[name].reply
            fields = encode(reply, reply.value_of(plain), self.protocol)
        last = (StderrLast(),) if self.protocol.family.has_log else ()
        return self.daemon(*last, fields)

    def greet(
        self,
        *,
        client: int | None = None,
        daemon: int | None = None,
        nix: str = "2.26.3",
        trusted: TrustedFlag = TrustedFlag.UNKNOWN,
        offer: frozenset[str] = frozenset(),
    ) -> Self:
        """Let both sides greet, each field in its turn; the protocol is then in force."""
        number, minor = self.protocol.number, self.protocol.minor
        if self.protocol.family is SERVE:
            self >> serve.ClientHello(version=client or number)
            return self << serve.ServerHello(version=daemon or number)
        features = self.protocol.features
        hello, answer = ClientHello(version=client or number), DaemonHello(version=daemon or number)
        if minor >= 38:
            hello.features = tuple(sorted(features | offer))
            answer.features = tuple(sorted(features))
        if minor >= 33:
            answer.daemon_nix_version = nix
        if minor >= 35:
            answer.trusted = trusted
        asked, told = said(hello, self.protocol), said(answer, self.protocol)
        self >> asked[:8] << told[:16] >> asked[8:] << told[16:]
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
