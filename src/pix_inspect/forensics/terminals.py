"""What a terminal that is not raw does to bytes that pass it: it echoes, swallows, changes them.

Recorded is what was said on one side of it. Its echo comes back as if the daemon said it; what it
swallows or changes shows in what the daemon complains of, where that is not what was sent.
Source: termios(3); Linux n_tty.c.
"""

from __future__ import annotations

from itertools import combinations

from pix.codec.gates import FAMILIES
from pix.codec.payload import FRAMES
from pix.codec.wire import String, pack_u64
from pix.conversation.exchange import CLIENT
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count
from pix_inspect.forensics.messages import nodes_of
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.forensics.rules import NAR_BEGINS, title_of
from pix_inspect.session.exchange_view import ExchangeView

SEARCHED = 64 << 10
"""Bytes of a request in which a number is looked for."""
WIDE = 1 << 32
"""No number that is meant is as large; one that is read a byte off is."""
SWALLOWED = (
    b"\x03\x1c\x1a",  # ISIG: ^C ^\\ ^Z
    b"\x11\x13",  # IXON: ^Q ^S
    b"\x04\x0f\x12\x15\x16\x17\x7f",  # ICANON, IEXTEN: ^D ^O ^R ^U ^V ^W and erase
)
"""What a terminal takes for itself, by the flags that make it do so."""
CR = 13
_LF_FOR_CR = (
    f"a terminal on the path that is not raw makes LF of CR ({CR}; termios(3): ICRNL); or the"
    " daemon reads what stands before it otherwise"
)


def echo(client: bytes, daemon: bytes) -> Diagnosis | None:
    """Return that a terminal says the client's hello again, control characters as ^X."""
    for family in FAMILIES:
        magic = pack_u64(family.magics[CLIENT])
        at = daemon.find(_visible(magic))
        if at >= 0 and client.startswith(magic):
            where = f"the client's hello stands at the daemon's byte {at:,}, with ^@ for each NUL"
            return Diagnosis(Mistake.ECHO, where)
    return None


def _visible(data: bytes) -> bytes:
    """Return bytes as a terminal echoes them (ECHOCTL)."""
    return b"".join(
        b"^%c" % (byte ^ 64) if byte < 32 or byte == 127 else bytes((byte,)) for byte in data
    )


def swallowed(view: ExchangeView, number: int) -> Diagnosis | None:
    """Return that bytes of a request were lost before the daemon read this number.

    It has to stand in the request so many bytes off from where numbers are as there are bytes
    before it that a terminal takes. Behind a text a daemon that misreads padding is off, too, and
    four bytes off is one that reads numbers of 32 bits.
    """
    part = view.part("request")
    exchange = view.exchange
    if number < WIDE or number >> 64 or part is None or part.node is None or exchange is None:
        return None
    start = exchange.start
    data = view.kept[CLIENT].first(start, min(part.end or part.start, start + SEARCHED))
    wanted = number.to_bytes(8, "little")
    at = data.find(wanted)
    texts = (node.start for node, _ in nodes_of(part.node, "") if isinstance(node.wire, String))
    if at < 0 or not at % 4 or start + at > min(texts, default=start + len(data)):
        return None
    before = data[:at]
    for size in range(1, len(SWALLOWED) + 1):
        for flags in combinations(SWALLOWED, size):
            taken = [i for i, byte in enumerate(before) if byte in b"".join(flags)]
            if taken and len(taken) % 8 == at % 8:
                which = ", ".join(f"{before[i]:#04x} at byte {start + i:,}" for i in taken)
                where = f"{title_of(view)}: {which}"
                off = count(at % 8, "byte")
                read = f"the daemon read {number:,}, which stands at byte {start + at:,}: {off} off"
                return Diagnosis(Mistake.SWALLOWED, where, evidence=(read,))
    return None


def sent_archive(view: ExchangeView) -> Diagnosis | None:
    """Return what is to be said of a NAR that is one, and of which the daemon says it is not."""
    exchange = view.exchange
    operation = exchange.operation if exchange is not None else None
    if exchange is None or operation is None or view.protocol is None:
        return None
    payload, start = operation.request.payload, exchange.payload_start
    if payload is None or start is None:
        return None
    if payload.carriage(view.protocol) is FRAMES:
        start += 8
    if view.kept[CLIENT].first(start, start + len(NAR_BEGINS)) != NAR_BEGINS:
        return None
    sent = f"the archive begins as one at the client's byte {start:,}: {CR} and nix-archive-1"
    return Diagnosis(evidence=(sent, _LF_FOR_CR))


def sent_padding(view: ExchangeView) -> Diagnosis | None:
    """Return what is to be said of padding that is right, and of which the daemon says otherwise.

    That is so where a length is a CR: with the length of an LF, the text's end is padding.
    """
    part = view.part("request")
    if part is None or part.node is None or part.error is not None:
        return None
    found = list(nodes_of(part.node, "request"))
    if any(node.irregular is not None for node, _ in found):
        return None
    for node, path in found:
        data = view.kept[CLIENT].first(node.start, node.start + 8)
        if isinstance(node.wire, String) and data == pack_u64(CR):
            said = f"{inert(path, 80)} is padded with zeros; its length is {CR}"
            return Diagnosis(evidence=(f"{said}, at byte {node.start:,}", _LF_FOR_CR))
    return None
