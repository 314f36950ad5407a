"""Packets in capture files of other programs: pcap and pcapng, in either byte order.

    pcap     24 bytes: magic (time in µs or ns), version, …, snapshot length, link type
             packets: seconds, fraction, captured length, original length, data
    pcapng   blocks `type, total length, body, total length`; a section header says the byte order,
             an interface its link type and the unit of its times

A file that is cut, or damaged somewhere, is read up to there. Source: draft-ietf-opsawg-pcap and
-pcapng. Knows these layouts and nothing of what is in a packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import calcsize, unpack, unpack_from
from typing import BinaryIO, NamedTuple

from pix_inspect.recording import pcapng

LARGEST = 16 << 20
"""Bytes: a longer packet or block is damage."""
LONGEST_TIME = 1 << 62
_SECOND = 10**9
_FRACTIONS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
"""By magic, the nanoseconds in a unit of a packet's fraction."""
_SIMPLE, _OLD, _OFFSET = 3, 2, 14
"""A packet without a time, one of the first pcapng; the option with an interface's zero."""
_MICROSECONDS = 6


class Packet(NamedTuple):
    """A packet: `time` in ns since 1970, `data` as captured, of `length` bytes that passed."""

    time: int
    link: int
    """Its link type (LINKTYPE_…)."""
    data: bytes
    length: int


class _Interface(NamedTuple):
    link: int
    snapshot: int
    units: int
    """Units of its times in a second."""
    zero: int
    """Seconds to add to its times."""


class PacketFile:
    """A capture file that is read packet by packet, as often as wanted."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.damage: int | None = None
        """Where reading ended before the file did."""

    @property
    def began(self) -> int:
        """When the first packet passed; beyond all times where there is none."""
        return next((packet.time for packet in self), LONGEST_TIME)

    def __iter__(self) -> Iterator[Packet]:
        self._file.seek(0)
        self.damage = None
        head = self._file.read(4)
        self._file.seek(0)
        yield from self._blocks() if head == pcapng.SECTION_MAGIC else self._records()

    def _take(self, count: int) -> bytes | None:
        """Return so many bytes, None with the damage noted where they are not there."""
        at = self._file.tell()
        data = self._file.read(count) if count <= LARGEST else b""
        if len(data) == count:
            return data
        if data or count > LARGEST:
            self.damage = at
        return None

    def _records(self) -> Iterator[Packet]:
        """Yield the packets of a pcap file."""
        head = self._take(24)
        if head is None:
            return
        order = "<" if int.from_bytes(head[:4], "little") in _FRACTIONS else ">"
        magic, link = unpack(order + "I16xI", head)
        fraction, link = _FRACTIONS.get(magic, 1000), link & 0xFFFF
        record = order + "IIII"
        while (head := self._take(calcsize(record))) is not None:
            seconds, part, captured, length = unpack(record, head)
            at = self._file.tell() - len(head)
            data = self._take(captured)
            if data is None:
                self.damage = at
                return
            yield Packet(seconds * _SECOND + part * fraction, link, data, length)

    def _blocks(self) -> Iterator[Packet]:
        """Yield the packets of a pcapng file."""
        order = "<"
        interfaces: list[_Interface] = []
        time = 0
        while (head := self._take(12)) is not None:
            at = self._file.tell() - len(head)
            kind = int.from_bytes(head[:4], "little" if order == "<" else "big")
            if head[:4] == pcapng.SECTION_MAGIC:
                order = "<" if head[8:] == pcapng.BYTE_ORDER_MAGIC else ">"
                interfaces.clear()
            (total,) = unpack_from(order + "I", head, 4)
            body = None
            if total >= pcapng.SMALLEST_BLOCK and not total & 3:
                body = self._take(total - len(head))
            if body is None or body[-4:] not in (head[4:8], b""):
                self.damage = at
                return
            body = (head[8:] + body)[: total - 12]
            if kind == pcapng.INTERFACE_DESCRIPTION and len(body) >= 8:
                interfaces.append(_interface(body, order))
            elif found := _packet(kind, body, order, interfaces, time):
                time = found.time
                yield found


def _interface(body: bytes, order: str) -> _Interface:
    link, snapshot = unpack_from(order + "H2xI", body)
    units, zero = 10**_MICROSECONDS, 0
    at = 8
    while at + 4 <= len(body):
        code, length = unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == 0 or len(value) < length:
            break
        if code == pcapng.IF_TSRESOL and length == 1:
            exponent = value[0] & 0x7F
            units = 1 << min(exponent, 64) if value[0] & 0x80 else 10 ** min(exponent, 20)
        elif code == _OFFSET and length == 8:
            (zero,) = unpack(order + "q", value)
        at += 4 + length + (-length & 3)
    return _Interface(link, snapshot, units, zero)


def _packet(
    kind: int, body: bytes, order: str, interfaces: list[_Interface], before: int
) -> Packet | None:
    """Return the packet in a block, if it is one; `before` is the time where it has none."""
    if kind == pcapng.ENHANCED_PACKET and len(body) >= 20:
        number, high, low, captured, length = unpack_from(order + "IIIII", body)
        data = 20
    elif kind == _OLD and len(body) >= 20:
        number, high, low, captured, length = unpack_from(order + "H2xIIII", body)
        data = 20
    elif kind == _SIMPLE and len(body) >= 4 and interfaces:
        number, high, low, data = 0, 0, 0, 4
        (length,) = unpack_from(order + "I", body)
        captured = min(length, interfaces[0].snapshot or length)
    else:
        return None
    if number >= len(interfaces) or data + captured > len(body):
        return None
    found = interfaces[number]
    time = before
    if kind != _SIMPLE:
        time = (high << 32 | low) * _SECOND // found.units + found.zero * _SECOND
    time = max(0, min(time, LONGEST_TIME))
    return Packet(time, found.link, body[data : data + captured], length)
