"""Plain round trips, told at a glance: a chunk that is a request, a chunk that is its answer.

Most of what passes between a client and a daemon is this: a request without payload, whole,
and then STDERR_LAST with the whole reply, in the serve protocol the reply alone. To know that much
takes no scanner.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from pix.codec.cursor import SKIP, Program
from pix.codec.declare import Operation
from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.conversation.exchange import Asked
from pix.protocol import operations_of
from pix.protocol.logging import STDERR_LAST

LAST = pack_u64(STDERR_LAST)

RoundTripSeen: TypeAlias = Callable[[Asked, int, int, int], None]
"""Told of a plain round trip that is over, in place of `started` and `ended`: what was asked,
`[start, end)` of the answer in the daemon's stream, and when it came."""

Shape: TypeAlias = "tuple[int, Program | None]"
"""A message with the word before it, if there is one: its length if that is fixed, else the program
behind the word."""

Plain: TypeAlias = "dict[bytes, tuple[Operation, Shape, Shape]]"
"""By the first word of the request: operation, request, answer."""


@lru_cache(maxsize=64)
def plain(protocol: Protocol) -> Plain:
    """Return the operations that may be plain: those without payload."""
    ahead = len(before_reply(protocol))
    return {
        pack_u64(number): (
            operation,
            _shape(operation.request.program(protocol), 8),
            _shape(operation.reply.program(protocol), ahead),
        )
        for number, operation in operations_of(protocol.family).items()
        if operation.request.payload is None and operation.reply.payload is None
    }


def before_reply(protocol: Protocol) -> bytes:
    """Return what stands before a reply."""
    return LAST if protocol.family.has_log else b""


def _shape(program: Program, ahead: int) -> Shape:
    if all(step == SKIP for step, _ in program):
        return ahead + sum(arg for _, arg in program if isinstance(arg, int)), None
    return 0, program
