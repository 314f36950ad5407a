"""A recording of some of the connections of a recording: their packets, byte for byte.

Everything else of the file stays, so that interfaces keep their numbers. Nothing can be blanked
in it. The file is read rather than mapped, as in `source`: its writer may cut it back meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from pix.problem import Problem
from pix_inspect.recording import pcapng
from pix_inspect.session.session import Session

INSTEAD = "export it as .txt or .jsonl"
PIECE = 1 << 20


def part_of(session: Session, connections: set[int]) -> Iterator[bytes]:
    """Yield a recording with those connections alone, as far as the session was read.

    Raises Problem for a recording that is compressed, stands in several files, or is cut back
    meanwhile.
    """
    firsts = _first_packets(session, connections)
    name = session.path.name
    try:
        file = session.path.open("rb", PIECE)
    except OSError as error:
        raise Problem(f"cannot read {session.path}: {error.strerror}") from None
    with file:
        magic = file.read(4)
        if magic and magic != pcapng.SECTION_MAGIC:
            raise Problem(f"{name} is compressed: {INSTEAD}")
        found: set[tuple[int, int]] = set()
        held: list[bytes] = []
        size = section = position = 0
        end = min(os.fstat(file.fileno()).st_size, session.consumed)
        while position + pcapng.SMALLEST_BLOCK <= end:
            file.seek(position)
            head = file.read(pcapng.SMALLEST_BLOCK)
            if len(head) < pcapng.SMALLEST_BLOCK:
                break
            kind, total = pcapng.BLOCK.unpack_from(head)
            if total < pcapng.SMALLEST_BLOCK or position + total > end:
                break
            if kind == pcapng.SECTION_HEADER:
                section = position
            wanted = kind != pcapng.ENHANCED_PACKET
            if not wanted:
                interface = int.from_bytes(head[8:12], "little")
                if position in firsts:
                    firsts.discard(position)
                    found.add((section, interface))
                wanted = (section, interface) in found
            if wanted:
                block = head + file.read(total - len(head))
                if len(block) < total:
                    break
                held.append(block)
                size += total
            position += total
            if size >= PIECE:
                yield b"".join(held)
                held, size = [], 0
        if os.fstat(file.fileno()).st_size < max(end, pcapng.SMALLEST_BLOCK):
            raise Problem(f"{name} was cut back while it was read")
        if firsts:
            raise Problem(f"{name} stands in several files: {INSTEAD}")
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
