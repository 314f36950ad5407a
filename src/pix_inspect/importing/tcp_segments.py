"""A captured packet taken apart: link layer, IPv4 or IPv6, TCP.

Ethernet with VLAN tags, Linux cooked (SLL, SLL2), BSD loopback (NULL, LOOP), raw IP. A segment's
length is what IP says passed, whatever was captured of it; where a network card cuts large
segments later (TSO), IP says nothing, and the frame does. Checksums are not looked at: a capture
on the sending machine has them before they are made.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple

from pix_inspect.importing.packet_files import Packet

ETHERNET, LINUX_SLL, LINUX_SLL2 = 1, 113, 276
_RAW = {0: 4, 108: 4, 12: 0, 14: 0, 101: 0, 228: 0, 229: 0}
"""By link type, the bytes before the IP header, which says by itself what it is."""
_TAGS = (0x8100, 0x88A8, 0x9100)
_VERSIONS = {0x0800: 4, 0x86DD: 6}
"""By Ethernet type, the version of IP."""
_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_EXTENSIONS = (0, 43, 60, 135, 139, 140, _AUTHENTICATION)
"""IPv6 headers that may stand between, each with its length."""
_HEADER = Struct(">HHIIBB")
"""Ports, sequence number, acknowledgement, header words, flags."""


class Unread(Enum):
    """Why a packet is not a segment."""

    OTHER = "neither IP nor TCP"
    LINK = "of a link type that is not known"
    FRAGMENT = "a fragment of an IP packet"
    CUT = "cut off within its headers"


class End(NamedTuple):
    """One end of a connection."""

    address: bytes
    port: int

    def __str__(self) -> str:
        text = str(ip_address(self.address))
        return f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"


class Segment(NamedTuple):
    """A TCP segment of `length` bytes, of which `data` was captured."""

    time: int
    source: End
    target: End
    seq: int
    ack: int
    flags: int
    data: bytes
    length: int


def segment(packet: Packet) -> Segment | Unread:
    """Return the segment in a packet, or why there is none."""
    start = _ip_at(packet.link, packet.data)
    if isinstance(start, Unread):
        return start
    data = packet.data
    if start >= len(data):
        return Unread.CUT
    version = data[start] >> 4
    if version == 4:
        found = _ipv4(data, start, packet.length)
    elif version == 6:
        found = _ipv6(data, start, packet.length)
    else:
        return Unread.OTHER
    if isinstance(found, Unread):
        return found
    at, end, source, target = found
    if at + 20 > len(data):
        return Unread.CUT
    sport, dport, seq, ack, words, flags = _HEADER.unpack_from(data, at)
    at += (words >> 4) * 4
    if words >> 4 < 5 or at > end:
        return Unread.OTHER
    if at > len(data) and end > len(data):
        return Unread.CUT
    kept = data[at:end]
    return Segment(
        packet.time, End(source, sport), End(target, dport), seq, ack, flags, kept, end - at
    )


def _ip_at(link: int, data: bytes) -> int | Unread:
    """Return where the IP header of a packet stands."""
    if link in _RAW:
        return _RAW[link]
    if link == ETHERNET:
        kind, start = int.from_bytes(data[12:14], "big"), 14
        while kind in _TAGS:
            kind, start = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
    elif link == LINUX_SLL:
        kind, start = int.from_bytes(data[14:16], "big"), 16
    elif link == LINUX_SLL2:
        kind, start = int.from_bytes(data[:2], "big"), 20
    else:
        return Unread.LINK
    return start if kind in _VERSIONS else Unread.OTHER


_Found = tuple[int, int, bytes, bytes] | Unread
"""Where TCP begins and ends, the addresses."""


def _ipv4(data: bytes, start: int, length: int) -> _Found:
    if start + 20 > len(data):
        return Unread.CUT
    header = (data[start] & 0xF) * 4
    total = int.from_bytes(data[start + 2 : start + 4], "big")
    fragment = int.from_bytes(data[start + 6 : start + 8], "big") & 0x3FFF
    if data[start + 9] != _TCP or header < 20:
        return Unread.OTHER
    if fragment:
        return Unread.FRAGMENT
    end = start + total if total else length
    return start + header, end, data[start + 12 : start + 16], data[start + 16 : start + 20]


def _ipv6(data: bytes, start: int, length: int) -> _Found:
    if start + 40 > len(data):
        return Unread.CUT
    payload = int.from_bytes(data[start + 4 : start + 6], "big")
    end = start + 40 + payload if payload else length
    following, at = data[start + 6], start + 40
    while following in _EXTENSIONS:
        if at + 2 > len(data):
            return Unread.CUT
        words = (data[at + 1] + 2) * 4 if following == _AUTHENTICATION else (data[at + 1] + 1) * 8
        following, at = data[at], at + words
    if following == _FRAGMENT:
        return Unread.FRAGMENT
    if following != _TCP:
        return Unread.OTHER
    return at, end, data[start + 8 : start + 24], data[start + 24 : start + 40]
