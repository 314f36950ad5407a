"""Plans of texts: what they find whole is what a walk by the program ends behind."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from pix.codec.cursor import CHOICE, LIST, SKIP, TEXT, TEXTS, Limits, Program, behind
from pix.codec.gates import Protocol
from pix.codec.plans import LONG, hops, is_whole, plan_of
from pix.codec.wire import pack_u64
from pix.protocol import OPERATIONS_BY_NAME

LIMITS = Limits()


def texts(random: Random, count: int) -> bytes:
    lengths = [random.choice((0, 1, 7, 8, 9, 40, 300)) for _ in range(count)]
    return b"".join(pack_u64(n) + bytes(n + 7 & -8) for n in lengths)


def made(random: Random) -> tuple[Program, bytes]:
    """A program without a choice, and a value of it."""
    program: list[tuple[int, object]] = []
    value = b""
    for _ in range(random.randrange(6)):
        step = random.choice((TEXT, TEXTS, SKIP))
        if step == TEXT:
            program.append((TEXT, None))
            value += texts(random, 1)
        elif step == TEXTS:
            many, times = random.randrange(4), random.randint(1, 2)
            program.append((TEXTS, times))
            value += pack_u64(many) + texts(random, many * times)
        else:
            program.append((SKIP, 8))
            value += random.randbytes(8)
    return tuple(program), value


def values(count: int) -> Iterator[tuple[Program, bytes, Random]]:
    """Programs, with a choice every other time, each with a value."""
    for seed in range(count):
        random = Random(f"plan {seed}")
        program, value = made(random)
        if seed & 1:
            other, instead = made(random)
            program = ((CHOICE, {0: program, None: other}),)
            value = random.choice((pack_u64(0) + value, pack_u64(7) + instead))
        yield program, value, random


def whole(program: Program, data: bytes, limits: Limits = LIMITS) -> bool:
    """Whether it is whole by its plan, which says so of nothing that a walk does not."""
    plan = plan_of(program)
    assert plan is not None
    found = is_whole(data, 8, plan, hops(limits.string), limits.count)
    assert not found or behind(data, 8, program, limits) == len(data)
    return found


def test_what_is_whole_is_found_so_and_nothing_else_is() -> None:
    found = 0
    for program, value, random in values(3000):
        data = bytes(8) + value
        assert whole(program, data)
        for _ in range(5):
            broken = bytearray(data)
            match random.randrange(3):
                case 0:
                    broken[random.randrange(len(data))] = random.choice((0, 1, 8, 255))
                case 1:
                    del broken[random.randrange(len(data)) :]
                case _:
                    broken += random.randbytes(random.choice((1, 8)))
            found += whole(program, bytes(broken))
    assert found > 1000  # a byte of a text, mostly


def test_what_limits_do_not_allow_is_not_found() -> None:
    data = bytes(8) + pack_u64(2) + (pack_u64(3) + bytes(8)) * 2
    program: Program = ((TEXTS, 1),)
    assert whole(program, data)
    assert not whole(program, data, Limits(string=2))
    assert not whole(program, data, Limits(count=1))


def test_what_is_long_or_many_is_left_to_a_walk() -> None:
    assert not whole(((TEXT, None),), bytes(8) + pack_u64(LONG) + bytes(LONG))
    assert not whole(((TEXTS, 1),), bytes(8) + pack_u64(1000) + bytes(8000))
    assert not whole(((TEXTS, 1),), bytes(8) + pack_u64(1 << 63))


def test_what_is_more_than_texts_has_no_plan() -> None:
    assert plan_of(((LIST, ((TEXT, None),)),)) is None
    assert plan_of(((CHOICE, {0: None, 1: ()}),)) is None
    assert plan_of(((SKIP, 4),)) is None


def test_declared_replies_have_plans() -> None:
    protocol = Protocol(38)
    for name in ("QueryPathInfo", "QueryReferrers", "QueryValidPaths", "QueryDerivationOutputMap"):
        assert plan_of(OPERATIONS_BY_NAME[name].reply.program(protocol)) is not None, name
