"""Captures of TCP made by hand: segments, the packets that carry them, the files of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from struct import pack

from pix.conversation.exchange import CLIENT
from pix_inspect.importing.packet_files import Packet
from pix_inspect.importing.tcp_segments import End, Segment
from pix_inspect.recording.tcp_headers import ACK, FIN, SYN

PORT = 9999
CLIENT_END = End(ip_address("10.0.0.1").packed, 40000)
SERVER_END = End(ip_address("10.0.0.2").packed, PORT)
ENDS = (CLIENT_END, SERVER_END)
STARTS = (0xFFFFFF00, 5000)
"""Initial sequence numbers; the client's wraps around soon."""
TIME = 1_700_000_000_000_000_000


class Talk:
    """Two sides that talk without loss; `segments` is what passes."""

    def __init__(
        self, ends: tuple[End, End] = ENDS, starts: tuple[int, int] = STARTS, time: int = TIME
    ) -> None:
        self.ends = ends
        self.next = list(starts)
        self.time = time
        self.segments: list[Segment] = []

    def say(self, side: int, data: bytes = b"", flags: int = ACK) -> Segment:
        """Return the segment by which a side sends data."""
        self.time += 1000
        source, target = self.ends[side], self.ends[1 - side]
        seq, ack = (number & 0xFFFFFFFF for number in (self.next[side], self.next[1 - side]))
        found = Segment(
            self.time, source, target, seq, ack if flags & ACK else 0, flags, data, len(data)
        )
        self.next[side] += len(data) + bool(flags & (SYN | FIN))
        self.segments.append(found)
        return found

    def open(self) -> None:
        """Shake hands, as TCP does."""
        self.say(CLIENT, flags=SYN)
        self.say(1 - CLIENT, flags=SYN | ACK)
        self.say(CLIENT)

    def close(self, first: int = CLIENT) -> None:
        """Send no more, one side after the other."""
        for side in (first, 1 - first):
            self.say(side, flags=FIN | ACK)


def tcp(found: Segment) -> bytes:
    """Return a segment with its header."""
    ports = (found.source.port, found.target.port, found.seq, found.ack)
    return pack(">HHIIBBHHH", *ports, 0x50, found.flags, 65535, 0, 0) + found.data


def ip(found: Segment) -> bytes:
    """Return a segment in an IP packet, of version 4 or 6 as the addresses are."""
    body = tcp(found)
    addresses = found.source.address + found.target.address
    if len(found.source.address) == 16:
        return pack(">IHBB", 6 << 28, len(body), 6, 64) + addresses + body
    return pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, 6, 0) + addresses + body


def framed(data: bytes, link: int) -> bytes:
    """Return an IP packet as a link layer of that type has it."""
    six = data[0] >> 4 == 6
    kind = pack(">H", 0x86DD if six else 0x0800)
    return {
        0: pack("<I", 30 if six else 2),
        1: bytes(12) + kind,
        12: b"",
        101: b"",
        108: pack(">I", 30 if six else 2),
        113: bytes(14) + kind,
        276: kind + bytes(18),
    }[link] + data


def packets(segments: Iterable[Segment], link: int = 1) -> Iterator[Packet]:
    """Yield segments as packets."""
    for found in segments:
        data = framed(ip(found), link)
        yield Packet(found.time, link, data, len(data))


def pcap(found: Iterable[Packet], link: int = 1, order: str = "<", *, nano: bool = False) -> bytes:
    """Return a pcap file, its fractions of seconds in µs or in ns."""
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    parts = [pack(order + "IHHiIII", magic, 2, 4, 0, 0, 1 << 18, link)]
    for each in found:
        seconds, part = divmod(each.time, 10**9)
        head = pack(order + "IIII", seconds, part // unit, len(each.data), each.length)
        parts += [head, each.data]
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    """Return a block of a pcapng file."""
    body += bytes(-len(body) & 3)
    total = 12 + len(body)
    return pack(order + "II", kind, total) + body + pack(order + "I", total)


def pcapng(
    found: Iterable[Packet], link: int = 1, order: str = "<", *, options: bytes = b""
) -> bytes:
    """Return a pcapng file with times in µs, or as the interface's options say for ns."""
    parts = [
        block(order, 0x0A0D0D0A, pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(order, 1, pack(order + "HHI", link, 0, 0) + options),
    ]
    for each in found:
        time = each.time if options else each.time // 1000
        head = (0, time >> 32, time & 0xFFFFFFFF, len(each.data), each.length)
        parts.append(block(order, 6, pack(order + "IIIII", *head) + each.data))
    return b"".join(parts)


def nanoseconds(order: str) -> bytes:
    """Return the option by which an interface has its times in ns."""
    return pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
