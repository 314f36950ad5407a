"""Synthetic IPv4 and TCP headers: a connection of bytes dressed so that Wireshark reads it.

Knows ports, sequence numbers and checksums. The client is 127.0.0.1, the daemon 127.0.0.2.
Sequence numbers count the stream's bytes from 1 beyond the initial sequence number (ISN),
modulo 2^32. Knows nothing of pcapng blocks, files or Nix; nothing of this is ever sent.

The TCP checksum is the sum over the pseudo header alone, which is what a kernel hands to an
interface that computes checksums, and what captures on a Linux loopback show. It can be had
without touching the payload; Wireshark does not check it unless told to.
"""

from struct import Struct

from pix_inspect.recording.pcapng import INBOUND, OUTBOUND

PORT = 26490
"""The daemon's port: no dissector of tshark 4.0.17 and no registered service has it.

(649 is NIX on the keys of a telephone.) Wireshark plugins bind to it.
"""

TAKEN_PORT = 57000
"""The client port that a dissector of Wireshark claims."""

CLIENT_PORTS: tuple[int, ...] = (*range(49152, TAKEN_PORT), *range(TAKEN_PORT + 1, 65536))

HEADERS = 40
"""Bytes of the IPv4 and TCP headers before the data."""
SEQUENCE_AT = 24
"""Where the sequence number stands in them, and behind it the acknowledgement."""
LARGEST_SEGMENT = 65535 - HEADERS
"""Bytes of data in one packet: an IPv4 total length has 16 bits."""

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

DIRECTIONS = (OUTBOUND, INBOUND)
"""`epb_flags` by side: what the client sends goes out."""

ADDRESSES = (bytes((127, 0, 0, 1)), bytes((127, 0, 0, 2)))
"""By side: where that side's bytes come from."""

SEQUENCE_MASK = 0xFFFFFFFF
WINDOW = 65535
WINDOW_SHIFT = 14
"""The widest window there is (1 GiB), so that Wireshark never finds it full."""

HEAD = Struct(">2sH6sH8s4sIIBBHHH")
"""Version, total length, id … protocol, checksum, addresses, ports, sequence number,
acknowledgement, TCP header words, flags, window, checksum, urgent pointer."""
VERSION = b"\x45\x00"
MIDDLE = b"\x00\x00\x40\x00\x40\x06"
"""Identification 0, do not fragment, time to live 64, TCP."""
_SEGMENT_SIZE = b"\x02\x04" + LARGEST_SEGMENT.to_bytes(2, "big")
_SYN_OPTIONS = _SEGMENT_SIZE + bytes((1, 3, 3, WINDOW_SHIFT, 1, 1, 4, 2))


def _words(data: bytes) -> int:
    return sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


IP_SUM = _fold(_words(VERSION + MIDDLE + ADDRESSES[0] + ADDRESSES[1]))
"""The IPv4 header's checksum so far: without the total length, not yet inverted."""
TCP_SUM = _fold(_words(ADDRESSES[0] + ADDRESSES[1]) + 6)
"""The pseudo header's sum without the TCP length."""


class Way:
    """One direction of a connection: the bytes of its headers that never change."""

    __slots__ = ("addresses", "ports")

    def __init__(self, side: int, client_port: int) -> None:
        ports = (client_port.to_bytes(2, "big"), PORT.to_bytes(2, "big"))
        self.addresses = ADDRESSES[side] + ADDRESSES[1 - side]
        self.ports = ports[side] + ports[1 - side]

    def headers(self, flags: int, seq: int, ack: int, length: int, window: int = WINDOW) -> bytes:
        """Return the 40 bytes before `length` bytes of data; sequence numbers wrap."""
        return HEAD.pack(
            VERSION,
            HEADERS + length,
            MIDDLE,
            ~_fold(IP_SUM + HEADERS + length) & 0xFFFF,
            self.addresses,
            self.ports,
            seq & SEQUENCE_MASK,
            ack & SEQUENCE_MASK,
            0x50,
            flags,
            window,
            _fold(TCP_SUM + 20 + length),
            0,
        )

    def syn(self, flags: int, seq: int, ack: int) -> bytes:
        """Return a packet that opens: with segment size, window scale, and SACK permitted."""
        head = bytearray(self.headers(flags, seq, ack, len(_SYN_OPTIONS)))
        head[32] = (20 + len(_SYN_OPTIONS)) << 2
        return bytes(head) + _SYN_OPTIONS
