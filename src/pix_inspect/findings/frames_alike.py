"""Log frames that differ in nothing that could be irregular: a build's lines are all alike.

Whether a frame is irregular its texts do not decide, nor do small numbers. So one that has the
other bytes of a regular frame is regular, and need not be decoded.
"""

from __future__ import annotations

from pix.codec.wire import WIDE, Node, String, Word, is_wide

LONGEST = 4096
"""Bytes of a frame that is remembered."""
MOST = 16
"""Frames of one kind and length that are remembered."""
MOST_LENGTHS = 1024
SMALL = (WIDE.bit_length() - 1) // 8
"""Bytes that the number of a size or a time has at most."""


class FramesAlike:
    """The regular frames that were seen, without their texts and numbers."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], list[tuple[int, int]]] = {}
        """By code and length: which bits count, and what they are."""

    def __contains__(self, frame: tuple[int, bytes]) -> bool:
        """Whether a frame, its code and what stands behind it, is like one that was seen."""
        code, data = frame
        seen = self._seen.get((code, len(data)))
        if seen is None:
            return False
        number = int.from_bytes(data, "little")
        for counting, rest in seen:  # noqa: SIM110 (any() costs as much as all else here)
            if number & counting == rest:
                return True
        return False

    def add(self, code: int, data: bytes, node: Node) -> None:
        """Remember a frame if it is regular: all of its bytes, and what they are decoded to."""
        seen = self._seen.get((code, len(data)), [])
        if len(data) > LONGEST or len(seen) == MOST or len(self._seen) == MOST_LENGTHS:
            return
        counting = bytearray(b"\xff" * len(data))
        pending = [node]
        while pending:
            part = pending.pop()
            if part.irregular is not None or is_wide(part.value):
                return
            at = part.start - node.start
            free = 0
            if isinstance(part.wire, String):
                at, free = at + 8, int.from_bytes(data[at : at + 8], "little")
            elif type(part.wire) is Word:
                free = min(part.wire.bits // 8, SMALL)
            counting[at : at + free] = bytes(free)
            pending += part.children or ()
        mask = int.from_bytes(counting, "little")
        seen.append((mask, int.from_bytes(data, "little") & mask))
        self._seen[code, len(data)] = seen
