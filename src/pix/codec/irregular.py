"""What is irregular: members to compare, each with the sentence in which people read it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Worded(Enum):
    """Members with a sentence each: a template that only what shows it reads; two may share one."""

    sentence: str

    def __new__(cls, sentence: str) -> Worded:
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.sentence = sentence
        return member


class Irregularity(Worded):
    """What a value can have and still be placed."""

    PADDING = "padding is not zero: Nix readers refuse it"
    BOOLEAN = "{} is not a canonical boolean"
    WIDE = "Nix readers refuse more than {} bits here"
    UNKNOWN = "not a known {}"


class Irregular(NamedTuple):
    """One irregularity; `about`: the number that stands there, the bits, or the type's name."""

    kind: Irregularity
    about: int | str = ""

    def __str__(self) -> str:
        return self.kind.sentence.format(self.about)
