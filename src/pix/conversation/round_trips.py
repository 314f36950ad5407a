"""Plain round trips, told at a glance: a chunk that is a request, a chunk that is its answer.

Most of what passes between a client and a daemon is this: a request without payload, whole,
and then STDERR_LAST with the whole reply, in the serve protocol the reply alone. To know that much
takes no scanner.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from pix.codec.cursor import SKIP, Limits, Program, behind
from pix.codec.declare import Operation
from pix.codec.gates import Protocol
from pix.codec.plans import Plan, hops, is_whole, plan_of
from pix.codec.wire import pack_u64
from pix.conversation.exchange import Asked
from pix.protocol import operations_of
from pix.protocol.logging import STDERR_LAST

LAST = pack_u64(STDERR_LAST)

RoundTripSeen: TypeAlias = Callable[[Asked, int, int, int], None]
"""Told of a plain round trip that is over, in place of `started` and `ended`: what was asked,
`[start, end)` of the answer in the daemon's stream, and when it came."""

Passed: TypeAlias = "tuple[int, int, int, bytes, int, int]"
"""A chunk that passed: side, time, stream offset, what was kept of it, its length, and where it
stands, which is for whoever asks."""

Shape: TypeAlias = "tuple[int, Program | None, Plan | None]"
"""A message with the word before it, if there is one: its length if that is fixed, else the program
behind the word, and its plan where it has one."""

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
        return ahead + sum(arg for _, arg in program if isinstance(arg, int)), None, None
    return 0, program, plan_of(program)


def glance(
    passed: list[Passed], kinds: Plain, before: bytes, limits: Limits
) -> tuple[list[Operation], int, int]:
    """Return what the plain round trips ask for with which `passed` begins, a request and its
    answer each, and how many bytes of either side they are.

    An answer that repeats the one before, word for word, needs no walk through what it holds.
    """
    found: list[Operation] = []
    steps, most, ahead = hops(limits.string), limits.count, len(before)
    number, same = b"", None
    up = down = 0
    for (side, _, _, request, size, _), (other, _, _, answer, length, _) in zip(
        passed[::2], passed[1::2], strict=False
    ):
        if not (number and request.startswith(number)):
            if (plain := kinds.get(number := request[:8])) is None:
                break
            operation, (fixed, program, _), (fixed_answer, answers, plan) = plain
            same = None
        if (
            side
            or not other
            or len(request) != size
            or len(answer) != length
            or not (fixed == size or (program and behind(request, 8, program, limits) == size))
            or not (
                answer == same
                or (
                    answer.startswith(before)
                    and (
                        fixed_answer == length
                        or (plan and is_whole(answer, ahead, plan, steps, most))
                        or (answers and behind(answer, ahead, answers, limits) == length)
                    )
                )
            )
        ):
            break
        same = answer
        found.append(operation)
        up += size
        down += length
    return found, up, down
