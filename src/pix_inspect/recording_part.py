"""A recording of some of the connections of a recording: their packets, byte for byte.

Everything else of the file stays, so that interfaces keep their numbers. Nothing can be blanked
in it.

Knows pcapng blocks and sessions; nothing of exchanges.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

from pix_inspect import pcapng
from pix_inspect.problem import Problem
from pix_inspect.session import Session

INSTEAD = "export it as .txt or .jsonl"
PIECE = 1 << 20


def part_of(session: Session, connections: set[int]) -> Iterator[bytes]:
    """Yield a recording with those connections alone, as far as the session was read.

    Raises Problem for a recording that is compressed or stands in several files.
    """
    firsts = _first_packets(session, connections)
    try:
        with session.path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise Problem(f"cannot read {session.path}: {error}") from None
    with data:
        if data[:4] != pcapng.SECTION_MAGIC:
            raise Problem(f"{session.path.name} is compressed: {INSTEAD}")
        found: set[tuple[int, int]] = set()
        held: list[bytes] = []
        size = section = position = 0
        end = min(len(data), session.consumed)
        while position + pcapng.SMALLEST_BLOCK <= end:
            kind, total = pcapng.BLOCK.unpack_from(data, position)
            if total < pcapng.SMALLEST_BLOCK or position + total > end:
                break
            if kind == pcapng.SECTION_HEADER:
                section = position
            wanted = kind != pcapng.ENHANCED_PACKET
            if not wanted:
                interface = int.from_bytes(data[position + 8 : position + 12], "little")
                if position in firsts:
                    firsts.discard(position)
                    found.add((section, interface))
                wanted = (section, interface) in found
            if wanted:
                held.append(data[position : position + total])
                size += total
            position += total
            if size >= PIECE:
                yield b"".join(held)
                held, size = [], 0
        if firsts:
            raise Problem(f"{session.path.name} stands in several files: {INSTEAD}")
        yield b"".join(held)


def _first_packets(session: Session, connections: set[int]) -> set[int]:
    """Return where the first packet of each connection stands."""
    missing = set(connections)
    found = set()
    for item in session.reader.read_from(0):
        if item.connection in missing:
            missing.discard(item.connection)
            found.add(item.position)
            if not missing:
                break
    return found
