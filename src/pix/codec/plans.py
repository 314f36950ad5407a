"""Programs of texts as plans: few stages of many texts each, for hopping from text to text.

What most requests and answers hold is texts, alone or counted, and words between them. Where they
end is known from the words that say lengths, each looked up in a table: so many words further is
the next. That takes half the time of a walk by the program.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TypeAlias

from pix.codec.cursor import CHOICE, SKIP, TEXT, TEXTS, Program

Stages: TypeAlias = "tuple[tuple[int, int, int], ...]"
"""Of each: texts for every one of a count that stands first (0: there is no count), texts besides,
words behind them."""
Plan: TypeAlias = "Stages | dict[int | None, Stages]"
"""What a value is, or what it is by the word that stands first, None for all other words."""

LONG = 4096
"""Bytes of a text that is not looked up, or more."""
_TIMES = tuple((None,) * n for n in range(256))
"""What to go through so many times: for a few quicker than `range`."""


def plan_of(program: Program) -> Plan | None:
    """Return a program as a plan, None where it is more than texts, words and a first choice."""
    if sys.byteorder != "little":
        return None  # words are read as the machine has them
    if len(program) != 1 or program[0][0] != CHOICE:
        return _stages(program)
    choices: dict[int | None, Program | None] = program[0][1]  # type: ignore[assignment]  # paired
    plan: dict[int | None, Stages] = {}
    for tag, chosen in choices.items():
        if chosen is None or (stages := _stages(chosen)) is None:
            return None
        plan[tag] = stages
    return plan


def _stages(program: Program) -> Stages | None:
    stages: list[tuple[int, int, int]] = []
    counted = texts = 0
    for step, arg in program:
        if step == TEXT:
            texts += 1
        elif step == TEXTS and isinstance(arg, int):
            stages.append((counted, texts, 0))
            counted, texts = arg, 0
        elif step == SKIP and isinstance(arg, int) and not arg & 7:
            stages.append((counted, texts, arg >> 3))
            counted = texts = 0
        else:
            return None
    return tuple(stage for stage in (*stages, (counted, texts, 0)) if any(stage))


@lru_cache(maxsize=8)
def hops(longest: int) -> tuple[int, ...]:
    """Return how many words a text of at most `longest` bytes takes, by its length."""
    return tuple(n + 15 >> 3 for n in range(min(longest + 1, LONG)))


def is_whole(data: bytes, pos: int, plan: Plan, hops: tuple[int, ...], most: int) -> bool:
    """Whether what `data` holds from `pos` on is one value, no count in it above `most`.

    True is certain; what is long or unusual is False without being looked at further.
    """
    try:
        words = memoryview(data).cast("Q")
        at, stages = pos >> 3, plan
        if isinstance(stages, dict):
            stages = stages[tag if (tag := words[at]) in stages else None]
            at += 1
        for counted, texts, more in stages:
            if counted:
                texts += counted * words[at]
                at += 1
            for _ in _TIMES[texts]:
                at += hops[words[at]]
            at += more
    except (IndexError, KeyError, TypeError):  # cut, long or many; an unknown word; no whole words
        return False
    return at == len(words) <= most
