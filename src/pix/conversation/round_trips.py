"""Plain round trips, told at a glance: a chunk that is a request, a chunk that is its answer.

Most of what passes between a client and a daemon is this: a request without payload, whole,
and then STDERR_LAST with the whole reply. To know that much takes no scanner. Whatever is not
plain is the conversation's business.

Nothing here keeps bytes or knows what came before.
"""

from __future__ import annotations

from typing import TypeAlias

from pix.codec.cursor import SKIP, Limits, Program, is_whole, u64_at
from pix.codec.declare import OPERATIONS
from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.protocol.logging import STDERR_LAST

Shape: TypeAlias = "tuple[int, Program | None]"
"""A message with its first word: its length if that is fixed, else the program behind the word."""

_LAST = pack_u64(STDERR_LAST)


class Trips:
    """The plain round trips of one protocol."""

    def __init__(self, protocol: Protocol, limits: Limits) -> None:
        self._limits = limits
        self._plain: dict[int, tuple[Shape, Shape]] = {
            code: (
                _shape(operation.request.program(protocol)),
                _shape(operation.reply.program(protocol)),
            )
            for code, operation in OPERATIONS.items()
            if operation.request.payload is None and operation.reply.payload is None
        }

    def asked(self, data: bytes) -> Shape | None:
        """Return what answers the request that `data` is; None if it is not one, or not plain."""
        size = len(data)
        if size < 8:
            return None
        plain = self._plain.get(u64_at(data)[0])
        if plain is None:
            return None
        length, program = plain[0]
        if length == size or (program and is_whole(data, 8, program, self._limits)):
            return plain[1]
        return None

    def answered(self, shape: Shape, data: bytes) -> bool:
        """Return whether `data` is STDERR_LAST and a whole reply."""
        if data[:8] != _LAST:
            return False
        length, program = shape
        return length == len(data) or (
            program is not None and is_whole(data, 8, program, self._limits)
        )


def _shape(program: Program) -> Shape:
    if all(step == SKIP for step, _ in program):
        return 8 + sum(arg for _, arg in program if isinstance(arg, int)), None
    return 0, program
