"""One side of the handshake, spoken in the declared order: what a client and a daemon share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pix.codec.declare import record_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import Wire
from pix.protocol import serve
from pix.protocol.handshake import HELLOS, ORDERS, ClientHello, DaemonHello

Hello: TypeAlias = "ClientHello | DaemonHello | serve.ClientHello | serve.ServerHello"


def shake_hands(
    ours: Hello,
    theirs: Hello,
    send: Callable[[bytes], Any],
    receive: Callable[[Wire, Protocol], Any],
    negotiated: Callable[[str], Protocol | None],
    last: bytes = b"",
) -> Protocol:
    """Say all of `ours`, then `last`, and fill in `theirs`; return what is in force.

    `receive` returns the next value of the other side. `negotiated` is told the name of each
    field that was heard, and returns the protocol once that follows; what it raises ends it.
    """
    wire = record_of(type(ours))
    family = next(family for family, hellos in HELLOS.items() if wire in hellos)
    protocol, out = Protocol(family.oldest, family=family), b""
    for side, name in ORDERS[family]:
        field = next(each for each in record_of(side).fields if each.name == name)
        if not field.gate.admits(protocol):
            continue
        if isinstance(ours, side):
            out += encode(field.wire, getattr(ours, name), protocol)
            continue
        if out:
            send(out)
            out = b""
        setattr(theirs, name, receive(field.wire, protocol))
        protocol = negotiated(name) or protocol
    send(out + last)
    offers = [frozenset(getattr(hello, "features", ())) for hello in (ours, theirs)]
    return Protocol(protocol.minor, offers[0] & offers[1], family)
