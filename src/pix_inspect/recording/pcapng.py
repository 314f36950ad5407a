"""The blocks of a pcapng file: how they are written and how they are taken apart.

Every block is `u32 type, u32 total length, body, u32 total length again`, a multiple of
four bytes. An option is `u16 code, u16 length, value, padding to four`; code 0 ends a list.
"""

import json
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Any

from pix.untrusted import parse_json

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
ENHANCED_PACKET = 6

SECTION_MAGIC = SECTION_HEADER.to_bytes(4, "little")
BYTE_ORDER = 0x1A2B3C4D
BYTE_ORDER_MAGIC = BYTE_ORDER.to_bytes(4, "little")
LINKTYPE_RAW = 101
"""Each packet begins with its IP header."""

INBOUND, OUTBOUND = 1, 2
"""Values of `epb_flags` bits 0-1."""

COMMENT = 1
EPB_FLAGS = 2
IF_NAME, IF_DESCRIPTION, IF_TSRESOL = 2, 3, 9
SHB_USERAPPL = 4

SMALLEST_BLOCK = 12
COMMENT_LIMIT = 60_000
"""Bytes of one comment: an option's length has 16 bits."""

BLOCK = Struct("<II")
U32 = Struct("<I")
OPTION = Struct("<HH")
PACKET = Struct("<IIIIIII")
"""Type, total length, interface, time high, time low, captured length, original length."""
PACKET_BODY = PACKET.size
TIME_AT = 12
"""Where the time stands in a packet block."""

_SECTION = Struct("<IHHq")
_INTERFACE = Struct("<HHI")
_END_OF_OPTIONS = OPTION.pack(0, 0)

Options = Iterable[tuple[int, bytes]]


def json_text(value: object) -> bytes | None:
    """Return `value` as ASCII JSON, or None if JSON or one comment cannot carry it."""
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= COMMENT_LIMIT else None


def comment(value: object) -> bytes:
    """Return `value` as the JSON text of a comment, or a comment that says it was left out."""
    return json_text(value) or b'{"omitted":"too long for a comment, or not JSON"}'


def _options(options: Options) -> bytes:
    parts = []
    for code, value in options:
        parts += [OPTION.pack(code, len(value)), value, bytes(-len(value) & 3)]
    if not parts:
        return b""
    parts.append(_END_OF_OPTIONS)
    return b"".join(parts)


def _block(kind: int, body: bytes, options: Options) -> bytes:
    tail = _options(options)
    total = SMALLEST_BLOCK + len(body) + len(tail)
    return BLOCK.pack(kind, total) + body + tail + U32.pack(total)


def section_header(options: Options = ()) -> bytes:
    """Return the block that begins a file; its section length is left unknown."""
    return _block(SECTION_HEADER, _SECTION.pack(BYTE_ORDER, 1, 0, -1), options)


def interface_description(link_type: int, options: Options = ()) -> bytes:
    """Return an interface with nanosecond timestamps and no snapshot length."""
    resolution = (IF_TSRESOL, b"\x09")
    return _block(INTERFACE_DESCRIPTION, _INTERFACE.pack(link_type, 0, 0), [*options, resolution])


def packet(
    interface: int,
    time: int,
    data: bytes,
    original_length: int,
    flags: int,
    comments: Iterable[bytes] = (),
) -> bytes:
    """Return an enhanced packet block: `time` in ns since 1970, lengths in bytes."""
    options = _options([(EPB_FLAGS, U32.pack(flags)), *((COMMENT, text) for text in comments)])
    padding = bytes(-len(data) & 3)
    total = PACKET_BODY + len(data) + len(padding) + len(options) + 4
    head = PACKET.pack(
        ENHANCED_PACKET,
        total,
        interface,
        time >> 32 & 0xFFFFFFFF,
        time & 0xFFFFFFFF,
        len(data),
        original_length,
    )
    return b"".join((head, data, padding, options, U32.pack(total)))


PLAIN_TAIL = 8 + 4 + 4
"""Bytes after the padded data of a packet whose only option is `epb_flags`, length included."""


def packet_frame(
    interface: int, captured: int, original_length: int, flags: int
) -> tuple[bytes, bytes]:
    """Return what stands before and behind `captured` bytes of data in a packet of time 0."""
    padding = bytes(-captured & 3)
    options = _options([(EPB_FLAGS, U32.pack(flags))])
    total = PACKET_BODY + captured + len(padding) + len(options) + 4
    head = PACKET.pack(ENHANCED_PACKET, total, interface, 0, 0, captured, original_length)
    return head, b"".join((padding, options, U32.pack(total)))


def read_options(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the options in `data[start:end]`; stop quietly at what cannot be one."""
    while start + 4 <= end:
        code, length = OPTION.unpack_from(data, start)
        start += 4
        if code == 0 or start + length > end:
            return
        yield code, data[start : start + length]
        start += length + (-length & 3)


def read_comments(data: bytes, start: int, end: int) -> Iterator[dict[str, Any]]:
    """Yield the comments in `data[start:end]` that are JSON objects; others are not ours.

    Ours are one line; mergecap writes more lines behind that of the section it merges into.
    """
    for code, value in read_options(data, start, end):
        if code == COMMENT and value[:1] == b"{":
            try:
                found = parse_json(value.partition(b"\n")[0])
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found
