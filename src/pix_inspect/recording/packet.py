"""One block taken apart: where it ends, and what TCP packet of ours an enhanced packet holds.

Every length is checked against the block before it is used.
"""

from struct import Struct
from typing import Any, NamedTuple

from pix_inspect.recording import pcapng
from pix_inspect.recording.tcp_headers import ADDRESSES, HEADERS, SYN

_HEADER = Struct(">B8xB2x4s8xI4xBB")
"""Version, protocol, source, sequence number, TCP header words, flags."""
_SIDES = {address: side for side, address in enumerate(ADDRESSES)}


class Packet(NamedTuple):
    """A packet of a recording: `length` bytes of data, of which `data` was kept."""

    interface: int
    side: int
    time: int
    seq: int
    flags: int
    data: bytes
    length: int
    comments: list[dict[str, Any]]
    position: int


def whole_block(buffer: bytes, start: int) -> tuple[int, int] | None:
    """Return type and total length of the block at `start`, if all of it is there and sound."""
    if start + pcapng.SMALLEST_BLOCK > len(buffer):
        return None
    kind, total = pcapng.BLOCK.unpack_from(buffer, start)
    end = start + total
    if total < pcapng.SMALLEST_BLOCK or total & 3 or end > len(buffer):
        return None
    if pcapng.U32.unpack_from(buffer, end - 4)[0] != total:
        return None
    return kind, total


def read_packet(buffer: bytes, start: int, total: int, position: int) -> Packet | None:
    """Return the packet in a sound block of `total` bytes, or None if it is none of ours."""
    data = start + pcapng.PACKET_BODY
    if total < pcapng.PACKET_BODY + HEADERS + 4:
        return None
    _, _, interface, high, low, captured, original = pcapng.PACKET.unpack_from(buffer, start)
    end = start + total - 4
    if captured < HEADERS or data + captured > end:
        return None
    version, protocol, source, seq, words, flags = _HEADER.unpack_from(buffer, data)
    side = _SIDES.get(source)
    header = 20 + (words >> 4) * 4
    if version != 0x45 or protocol != 6 or side is None or not HEADERS <= header <= captured:
        return None
    kept = buffer[data + header : data + captured]
    length = 0 if flags & SYN else max(original - header, len(kept))
    options = data + captured + (-captured & 3)
    return Packet(
        interface,
        side,
        high << 32 | low,
        seq,
        flags,
        kept,
        length,
        list(pcapng.read_comments(buffer, options, end)) if options < end else [],
        position,
    )
