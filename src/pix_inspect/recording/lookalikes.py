"""Beginnings of packets that Wireshark takes for other protocols, and where to cut them.

Where no dissector has the port, Wireshark shows each packet to some fifty heuristics. Those of
LBMSRS know zeros and a small number behind them, which is how the rest of a word begins, those of
RPCAP and STUN a packet with nothing but such a head, that of DCERPC a 5 and 16 bytes, that of JXTA
a packet of which little more than its 5, 6 or 7 was kept. They look at the beginning, and at no
packet that is too short: a few bytes in a packet of their own are nobody's. Found with tshark
4.0.17, in traffic of Nix cut anywhere. Contents of files may look like anything else;
`tshark -d tcp.port==26490,data` shows no packet to any heuristic.
"""

from __future__ import annotations

LOW = (5, 6, 7)
FIRST = frozenset((0, *LOW))
"""First bytes of packets that may be taken for something."""
WORD = 8
REST = 3
"""Zeros of the rest of a word from which on LBMSRS takes what follows."""
SHORT = (8, 20)
"""Bytes of a packet that is only a header to RPCAP, or to STUN: those that passed, kept or not."""


def cut_of(data: bytes | memoryview, length: int) -> int:
    """Return how many bytes are to go ahead in a packet of their own, 0 for none.

    Of the packet's `length` bytes, `data` are those that were kept.
    """
    head = bytes(data[:WORD])
    if len(data) <= WORD and length > WORD and head[:1] and head[0] in LOW:
        return len(data)
    if head[:1] == b"\5":
        return WORD if head[1:2] in (b"\0", b"\1") and len(data) > WORD else 0
    zeros = len(head) - len(head.lstrip(b"\0"))
    taken = REST <= zeros < len(head) or (0 < zeros < len(head) and length in SHORT)
    return zeros if taken else 0
